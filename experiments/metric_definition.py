"""What a metric of `metrics.yaml` means once it is read."""

from typing import Any, Literal

from pydantic import Field

from experiments.definition import Definition

MetricType = Literal["proportion", "count", "mean", "ratio", "quantile", "funnel", "retention", "csat", "nps", "ces"]
Want = Literal["up", "down"]


class Cap(Definition):
    """Values above are cut: `fixed` in the metric's unit, or `percentile` (0.999 is p99.9) of the non-zero values."""

    fixed: float | None = None
    percentile: float | None = None


class Subtract(Definition):
    """What is taken off the value: `value` of these events, joined to their order, within a time after it."""

    event: str
    value: str
    within_seconds: int | None = None


class RatioPart(Definition):
    """A numerator or denominator: the sum of a field of these events, or (None) how many there are."""

    event: str
    sum: str | None = None
    where: dict[str, Any] = Field(default_factory=dict)

    @property
    def count(self) -> bool:
        """Whether events are counted instead of a field being summed."""
        return self.sum is None


class Metric(Definition):
    """One metric; a field that its type does not use is None (or empty). Durations are whole seconds."""

    name: str
    type: MetricType
    event: str | None = None
    value: str | None = None
    window_seconds: int = 7 * 86_400
    cap: Cap | None = None
    subtract: Subtract | None = None
    where: dict[str, Any] = Field(default_factory=dict)
    numerator: RatioPart | None = None
    denominator: RatioPart | None = None
    steps: tuple[str, ...] = ()
    from_seconds: int | None = None
    to_seconds: int | None = None
    q: float | None = None
    want: Want = "up"
