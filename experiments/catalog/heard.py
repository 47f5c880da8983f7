"""Which events the metrics of a catalogue read, and the scales of the surveys among them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from experiments.definitions.shop import SURVEY_SCALES, Metric

# What is read whatever the metrics are: orders by revenue, by what they bought people are known, lists by their clicks.
ALWAYS: Final = frozenset(
    {"Order Completed", "Order Refunded", "Order Cancelled", "Recommendation Viewed", "Recommendation Clicked"}
)


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
            survey = metric.where.get("survey")
            if metric.type in SURVEY_SCALES and isinstance(survey, str):
                scales[survey.casefold()] = SURVEY_SCALES[metric.type]
        return cls(frozenset(names), scales)
