"""What statistics can say: an estimate, an interval, or a reason why neither exists."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Self

Want = Literal["up", "down"]
"""The direction of the metric that is good for the shop.
`up`: Higher is better.
`down`: Lower is better.
"""
Scale = Literal["relative", "points"]
"""How effects are said.
`relative`: As a share of control (0.05 is 5 %).
`points`: As a difference in the metric's own unit.
"""


class Caveat(StrEnum):
    """Why a number is missing, or why it should be read with care."""

    NOT_ENOUGH_UNITS = "not_enough_units"
    """A variant has fewer than two units, or too few for this quantile: wait for more visitors."""
    NO_VARIANCE = "no_variance"
    """Every unit of both variants has the same value, so there is nothing to compare."""
    NO_DENOMINATOR = "no_denominator"
    """What the ratio is divided by adds up to zero."""
    JUDGED_BY_MARGIN = "judged_by_margin"
    """The goal must only be no worse than its margin: its interval decides, not its p."""
    SHOWN_IN_POINTS = "shown_in_points"
    """The metric's effects are differences in its own unit, so it has no lift."""
    CONTROL_MEAN_NEAR_ZERO = "control_mean_near_zero"
    """Control's value may be zero, so that a share of it means nothing: read the difference."""
    FEW_CONVERSIONS = "few_conversions"
    """A variant has fewer than 10 conversions: an exact test and interval are used."""
    FEW_NON_CONVERSIONS = "few_non_conversions"
    """Almost everybody converts: an exact test and interval are used."""
    FEW_EVENTS = "few_events"
    """Too early: the smaller variant cannot expect 10 conversions yet, so nothing is judged."""
    FEW_NON_EVENTS = "few_non_events"
    """Too early: almost everybody converts, and the smaller variant cannot expect 10 who do not."""
    COVARIATE_CONSTANT = "covariate_constant"
    """Visitors did not differ beforehand, so there was nothing for CUPED to use: the plain estimate stands."""
    COVARIATE_UNRELATED = "covariate_unrelated"
    """The outcome does not vary, so that nothing from before can explain it."""
    TIES = "ties"
    """More than 5 % of the values equal the quantile, so that it can hardly move."""
    OUT_OF_RANGE = "out_of_range"
    """The sums are too large for the arithmetic: look for absurd values in the events."""
    BEFORE_FIRST_LOOK = "before_first_look"
    """Too early: no look of the plan, or no whole day, has closed yet."""
    WAITING_FOR_WINDOWS = "waiting_for_windows"
    """All visitors of the look are there, and the windows of some are still open."""
    NOT_A_TEST = "not_a_test"
    """This method has no p-value."""
    RESPONSE_RATES_DIFFER = "response_rates_differ"
    """Who answers the survey depends on the variant, so that answers do not compare like with like."""
    RESPONSE_COULD_EXPLAIN = "response_could_explain"
    """One percentage point more answers in one variant could make this difference by itself."""
    STOPPED_EARLY_ESTIMATE_INFLATED = "stopped_early_estimate_inflated"
    """It was decided before the plan's days were over: the estimate is likely too high."""


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
