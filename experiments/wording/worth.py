"""What a decision is worth a month: the absolute difference times the units of a month, as surely as it is known."""

import math
from dataclasses import dataclass
from typing import Final

from experiments.answers.comparison import ComparisonReadout
from experiments.answers.readout import MetricReadout, Readout, Worth
from experiments.statistics.estimate import Interval
from experiments.wording.figures import counted

MONTH_DAYS: Final = 28
"""At most so many closed days say how many units a month brings."""
_DAYS_A_MONTH: Final = 30.0
_COUNTED: Final = frozenset({"proportion", "count", "funnel", "retention"})
_SAID: Final = frozenset({"ship", "roll_back", "inconclusive"})


@dataclass(frozen=True, slots=True)
class Traffic:
    """Units enrolled on so many closed days, and how many `everybody` would be at a traffic of 100 %."""

    units: int
    days: int
    everybody: float

    @property
    def units_a_day(self) -> float | None:
        """None before a day has closed."""
        return self.units / self.days if self.days else None

    @property
    def units_a_month(self) -> float:
        return self.everybody * _DAYS_A_MONTH / self.days if self.days else 0.0


def worth_of(readout: Readout, traffic: Traffic, currency: str) -> Worth | str:
    """The worth of a readout's decision, or the sentence that says why nothing is said of it.

    It is that of the variant which is decided upon, of several that of the one whose primary goal differs most surely.
    """
    decision = readout.decision
    if decision.action not in _SAID:
        return "The worth is said once there is a decision: to ship, to roll back, or that nothing won."
    metric = _metric(readout)
    if metric is None:
        return "Neither a metric of money nor the primary goal is a number of each visitor, which could be added up."
    if metric.post_hoc:
        return "The metric is not of the frozen design, so its worth would be one of many that could be looked for."
    judged = _judged(readout, metric)
    if judged is None or not judged.gate.open:
        return "Too little has come in to say what it is worth."
    difference, interval, units = judged.difference, judged.difference_ci, traffic.units_a_month
    if not isinstance(difference, float) or not isinstance(interval, Interval) or not units:
        return "The difference of each visitor cannot be said, so nothing is said of its worth."
    low, high = interval.low * units, interval.high * units
    if not math.isfinite(low + high):
        return "The numbers are too large to say what it is worth."
    days = counted(traffic.days, "closed day")
    assumption = (
        f"{counted(units, metric.unit)} a month, all of whom see {judged.variant}, as the last {days} of enrolment had"
        f" them at full traffic; the difference in {metric.title} stays as it is"
    )
    return Worth(
        per_month=difference * units,
        ci=Interval.around(low, high),
        metric=metric.metric,
        variant=judged.variant,
        assumption=f"{assumption}.",
        currency=currency if metric.quantity == "money" else None,
        unit=None if metric.quantity == "money" else metric.noun,
    )


def _metric(readout: Readout) -> MetricReadout | None:
    """The first metric of money, else the primary goal where it counts something of each unit."""
    for metric in readout.metrics:
        if metric.quantity == "money" and metric.type == "mean" and not metric.post_hoc:
            return metric
    primary = next((metric for metric in readout.metrics if metric.role == "goal"), None)
    return primary if primary is not None and primary.type in _COUNTED else None


def _judged(readout: Readout, metric: MetricReadout) -> ComparisonReadout | None:
    decided = readout.decision.variant
    if decided is not None:
        return next((each for each in metric.comparisons if each.variant == decided), None)
    primary = next((each for each in readout.metrics if each.role == "goal"), metric)
    known = [each for each in primary.comparisons if isinstance(each.p, float)]
    nearest = min(known, key=lambda each: each.p if isinstance(each.p, float) else 1.0, default=None)
    nearest = nearest or (primary.comparisons[0] if primary.comparisons else None)
    return next((each for each in metric.comparisons if nearest and each.variant == nearest.variant), None)
