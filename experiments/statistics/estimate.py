"""What statistics can say: an estimate, an interval, or a reason why neither exists."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Self

Want = Literal["up", "down"]  # the direction of the metric that is good for the shop
Scale = Literal["relative", "points"]  # effects relative to control, or in the metric's own unit


class Caveat(StrEnum):
    """Why a number is missing, or why it should be read with care."""

    NOT_ENOUGH_UNITS = "not_enough_units"  # an arm has fewer than two units, or too few for this quantile
    NO_VARIANCE = "no_variance"  # every unit of both arms has the same value
    NO_DENOMINATOR = "no_denominator"  # the denominator of a ratio adds up to zero
    JUDGED_BY_MARGIN = "judged_by_margin"  # the goal must only be no worse than its margin: its p decides nothing
    SHOWN_IN_POINTS = "shown_in_points"  # the metric's effects are differences: it has no lift
    CONTROL_MEAN_NEAR_ZERO = "control_mean_near_zero"  # a lift relative to something that may be zero is unbounded
    FEW_CONVERSIONS = "few_conversions"  # below 10 in an arm: exact test and interval
    FEW_NON_CONVERSIONS = "few_non_conversions"  # almost everybody converts: exact test and interval
    FEW_EVENTS = "few_events"  # the gate: the smaller arm cannot expect 10 events
    FEW_NON_EVENTS = "few_non_events"  # the gate: almost everybody converts, and it cannot expect 10 others
    COVARIATE_CONSTANT = "covariate_constant"  # nothing to adjust with: the unadjusted estimate stands
    COVARIATE_UNRELATED = "covariate_unrelated"  # the outcome does not vary, so no covariate can explain it
    TIES = "ties"  # more than 5 % of the values equal the quantile
    OUT_OF_RANGE = "out_of_range"  # the sums left the range of double precision
    BEFORE_FIRST_LOOK = "before_first_look"  # no look of the plan, or no day, has closed yet
    WAITING_FOR_WINDOWS = "waiting_for_windows"  # the units of the look are enrolled, the windows of some are open
    NOT_A_TEST = "not_a_test"  # this method has no p-value
    RESPONSE_RATES_DIFFER = "response_rates_differ"  # who answers the survey depends on the variant
    RESPONSE_COULD_EXPLAIN = "response_could_explain"  # one point more answers could make this difference
    STOPPED_EARLY_ESTIMATE_INFLATED = "stopped_early_estimate_inflated"


@dataclass(frozen=True, slots=True)
class NoEstimate:
    """The place of a number that cannot be given, with the reason."""

    reason: Caveat


@dataclass(frozen=True, slots=True)
class Interval:
    """A closed interval of finite ends, in the unit of the estimate it belongs to."""

    low: float
    high: float

    @classmethod
    def around(cls, low: float, high: float) -> Self:
        """From ends that may have met by rounding: an interval never has width 0."""
        return cls(low, high) if low < high else cls(math.nextafter(low, -math.inf), math.nextafter(high, math.inf))

    def contains(self, value: float) -> bool:
        return self.low <= value <= self.high

    @property
    def width(self) -> float:
        return self.high - self.low


def missing(*values: object) -> tuple[Caveat, ...]:
    """The reasons of those values that are not there, each once, in order."""
    return tuple(dict.fromkeys(value.reason for value in values if isinstance(value, NoEstimate)))
