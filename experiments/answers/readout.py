"""A readout as an answer: the decision, and per metric its variants, comparisons, days and levels of dimensions."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from experiments.answers.comparison import ComparisonReadout
from experiments.answers.health import Health
from experiments.catalog.calendar import State
from experiments.definitions.model import EffectScale, Guardrail, Plan
from experiments.statistics.comparison import Method
from experiments.statistics.estimate import Interval, NoEstimate
from experiments.statistics.multiplicity import Correction

Number = float | NoEstimate | None
Role = Literal["goal", "secondary", "guardrail"]
Action = Literal["unhealthy", "roll_back", "ship", "keep_running", "inconclusive", "not_started"]


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
    numerator: float | None
    denominator: float | None
    response_rate: float | None = None
    final_beat_share: float | None = None
    value_ci: Interval | NoEstimate | None = None
    steps: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class LevelReadout:
    """One level of a dimension; exploratory, outside the family of tests. `fdr` is the rate behind what is flagged."""

    dimension: str
    level: str
    exploratory: bool
    arms: tuple[ArmReadout, ...]
    comparisons: tuple[ComparisonReadout, ...]
    fdr: float = 0.05


@dataclass(frozen=True, slots=True)
class LookReadout:
    """One variant on one shop day: everything so far (`kind` cumulative), what that day brought divided by everybody
    enrolled until then (`daily`), or the units exposed on that day with their whole windows (`cohort`, `closed` once
    the windows have)."""

    day: date
    kind: Literal["cumulative", "daily", "cohort"]
    variant: str
    units: int
    value: Number = None
    control_value: Number = None
    lift: Number = None
    ci: Interval | NoEstimate | None = None
    difference: Number = None
    difference_ci: Interval | NoEstimate | None = None
    p: Number = None
    p_min: Number = None
    closed: bool = False


@dataclass(frozen=True, slots=True)
class MetricReadout:
    """One metric of the experiment; `guardrail` is its limit where it is one."""

    metric: str
    role: Role
    type: str
    unit: str
    effect_scale: EffectScale  # in points lift and ci are null, and the difference says it
    want: str
    window_seconds: int
    post_hoc: bool
    arms: tuple[ArmReadout, ...]
    comparisons: tuple[ComparisonReadout, ...]
    cap: float | None = None  # above which a unit's value (of a ratio: its numerator) was cut, where there is a cap
    cap_low: float | None = None  # below which it was raised
    denominator_cap: float | None = None
    denominator_cap_low: float | None = None
    estimated: str | None = None  # what the values are estimated from, where they are
    dimensions: tuple[LevelReadout, ...] = ()
    sql: str | None = None
    series: tuple[LookReadout, ...] = field(default=(), metadata={"served": False})
    guardrail: Guardrail | None = None
    margin: float | None = None  # of a goal that must only be no worse than that, on its effect scale


@dataclass(frozen=True, slots=True)
class PlanReadout:
    """What the verdicts and the decision follow: `closed_days` have closed since the first exposure."""

    method: Method
    alpha: float
    correction: Correction
    days: int
    min_days: int
    looks: int
    planned_units: int
    closed_days: int

    @classmethod
    def of(cls, plan: Plan, planned_units: int, closed_days: int) -> "PlanReadout":
        """What of a plan stands in the answer."""
        return cls(
            method=plan.method,
            alpha=plan.alpha,
            correction=plan.correction,
            days=plan.days,
            min_days=plan.min_days,
            looks=plan.looks,
            planned_units=planned_units,
            closed_days=closed_days,
        )


@dataclass(frozen=True, slots=True)
class Readout:
    """What came of an experiment's phase, as of a moment. `watermark` is how far the log was written, never past it."""

    experiment: str
    phase: int
    fingerprint: str
    as_of: datetime
    watermark: datetime | None
    pending: int | None
    state: State
    closed: bool
    plan: PlanReadout
    health: Health
    decision: Decision
    metrics: tuple[MetricReadout, ...]
    etag: str = field(default="", metadata={"served": False})

    def metric(self, name: str) -> MetricReadout:
        """The readout of one metric."""
        return next(metric for metric in self.metrics if metric.metric == name)
