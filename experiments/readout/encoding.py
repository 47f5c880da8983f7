"""A readout as plain frozen data, under the field names that are served, and as JSON without NaN."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any, Final, Literal

from experiments.statistics.estimate import Interval, NoEstimate

Number = float | None
Range = tuple[float, float] | None  # JSON [low, high]
OPTIONAL: Final = frozenset(
    {"response_rate", "final_beat_share", "value_ci", "steps", "sql", "cap", "dimensions", "estimated"}
)
"""Members that stand in the JSON only where a metric has them."""


def plain(value: Any) -> Any:
    """Dataclasses as JSON objects; what cannot be said is null."""
    if is_dataclass(value) and not isinstance(value, type):
        return _members(value)
    match value:
        case Enum():
            return value.value
        case float():
            return value if math.isfinite(value) else None
        case datetime():
            return iso(value)
        case date():
            return value.isoformat()
        case tuple() | list():
            return [plain(item) for item in value]
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case _:
            return value


def iso(moment: datetime) -> str:
    """UTC with Z; fractions of a second only where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def number(value: float | NoEstimate | None) -> Number:
    """A number, or None where it cannot be given."""
    if value is None or isinstance(value, NoEstimate):
        return None
    return float(value) if math.isfinite(value) else None


def ends(interval: Interval | NoEstimate | None) -> Range:
    """Both ends of an interval, or None."""
    return (interval.low, interval.high) if isinstance(interval, Interval) else None


def _members(value: Any) -> dict[str, Any]:
    served = {
        item.name: plain(getattr(value, item.name)) for item in fields(value) if item.metadata.get("served", True)
    }
    return {name: item for name, item in served.items() if name not in OPTIONAL or item not in (None, [])}


__all__ = ["ends", "iso", "number", "plain"]

Role = Literal["goal", "secondary", "guardrail"]
Action = Literal["unhealthy", "roll_back", "ship", "keep_running", "inconclusive", "not_started"]
Verdict = Literal["wins", "loses", "unclear", "violated", "safe"]


@dataclass(frozen=True, slots=True)
class SrmLevel:
    """One row of the drill-down: where an imbalance comes from. `p_adjusted` is Holm's over all rows."""

    dimension: str
    level: str
    observed: tuple[int, ...]
    p: Number
    p_adjusted: Number


@dataclass(frozen=True, slots=True)
class Srm:
    p: Number
    sequential_p: Number
    alarm: bool
    expected: tuple[float, ...]
    observed: tuple[int, ...]
    drill_down: tuple[SrmLevel, ...] = ()


@dataclass(frozen=True, slots=True)
class MultiExposure:
    rate: float
    rule: str = "first_exposure"


@dataclass(frozen=True, slots=True)
class Excluded:
    bots: int = 0
    forged: int = 0
    forced: int = 0
    currency: int = 0
    quarantined: int = 0


@dataclass(frozen=True, slots=True)
class Check:
    """Something that a reader must know before trusting the numbers."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Health:
    srm: Srm
    multi_exposure: MultiExposure
    excluded: Excluded
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    action: Action
    variant: str | None
    days_left: int
    because: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ArmReadout:
    """One variant. `value` is numerator / denominator, `variance` per unit; the last fields where a metric has them."""

    variant: str
    units: int
    units_immature: int
    value: Number
    variance: Number
    numerator: Number
    denominator: Number
    response_rate: Number = None
    final_beat_share: Number = None
    value_ci: Range = None
    steps: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class MethodAnswer:
    p: Number
    ci: Range
    difference_ci: Range


@dataclass(frozen=True, slots=True)
class FixedAnswer:
    p: Number
    ci: Range
    difference_ci: Range
    statistic: Number
    df: Number


@dataclass(frozen=True, slots=True)
class PooledAnswer:
    p: Number
    statistic: Number


@dataclass(frozen=True, slots=True)
class AnytimeAnswer:
    """`p_min` is the smallest p over the closed days; adjusted for the family, it decides."""

    p: Number
    p_min: Number
    ci: Range
    difference_ci: Range
    p_min_adjusted: Number = None


@dataclass(frozen=True, slots=True)
class PlannedReadout:
    look: int | None
    looks: int
    boundary: Number
    crossed: bool
    p: Number = None
    ci: Range = None


@dataclass(frozen=True, slots=True)
class BayesianReadout:
    chance_to_win: Number
    expected_loss: Number
    ci: Range
    peek_proof: bool = False


@dataclass(frozen=True, slots=True)
class UnadjustedReadout:
    """Without CUPED."""

    p: Number
    ci: Range


@dataclass(frozen=True, slots=True)
class Methods:
    """Every method side by side; only the plan's decides."""

    fixed: FixedAnswer
    z_pooled: PooledAnswer | None
    anytime: AnytimeAnswer
    planned: PlannedReadout | None
    bayesian: BayesianReadout | None
    unadjusted: UnadjustedReadout | None


@dataclass(frozen=True, slots=True)
class ComparisonReadout:
    variant: str
    against: str
    lift: Number
    ci: Range
    difference: Number
    difference_ci: Range
    p: Number
    p_adjusted: Number
    ci_simultaneous: Range
    method: str
    cuped: bool
    verdict: Verdict
    reasons: tuple[str, ...]
    methods: Methods


@dataclass(frozen=True, slots=True)
class LevelReadout:
    """One level of a dimension; exploratory, outside the family of tests."""

    dimension: str
    level: str
    exploratory: bool
    arms: tuple[ArmReadout, ...]
    comparisons: tuple[ComparisonReadout, ...]


@dataclass(frozen=True, slots=True)
class LookReadout:
    """One variant on one shop day: everything so far (`kind` cumulative) or that day alone (`daily`)."""

    day: date
    kind: Literal["cumulative", "daily"]
    variant: str
    units: int
    value: Number = None
    control_value: Number = None
    lift: Number = None
    ci: Range = None
    difference: Number = None
    difference_ci: Range = None
    p: Number = None
    p_min: Number = None
    closed: bool = False


@dataclass(frozen=True, slots=True)
class MetricReadout:
    metric: str
    role: Role
    type: str
    unit: str
    want: str
    window_seconds: int
    post_hoc: bool
    arms: tuple[ArmReadout, ...]
    comparisons: tuple[ComparisonReadout, ...]
    cap: Number = None
    estimated: str | None = None  # what the values are estimated from, where they are
    dimensions: tuple[LevelReadout, ...] = ()
    sql: str | None = None
    series: tuple[LookReadout, ...] = field(default=(), metadata={"served": False})


@dataclass(frozen=True, slots=True)
class Readout:
    """What came of an experiment's phase, as of a moment. `watermark` is how far the log was written."""

    experiment: str
    phase: int
    fingerprint: str
    as_of: datetime
    watermark: datetime | None
    pending: int | None
    closed: bool
    health: Health
    decision: Decision
    metrics: tuple[MetricReadout, ...]
    etag: str = field(default="", metadata={"served": False})

    def metric(self, name: str) -> MetricReadout:
        """The readout of one metric."""
        return next(metric for metric in self.metrics if metric.metric == name)


def readout_json(readout: Readout) -> dict[str, Any]:
    """The results object: no NaN, no infinity, times in UTC as ISO 8601 with Z."""
    return plain(readout)
