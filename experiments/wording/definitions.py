"""What a metric is, in one sentence: whose share, sum or time, of which events, within how long."""

import json
from collections.abc import Mapping
from typing import Any, Final

from experiments.definitions.model import MetricType
from experiments.definitions.shop import Bound, Metric, RatioPart
from experiments.wording.figures import duration_text, figure_text, rate_text

EVENTS: Final[Mapping[str, str]] = {"page": "page view", "engagement": "report of time on a page"}
SENTENCES: Final[Mapping[MetricType, str]] = {
    "proportion": "The share of visitors with at least one {event}",
    "count": "How many times a visitor has {one}",
    "mean": "The sum of {value} over every {event} of a visitor",
    "ratio": "Of all visitors together, {above} divided by {under}",
    "quantile": "What {value} of {one} stays below in {below} of all cases",
    "funnel": "The share of visitors who get through {steps}, in this order",
    "retention": "The share of visitors who have {one} {since} to {until} after their first exposure",
    "csat": "The share of 4 and 5 among the scores of {event}",
    "nps": "Promoters (scores of 9 and 10) less detractors (0 to 6) of {event}, in points,",
    "ces": "The mean score of {event}, of which 1 is the easiest,",
}
VOWELS: Final = frozenset("aeiou")
SENDERS: Final[Mapping[str, str]] = {
    "proven": "only what backends and proven users say counts",
    "backend": "only what backends say counts",
}


def definition_text(metric: Metric, currency: str = "") -> str:
    """A metric as people say what it is."""
    whole = [_counted(metric), *_conditions(metric, currency)]
    return f"{'; '.join(whole)}."


def _counted(metric: Metric) -> str:
    """What is counted, by the type; `within` is how long after the first exposure."""
    told = SENTENCES[metric.type].format(
        event=_event(metric.event),
        one=_one(_event(metric.event)),
        value=metric.value,
        below=rate_text(metric.q),
        steps=", then ".join(map(_event, metric.steps)),
        since=duration_text(metric.from_seconds),
        until=duration_text(metric.to_seconds),
        above=_part(metric.numerator),
        under=_part(metric.denominator),
    )
    if metric.type == "retention":
        return told
    return f"{told} within {duration_text(metric.window_seconds)} of their first exposure"


def _conditions(metric: Metric, currency: str) -> list[str]:
    """What else is said of it."""
    told = [_where(metric.where)] if metric.where else []
    parts = (metric.numerator, metric.denominator)
    told += [f"of the {_event(part.event)} {_where(part.where)}" for part in parts if part is not None and part.where]
    if metric.subtract is not None:
        less = metric.subtract
        span = "" if less.within_seconds is None else f" within {duration_text(less.within_seconds)}"
        told.append(f"less {less.value} of every {_event(less.event)}{span}")
    if metric.cap is not None:
        high = Bound(fixed=metric.cap.fixed, percentile=metric.cap.percentile)
        if high != Bound():
            told.append(f"what a visitor has above {_bound(high, metric, currency)} counts as that")
        if metric.cap.low is not None:
            told.append(f"what is below {_bound(metric.cap.low, metric, currency)} counts as that")
    if metric.source in SENDERS:
        told.append(SENDERS[metric.source])
    return [*told, f"{'higher' if metric.want == 'up' else 'lower'} is better"]


def _event(name: str | None) -> str:
    return EVENTS.get(name or "", name or "event")


def _one(event: str) -> str:
    return f"{'an' if event[:1].lower() in VOWELS else 'a'} {event}"


def _part(part: RatioPart | None) -> str:
    if part is None:
        return "a number"
    return f"the number of {_event(part.event)}" if part.count else f"the sum of {part.sum} over {_event(part.event)}"


def _bound(bound: Bound, metric: Metric, currency: str) -> str:
    if bound.percentile is not None:
        return f"the value that {figure_text(100 * bound.percentile)} % stay below"
    if (metric.value or "").endswith("_seconds"):
        return duration_text(bound.fixed)
    return f"{figure_text(bound.fixed)} {currency}".rstrip()


def _where(where: Mapping[str, Any]) -> str:
    """A condition: what is plain in words, the rest as its file has it."""
    plain = [f"{name} is {value}" for name, value in where.items() if isinstance(value, str | int | float | bool)]
    rest = {name: value for name, value in where.items() if not isinstance(value, str | int | float | bool)}
    told = [*plain, *([f"it meets {json.dumps(rest, ensure_ascii=False)}"] if rest else [])]
    return f"where {' and '.join(told)}"
