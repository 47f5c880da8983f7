"""Which events the metrics of a catalogue read, and the scales of the surveys among them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final

from events.records import EVERY_SURVEY, SURVEY_ANSWERED, SURVEY_SCALES, SURVEYS, TICKETS
from experiments.definitions.shop import Metric
from kit.values import small_letters

# What is read whatever the metrics are: orders by revenue, by what they bought people are known, lists by their clicks,
# surveys and tickets by what customers' experience is.
ALWAYS: Final = frozenset(
    {
        "Order Completed", "Order Refunded", "Order Cancelled", "Recommendation Viewed", "Recommendation Clicked",
        *SURVEYS, *TICKETS,
    }
)  # fmt: skip
ANY_SCORE: Final = (-inf, inf)


@dataclass(frozen=True, slots=True)
class Heard:
    """The names of events that something reads, and from where to where answers to a survey count, by its name."""

    names: frozenset[str]
    scales: Mapping[str, tuple[float, float]]
    kept: dict[Any, Any] = field(default_factory=dict[Any, Any])  # what was made of it, for as long as it is so

    @classmethod
    def by(cls, metrics: Iterable[Metric]) -> "Heard":
        """What these metrics read."""
        names, scales = set(ALWAYS), dict(SURVEY_SCALES)
        for metric in metrics:
            parts = (metric.numerator, metric.denominator, metric.subtract)
            names.update(metric.steps, *[(part.event,) for part in parts if part is not None])
            if metric.event is not None:
                names.add(metric.event)
            if metric.event == SURVEY_ANSWERED:
                scale = SURVEY_SCALES.get(metric.type, ANY_SCORE)
                scales.update({survey: scale for survey in surveys_of(metric) if survey not in SURVEY_SCALES})
        return cls(frozenset(names), scales)


def surveys_of(metric: Metric) -> list[str]:
    """Whose answers a metric reads, in small letters."""
    told = metric.where.get("survey")
    if isinstance(told, Mapping):
        told = told.get("$eq", told.get("$in"))  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    listed = told if isinstance(told, list) else [told]  # pyright: ignore[reportUnknownVariableType]
    named = [small_letters(each) for each in listed if isinstance(each, str)]  # pyright: ignore[reportUnknownVariableType]
    return named or [EVERY_SURVEY]
