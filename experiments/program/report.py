"""The program report: of all experiments that were concluded, what was measured, and what of it is likely true."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from statistics import median
from typing import Final, Literal, Protocol
from zoneinfo import ZoneInfo

from experiments.answers.comparison import ComparisonReadout
from experiments.answers.readout import Number, Readout
from experiments.catalog.phases import FrozenDesign
from experiments.catalog.reader import Conclusion
from experiments.definitions.model import EffectScale, Outcome
from experiments.program.shrinkage import DEFAULT_SCALE, Prior, Shrinkage, shrinkage
from experiments.readout.read import Readouts
from experiments.readout.study import InvalidDate, ReadoutQuery, UnknownMetric
from experiments.statistics.arms import Pair, proportion_arm
from experiments.statistics.effect import Effect, effect, floored, relative_standard_error
from experiments.statistics.estimate import Interval, NoEstimate
from experiments.statistics.fixed import wilson_interval
from kit.time import DAY_SECONDS, parsed

BorrowedPrior = Literal["default"]
"""A prior that says nothing of these experiments.
`default`: What tests of many shops usually give, because there are too few of these experiments yet.
"""
RowOutcome = Literal["shipped", "rolled_back", "inconclusive", "unhealthy", "not_shipped"]
"""What came of a variant.
`not_shipped`: Another variant of the experiment was shipped.
`shipped`: Here: The variant was given to everyone.
`inconclusive`: Here: Nothing won or lost.
As everywhere: `rolled_back`, `unhealthy`.
"""
COLUMNS: Final = (
    "experiment", "phase", "variant", "metric", "outcome", "decided_on", "lift", "standard_error", "shrunk_lift",
    "shrunk_ci_low", "shrunk_ci_high",
)  # fmt: skip
IN_POINTS: Final = "shown_in_points"
_WIN_RATE_ALPHA: Final = 0.05


class Conclusions(Protocol):
    """What became of every phase; `experiments.catalog.reader.CatalogReader` is one."""

    def conclusions(self) -> Mapping[tuple[str, int], Conclusion]: ...

    def design(self, key: str, phase: int) -> FrozenDesign | None: ...


@dataclass(frozen=True, slots=True)
class ProgramQuery:
    """Which conclusions: decided on these shop days (inclusive), of this primary metric."""

    since: str | None = None
    until: str | None = None
    metric: str | None = None
    look: ReadoutQuery = ReadoutQuery()  # noqa: RUF009 - frozen


@dataclass(frozen=True, slots=True)
class PriorReadout:
    weights: tuple[float, ...]
    """Here: How much of the mixture each part is; they add up to 1."""
    scales: tuple[float, ...]
    """How wide each part of the mixture is."""


@dataclass(frozen=True, slots=True)
class ProgramRow:
    """One variant of a concluded phase. `lift` is that of the primary goal when all windows had closed; of a metric in
    points it is the difference. `outcome` is the phase's, of its other variants `not_shipped` where one was.

    As everywhere: `experiment`, `phase`, `variant`, `metric`.
    """

    experiment: str
    phase: int
    variant: str
    metric: str
    outcome: RowOutcome
    """Here: What came of this variant; `not_shipped` where another one was shipped."""
    decided_on: date
    """Here: The shop day on which the phase was concluded."""
    lift: Number
    """Here: The lift when all windows had closed; of a metric in points, the difference."""
    standard_error: Number
    """The standard error of the lift."""
    shrunk_lift: float | None = None
    """The lift after shrinking it towards what tests usually give: what is likely left of it."""
    shrunk_ci: Interval | None = None
    """The interval of what is likely left."""


@dataclass(frozen=True, slots=True)
class MetricSum:
    """What was shipped for one metric: the sum of what was measured, and of what is left of it once it is shrunk.

    As everywhere: `metric`, `effect_scale`, `shrunk_sum`, `shrunk_ci`.
    """

    metric: str
    effect_scale: EffectScale
    experiments: int
    """Here: How many experiments had it as their first goal."""
    shipped: int
    """Here: How many of them shipped a variant."""
    naive_sum: float
    """What was shipped, added up as it was measured: too large, because what was shipped was chosen for being large."""
    shrunk_sum: float | None
    shrunk_ci: Interval | None
    prior: PriorReadout | BorrowedPrior | None
    """Here: What effects are taken to be like: a mixture, or `default`."""


@dataclass(frozen=True, slots=True)
class Program:
    """What all concluded experiments did together.

    As everywhere: `as_of`.
    """

    as_of: datetime
    experiments: int
    """Here: How many experiments were concluded."""
    outcomes: Mapping[str, int]
    """How many experiments came to what."""
    win_rate: float | None
    """The share of healthy experiments that shipped a variant."""
    win_rate_ci: Interval | None
    """The interval of the win rate."""
    median_days: float | None
    """How many days half of the experiments ran at most."""
    metrics: tuple[MetricSum, ...]
    """Here: What was shipped, added up for each metric."""
    rows: tuple[ProgramRow, ...]
    """Here: A row for each variant of each concluded phase."""


@dataclass(frozen=True, slots=True)
class Concluded:
    """A phase whose windows have all closed: its readout, its rows, how long it ran, and whether it is in points."""

    outcome: RowOutcome
    days: float
    rows: tuple[ProgramRow, ...]
    in_points: bool


def program_report(readouts: Readouts, history: Conclusions, query: ProgramQuery) -> Program:
    """The report; raises InvalidDate and UnknownMetric."""
    catalog = readouts.archive.latest()
    zone = ZoneInfo(catalog.shop.timezone)
    since, until = _day("from", query.since, zone), _day("to", query.until, zone)
    if since and until and until < since:
        raise InvalidDate(f"to: {until} lies before from, {since}")
    conclusions = {
        name: concluded
        for name, concluded in sorted(history.conclusions().items())
        if (since or date.min) <= concluded.since.astimezone(zone).date() <= (until or date.max)
    }
    designs = {name: history.design(*name) for name in conclusions}
    if query.metric is not None:
        known = {*catalog.metrics, *(metric for design in designs.values() if design for metric in design.metrics)}
        if query.metric not in known:
            raise UnknownMetric(query.metric, known)
    wanted = {
        name: design
        for name, design in designs.items()
        if design is not None and query.metric in (None, design.experiment.goals[0])
    }
    found = readouts.several([(key, replace(query.look, phase=phase)) for key, phase in wanted])
    phases = [
        concluded_phase(readout, design, conclusions[name], zone)
        for (name, design), readout in zip(wanted.items(), found, strict=True)
        if readout.closed
    ]
    return _summed(readouts.as_of(query.look), phases)


def concluded_phase(
    readout: Readout, design: FrozenDesign, conclusion: Conclusion, zone: ZoneInfo, metric: str | None = None
) -> Concluded:
    """The rows of one phase, by its closed readout: of its first goal, or of another metric."""
    said, primary = conclusion.decision, readout.metric(metric or design.experiment.goals[0])
    outcome: Outcome = said.outcome or "inconclusive"
    if outcome == "shipped" and said.variant == design.experiment.control.key:
        outcome = "rolled_back"  # what was there before was kept
    unhealthy = readout.decision.action == "unhealthy"
    rows: list[ProgramRow] = []
    for each in primary.comparisons:
        own: RowOutcome = "not_shipped" if outcome == "shipped" and each.variant != said.variant else outcome
        measured, error = measured_effect(each)
        rows.append(
            ProgramRow(
                experiment=readout.experiment,
                phase=readout.phase,
                variant=each.variant,
                metric=primary.metric,
                outcome="unhealthy" if unhealthy else own,
                decided_on=conclusion.since.astimezone(zone).date(),
                lift=measured,
                standard_error=error,
            )
        )
    began, ended = design.experiment.start or design.frozen_at, design.closed_at or conclusion.since
    days = max(0.0, (ended - began).total_seconds() / DAY_SECONDS)
    in_points = any(IN_POINTS in each.reasons for each in primary.comparisons)
    return Concluded("unhealthy" if unhealthy else outcome, days, tuple(rows), in_points)


def measured_effect(judged: ComparisonReadout) -> tuple[Number, Number]:
    """Lift and standard error as they decide, the variance floor included; of a metric in points the difference."""
    pair = judged.shown.judged
    found = effect(pair) if isinstance(pair, Pair) else pair
    if not isinstance(found, Effect):
        return judged.lift, found
    found = floored(found, judged.variance_floor)
    if IN_POINTS in judged.reasons:
        return judged.difference, found.standard_error
    return judged.lift, relative_standard_error(found)


def _summed(as_of: datetime, phases: Iterable[Concluded]) -> Program:
    phases = list(phases)
    outcomes = Counter(phase.outcome for phase in phases)
    healthy = len(phases) - outcomes["unhealthy"]
    won = proportion_arm(healthy, outcomes["shipped"]) if healthy else None
    metrics: list[MetricSum] = []
    rows: list[ProgramRow] = []
    for metric in sorted({phase.rows[0].metric for phase in phases}):
        mine = [phase for phase in phases if phase.rows[0].metric == metric]
        summed, shrunk = _metric_sum(metric, mine)
        metrics.append(summed)
        rows += shrunk
    return Program(
        as_of=as_of.astimezone(UTC).replace(microsecond=0),
        experiments=len(phases),
        outcomes={name: outcomes[name] for name in ("shipped", "rolled_back", "inconclusive", "unhealthy")},
        win_rate=outcomes["shipped"] / healthy if healthy else None,
        win_rate_ci=None if won is None or isinstance(won, NoEstimate) else wilson_interval(won, _WIN_RATE_ALPHA),
        median_days=round(median(phase.days for phase in phases), 1) if phases else None,
        metrics=tuple(metrics),
        rows=tuple(sorted(rows, key=_order)),
    )


def _metric_sum(metric: str, phases: Iterable[Concluded]) -> tuple[MetricSum, list[ProgramRow]]:
    """The prior is that of all healthy rows, winners or not; what was shipped is summed off it."""
    phases = list(phases)
    rows = sorted((row for phase in phases for row in phase.rows), key=_order)
    found = shrunk_rows(rows, phases, lambda row: row.outcome == "shipped")
    known = summable(rows)
    summed = MetricSum(
        metric=metric,
        effect_scale="points" if any(phase.in_points for phase in phases) else "relative",
        experiments=len(phases),
        shipped=sum(phase.outcome == "shipped" for phase in phases),
        naive_sum=sum((known_number(row.lift) for row in known if row.outcome == "shipped"), 0.0),
        shrunk_sum=found and found.total.value,
        shrunk_ci=found and found.total.ci,
        prior=found and prior_readout(found.prior),
    )
    if found is None:
        return summed, rows
    shrunk = {id(row): estimate for row, estimate in zip(known, found.estimates, strict=True)}
    return summed, [
        replace(row, shrunk_lift=shrunk[id(row)].value, shrunk_ci=shrunk[id(row)].ci) if id(row) in shrunk else row
        for row in rows
    ]


def shrunk_rows(
    rows: Iterable[ProgramRow], phases: Iterable[Concluded], chosen: Callable[[ProgramRow], bool]
) -> Shrinkage | None:
    """The posteriors of all rows that can be summed, in their order, and the sum of those that are chosen."""
    known = summable(rows)
    lifts, errors = [known_number(row.lift) for row in known], [known_number(row.standard_error) for row in known]
    in_points = any(phase.in_points for phase in phases)
    scale = median(errors) if in_points and errors else DEFAULT_SCALE  # points have no scale of their own
    experiments = len({(row.experiment, row.phase) for row in known})
    return shrinkage(lifts, errors, [chosen(row) for row in known], scale, experiments)


def summable(rows: Iterable[ProgramRow]) -> list[ProgramRow]:
    """The healthy rows that have an estimate, winners and losers."""
    return [row for row in rows if row.outcome != "unhealthy" and _measured(row)]


def prior_readout(prior: Prior) -> PriorReadout | BorrowedPrior:
    """The prior as it is shown; a borrowed one says nothing of these experiments."""
    return "default" if prior.borrowed else PriorReadout(prior.weights, prior.scales)


def _order(row: ProgramRow) -> tuple[object, ...]:
    return row.decided_on, row.experiment, row.phase, row.variant


def _measured(row: ProgramRow) -> bool:
    return isinstance(row.lift, float) and isinstance(row.standard_error, float)


def known_number(value: Number) -> float:
    """A number, 0 where there is none."""
    return value if isinstance(value, float) else 0.0


def _day(name: str, text: str | None, zone: ZoneInfo) -> date | None:
    """The shop day of a date, or of a moment in ISO 8601. Raises InvalidDate."""
    if text is None:
        return None
    try:
        return parsed(text, zone).astimezone(zone).date()
    except (ValueError, OverflowError):
        raise InvalidDate(f"{name}: {text[:40]!r} is no date; write 2026-01-31") from None
