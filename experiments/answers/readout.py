"""A readout as an answer: the decision, and per metric its variants, comparisons, days and levels of dimensions."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Literal

from experiments.answers.comparison import ComparisonReadout
from experiments.answers.health import Health
from experiments.catalog.calendar import State
from experiments.definitions.model import EffectScale, Guardrail, Plan, Quantity
from experiments.statistics.comparison import Method
from experiments.statistics.estimate import Interval, NoEstimate
from experiments.statistics.multiplicity import Correction

Number = float | NoEstimate | None
Role = Literal["goal", "secondary", "guardrail"]
Action = Literal["unhealthy", "roll_back", "ship", "keep_running", "inconclusive", "not_started"]


class Ground(StrEnum):
    """Why a decision is as it is; the codes of checks and of reasons stand beside these in `codes`."""

    SAMPLE_RATIO_MISMATCH = "sample_ratio_mismatch"  # the variants did not fill as their weights say
    NOT_BEGUN = "not_begun"  # a draft, or before its start
    NOBODY_EXPOSED = "nobody_exposed"  # nobody has been exposed yet
    ENDED_BEFORE_EXPOSURE = "ended_before_exposure"  # it ended before anybody was exposed
    GUARDRAIL_VIOLATED = "guardrail_violated"  # a variant harms a guardrail
    GUARDRAIL_OPEN = "guardrail_open"  # a strict guardrail is not known to be safe
    GOAL_WINS = "goal_wins"  # the primary goal wins
    GOAL_LOSES = "goal_loses"  # a goal loses
    LOWEST_LOSS = "lowest_expected_loss"  # of several winners the one of the lowest expected loss
    TOO_FEW_DAYS = "too_few_days"  # it wins before the days that the plan asks for have closed
    PLAN_OVER = "plan_over"  # the plan is over and no goal won or lost
    ENROLS_NO_MORE = "enrols_no_more"  # nobody is enrolled any more and no goal won or lost
    WINDOWS_OPEN = "windows_open"  # windows are still open
    WIDER_THAN_TARGET = "wider_than_target"  # an interval is wider than the effect that the plan wants to see
    DAYS_LEFT = "days_left"  # days of the plan are left


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now. `because` says why in sentences, `codes` names the same, each once, in their order."""

    action: Action
    variant: str | None
    days_left: int
    because: tuple[str, ...]
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Worth:
    """What a decision is worth a month: the difference of the first metric of money in the shop's `currency`, else of
    the primary goal in its `unit`, times the units of a month; `ci` holds it as surely as the decision's interval."""

    per_month: float
    ci: Interval
    metric: str
    variant: str
    assumption: str
    currency: str | None = None
    unit: str | None = None


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
    """One metric of the experiment; `guardrail` is its limit where it is one. `title` is how people call it, `quantity`
    what its values are, `currency` that of its money, `noun` what is counted of it."""

    metric: str
    title: str
    quantity: Quantity
    noun: str
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
    currency: str | None = None


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
    """What came of an experiment's phase, as of a moment. `watermark` is how far the log was written, never past it.

    `sentence` says it to people. `units_a_day` are those who were enrolled on each of the newest closed days, 28 at
    most. Where nothing is said of the worth, `worth_reason` says why.
    """

    experiment: str
    phase: int
    fingerprint: str
    as_of: datetime
    watermark: datetime | None
    pending: int | None
    name: str = field(default="", kw_only=True)
    sentence: str = field(default="", kw_only=True)
    state: State
    closed: bool
    plan: PlanReadout
    health: Health
    decision: Decision
    worth: Worth | None = field(default=None, kw_only=True)
    worth_reason: str | None = field(default=None, kw_only=True)
    units_a_day: float | None = field(default=None, kw_only=True)
    metrics: tuple[MetricReadout, ...]
    etag: str = field(default="", metadata={"served": False})

    def metric(self, name: str) -> MetricReadout:
        """The readout of one metric."""
        return next(metric for metric in self.metrics if metric.metric == name)
