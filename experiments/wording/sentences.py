"""One sentence for each result: of a readout what happened, how sure, what to do and what it is worth; and of each
comparison. What is shown anywhere is these texts."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from experiments.answers.comparison import ComparisonReadout
from experiments.answers.readout import Ground, LevelReadout, MetricReadout, Readout, Worth
from experiments.wording.codes import CLAUSES, INFORMS, known_check
from experiments.wording.effects import ToldEffect, clipped, sentence_case, smallest_effect
from experiments.wording.figures import counted, figure_text, in_words, money_text, rate_text

MOST: Final = 320
"""Letters of a sentence."""
_OPEN_LEFT_OUT, _RANGE_LEFT_OUT, _SHORT, _WORTH_LEFT_OUT, _FOUND_LEFT_OUT = range(1, 6)
_SHORTER: Final = (
    (60, 0), (40, 0), (60, _OPEN_LEFT_OUT), (40, _OPEN_LEFT_OUT), (28, _OPEN_LEFT_OUT), (40, _RANGE_LEFT_OUT),
    (28, _RANGE_LEFT_OUT), (40, _SHORT), (20, _SHORT), (10, _SHORT), (20, _WORTH_LEFT_OUT), (10, _WORTH_LEFT_OUT),
    (10, _FOUND_LEFT_OUT),
)  # fmt: skip
"""How a text becomes shorter: letters of a name, and what is left out."""
_DECIDED: Final = {"violated": 0, "wins": 1, "loses": 1}  # what is told first of several variants


@dataclass(frozen=True, slots=True)
class MetricSentences:
    """Those of a metric's comparisons, and of the comparisons of each level of its dimensions, in their order."""

    comparisons: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Sentences:
    """What is said of a readout, and of each of its metrics in order."""

    top: str
    metrics: tuple[MetricSentences, ...]


def sentences(readout: Readout) -> Sentences:
    """The sentences of a judged readout whose metrics have their titles, and whose worth is known."""
    return Sentences(_top(readout), tuple(metric_sentences(metric) for metric in readout.metrics))


def metric_sentences(metric: MetricReadout) -> MetricSentences:
    """The sentences of one metric."""
    return MetricSentences(
        tuple(_comparison(metric, judged) for judged in metric.comparisons),
        tuple(tuple(_comparison(metric, judged, level) for judged in level.comparisons) for level in metric.dimensions),
    )


def priced(metrics: Iterable[MetricReadout], currency: str) -> tuple[MetricReadout, ...]:
    """The metrics, those of money with the shop's currency."""
    return tuple(replace(each, currency=currency) if each.quantity == "money" else each for each in metrics)


def worded(readout: Readout) -> Readout:
    """The readout with its sentences."""
    said = sentences(readout)
    metrics = tuple(map(worded_metric, readout.metrics, said.metrics))
    return replace(readout, sentence=said.top, metrics=metrics)


def worded_metric(metric: MetricReadout, said: MetricSentences | None = None) -> MetricReadout:
    """A metric with its sentences."""
    said = said or metric_sentences(metric)
    levels = (
        replace(level, comparisons=_with_sentences(level.comparisons, told))
        for level, told in zip(metric.dimensions, said.levels, strict=True)
    )
    return replace(metric, comparisons=_with_sentences(metric.comparisons, said.comparisons), dimensions=tuple(levels))


def _with_sentences(judged: tuple[ComparisonReadout, ...], said: tuple[str, ...]) -> tuple[ComparisonReadout, ...]:
    return tuple(replace(each, sentence=text) for each, text in zip(judged, said, strict=True))


def _fitting(build: Callable[[int, int], str]) -> str:
    """The first of some texts that fits; `build` takes how many letters a name has, and how much is left out."""
    texts = (build(width, left_out) for width, left_out in _SHORTER)
    return next(text for text in texts if len(text) <= MOST)


def _comparison(metric: MetricReadout, judged: ComparisonReadout, level: LevelReadout | None = None) -> str:
    def build(width: int, left_out: int) -> str:
        told = ToldEffect(metric, judged, width, sure=left_out < _RANGE_LEFT_OUT).told
        if level is None:
            return sentence_case(told)
        where = f"{clipped(level.dimension, width)} {clipped(level.level or 'unknown', width)}"
        return f"Explored, {where}: {told}."

    return _fitting(build)


def _top(readout: Readout) -> str:
    """In this order: what happened, how sure, what to do, what it is worth."""

    def build(width: int, left_out: int) -> str:
        name = clipped(readout.name or readout.experiment, width)
        found = _found(readout, width, sure=left_out < _RANGE_LEFT_OUT)
        happened = next(found, None) if left_out < _FOUND_LEFT_OUT else None
        if readout.decision.action in _SILENT or {*_NOBODY}.intersection(readout.decision.codes):
            happened = None
        begins = f"{name}." if happened is None else f"{name}: {happened.told}."
        ends = [_action(readout, width, left_out)]
        if readout.worth is not None and left_out < _WORTH_LEFT_OUT:
            ends.append(worth_sentence(readout.worth))
        return " ".join([begins.replace("?.", "?").replace("!.", "!"), *ends])

    return _fitting(build)


_SILENT: Final = frozenset({"unhealthy", "not_started"})  # of which no number is told
_NOBODY: Final = (Ground.NOBODY_EXPOSED, Ground.ENDED_BEFORE_EXPOSURE)


def _found(readout: Readout, width: int, *, sure: bool) -> Iterator[ToldEffect]:
    """What is told of a readout: of a harm the metric that is harmed, else the primary goal; of the variant that is
    decided upon, else of the one that is nearest to a decision."""
    decided = readout.decision.variant
    goals = [metric for metric in readout.metrics if metric.role == "goal"]
    told = [(metric, each) for metric in goals[:1] for each in metric.comparisons]
    if readout.decision.action == "roll_back":
        harmed = [
            (metric, each)
            for metric in readout.metrics
            for each in metric.comparisons
            if each.verdict == "violated" or (metric is goals[0] and each.verdict == "loses")
        ]
        told = harmed or told
    told = [(metric, each) for metric, each in told if decided in (None, each.variant)]
    for metric, each in sorted(told, key=lambda pair: _nearness(pair[1])):
        yield ToldEffect(metric, each, width, sure)


def _nearness(judged: ComparisonReadout) -> tuple[int, float]:
    """Decided ones first, then by how unlikely chance is."""
    p = judged.p_adjusted if isinstance(judged.p_adjusted, float) else judged.p
    return _DECIDED.get(judged.verdict, 2), p if isinstance(p, float) else 2.0


def _action(readout: Readout, width: int, left_out: int) -> str:
    decision = readout.decision
    variant = clipped(decision.variant or "", width)
    match decision.action:
        case "ship":
            early = "stopped_early_estimate_inflated" in decision.codes
            told = _EARLY if left_out < _SHORT else "The estimate is likely too high."
            return f"Ship {variant}." + (f" {told}" if early else "")
        case "roll_back":
            return f"Roll back {variant}." if variant else f"Roll back to {clipped(_control(readout), width)}."
        case "keep_running":
            return _keep_running(readout, open_=left_out < _OPEN_LEFT_OUT)
        case "inconclusive":
            return f"No winner: {_no_winner(readout)}."
        case "unhealthy":
            return f"Do not use these numbers: {_mismatch(readout)}."
        case "not_started":
            told = "".join(decision.because[:1]) or "nobody is assigned yet."
            return f"Not started: {told[0].lower()}{told[1:]}"


_EARLY: Final = "It ends early, so the estimate is likely too high: a test that may stop any day stops on a good one."


def _control(readout: Readout) -> str:
    return next((each.against for metric in readout.metrics for each in metric.comparisons), "control")


def _keep_running(readout: Readout, *, open_: bool) -> str:
    codes, left = readout.decision.codes, readout.decision.days_left
    if Ground.NOBODY_EXPOSED in codes:
        return "Keep running: nobody has been exposed yet."
    days = f"Keep running: up to {counted(left, 'more planned day')}" if left else "Keep running: its last day is open"
    told = next((_OPEN[code] for code in codes if code in _OPEN), None)
    withheld = next((known_check(code)[1] for code in codes if _withholds(code)), None)
    told = told or (f"nothing is shipped while {withheld}" if withheld else None)
    told = told or next((CLAUSES[code] for code in codes if code in CLAUSES and code not in _TOLD), None)
    if told is None and Ground.DAYS_LEFT in codes:
        told = "it may end without a winner"
    return f"{days}; {told}." if told and open_ else f"{days}."


_TOLD: Final = frozenset({"few_events", "few_non_events", "no_longer_supported", "stopped_early_estimate_inflated"})
_OPEN: Final[Mapping[str, str]] = {
    Ground.GUARDRAIL_OPEN: "a guardrail is not known to be safe",
    Ground.GOAL_LOSES: "another goal loses",
    Ground.TOO_FEW_DAYS: "the plan asks for more whole days",
    Ground.WINDOWS_OPEN: "windows are still open",
    Ground.WIDER_THAN_TARGET: "it is not yet as precise as the plan wants",
}


def _withholds(code: str) -> bool:
    return known_check(code)[0] != INFORMS


def _no_winner(readout: Readout) -> str:
    codes = readout.decision.codes
    if Ground.ENDED_BEFORE_EXPOSURE in codes:
        return "it ended before anybody was exposed"
    found = list(_found(readout, 60, sure=True))
    size = smallest_effect(found)
    withheld = next((known_check(code)[1] for code in codes if _withholds(code)), None)
    if any(each.judged.verdict == "wins" for each in found):
        held = withheld or next((_OPEN[code] for code in codes if code in _OPEN), "something stands in its way")
        return f"nothing is shipped while {held}"
    if size is None:
        return "no effect could have been found with so few"
    return f"the smallest effect that this test could have found is {size}"


def _mismatch(readout: Readout) -> str:
    srm = readout.health.srm
    counts = in_words([figure_text(n) for n in srm.observed])
    shares = in_words([rate_text(share) for share in srm.expected])
    return f"the variants did not fill as their weights say (today {counts}, planned {shares})"


def worth_sentence(worth: Worth) -> str:
    """`Worth between −€900 and +€4,200 a month if the effect stays.`"""
    low, high = worth.ci.low, worth.ci.high
    if high <= 0.0:
        low, high = high, low  # the smaller one first
    if worth.currency is not None:
        near, far = (money_text(end, worth.currency, signed=True) for end in (low, high))
    else:
        far = f"{figure_text(abs(high), 3)} {'fewer' if high < 0.0 else 'more'} {worth.unit}"
        near = f"{figure_text(abs(low), 3)}{' fewer' if low < 0.0 < high else ''}"
    return f"Worth between {near} and {far} a month if the effect stays."
