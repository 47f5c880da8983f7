"""Before the test: how many units, how small an effect, how many days; for any allocation."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Design:
    """`ratio` is treatment units per control unit; alpha is two-sided; `inflation` is the method's price in units."""

    alpha: float = 0.05
    power: float = 0.8
    ratio: float = 1.0
    inflation: float = 1.0


def required_units(mean: float, variance: float, relative_effect: float, design: Design) -> float | None:
    """Units of control that detect this lift with the design's power; None where no number of units can."""
    ...


def power_of(mean: float, variance: float, relative_effect: float, control_units: float, design: Design) -> float:
    """Power of the two-sided t-test."""
    ...


def detectable_lift(mean: float, variance: float, control_units: float, design: Design) -> float | None:
    """The smallest lift that these units detect with the design's power."""
    ...


def duration_days(control_units: float, units_per_day: float, design: Design) -> int | None:
    """Whole days until both arms are full, given the units of both arms that arrive each day."""
    ...


def inflation(method: str, alpha: float, power: float, looks: int = 4) -> float:
    """Units that a method needs over the fixed test for the same power at its last look."""
    ...
