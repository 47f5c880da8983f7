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
"""What a metric is to the experiment.
`goal`: A metric that decides; the first is the primary one.
`secondary`: A metric that is watched and explains; it decides nothing.
`guardrail`: A metric that must not be harmed; here with its limit.
"""
DayKind = Literal["cumulative", "daily", "cohort"]
"""Which units a row of a day holds.
`cumulative`: Everything so far.
`daily`: What that day brought, divided by everybody enrolled until then.
`cohort`: The units exposed on that day, with their whole windows.
"""
Action = Literal["unhealthy", "roll_back", "ship", "keep_running", "inconclusive", "not_started"]
"""What to do now.
`unhealthy`: Do not use these numbers: the variants did not fill as their weights say.
`roll_back`: Take the variant back: it harms a goal or a guardrail.
`ship`: Give the variant to everyone: it wins, and harms nothing that is watched.
`keep_running`: Wait: what is to come may still decide it.
`inconclusive`: It is over, and nothing won or lost.
`not_started`: Nobody is assigned yet.
"""


class Ground(StrEnum):
    """Why a decision is as it is; the codes of checks and of reasons stand beside these in `codes`."""

    SAMPLE_RATIO_MISMATCH = "sample_ratio_mismatch"
    """The variants did not fill as their weights say, so that no number can be trusted."""
    NOT_BEGUN = "not_begun"
    """It is a draft, or its start lies ahead."""
    NOBODY_EXPOSED = "nobody_exposed"
    """Nobody has been exposed yet."""
    ENDED_BEFORE_EXPOSURE = "ended_before_exposure"
    """It ended before anybody was exposed."""
    GUARDRAIL_VIOLATED = "guardrail_violated"
    """A variant harms a guardrail."""
    GUARDRAIL_OPEN = "guardrail_open"
    """A guardrail that must be safe before anything is shipped is not known to be."""
    GOAL_WINS = "goal_wins"
    """The primary goal wins, no other goal loses, no guardrail is violated."""
    GOAL_LOSES = "goal_loses"
    """A goal loses."""
    LOWEST_LOSS = "lowest_expected_loss"
    """Of several winners it is the one of the lowest expected loss."""
    TOO_FEW_DAYS = "too_few_days"
    """It wins before the days that the plan asks for have closed."""
    PLAN_OVER = "plan_over"
    """The plan is over, and no goal won or lost."""
    ENROLS_NO_MORE = "enrols_no_more"
    """Nobody is enrolled any more, and no goal won or lost."""
    WINDOWS_OPEN = "windows_open"
    """Windows of visitors are still open: what they buy until then counts."""
    WIDER_THAN_TARGET = "wider_than_target"
    """An interval is still wider than the effect that the plan wants to see."""
    DAYS_LEFT = "days_left"
    """Days of the plan are left."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now. `because` says why in sentences, `codes` names the same, each once, in their order."""

    action: Action
    """What to do now."""
    variant: str | None
    """The key of a variant; in a decision the one to ship or to take back, null where it is about all or none."""
    days_left: int
    """How many more whole days the plan has at most."""
    because: tuple[str, ...]
    """Why, in sentences."""
    codes: tuple[str, ...]
    """The reasons of the decision by their codes, each once, for programs."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What a decision is worth a month: the difference of the first metric of money in the shop's `currency`, else of
    the primary goal in its `unit`, times the units of a month; `ci` holds it as surely as the decision's interval.

    As everywhere: `metric`, `variant`.
    """

    per_month: float
    """What the decision is worth a month, in the currency or the unit beside it."""
    ci: Interval
    """Here: The interval of the worth, as a pair in the currency or unit beside it."""
    metric: str
    variant: str
    assumption: str
    """What the worth assumes: traffic, days, and that the effect stays."""
    currency: str | None = None
    """The currency of the money, as in `EUR`."""
    unit: str | None = None
    """Here: What is counted, such as orders, where it is no money."""


@dataclass(frozen=True, slots=True)
class ArmReadout:
    """One variant. `value` is numerator / denominator, `variance` per unit; the last fields where a metric has them.

    As everywhere: `variant`.
    """

    variant: str
    units: int
    """Visitors (or users) who were exposed and are counted."""
    units_immature: int
    """Visitors whose window is still open: their purchases so far count, and more may come."""
    value: Number
    """The metric's value, in its unit; a rate is a share (0.089 is 8.9 %), null where there is none."""
    variance: Number
    """How much units differ: the variance of a unit's value, in the metric's unit squared."""
    numerator: float | None
    """What is added up: converted units, orders or money."""
    denominator: float | None
    """What it is divided by: units, or what a ratio counts."""
    response_rate: float | None = None
    """Of a survey: the share of units that answered."""
    final_beat_share: float | None = None
    """Of engaged time: the share of page views whose last message arrived; the rest may be a little short."""
    value_ci: Interval | NoEstimate | None = None
    """The interval of the value, as a pair in the metric's unit."""
    steps: tuple[int, ...] | None = None
    """Of a funnel: the units that reached each step, in order."""


@dataclass(frozen=True, slots=True)
class LevelReadout:
    """One level of a dimension; exploratory, outside the family of tests. `fdr` is the rate behind what is flagged."""

    dimension: str
    """What visitors are split by, such as `device`."""
    level: str
    """One value of the dimension, such as `mobile`."""
    exploratory: bool
    """That this is a look around and no test: what stands out here deserves a test of its own."""
    arms: tuple[ArmReadout, ...]
    """The variants, control first."""
    comparisons: tuple[ComparisonReadout, ...]
    """Every other variant against control."""
    fdr: float = 0.05
    """The share of false alarms among what is flagged that is accepted."""


@dataclass(frozen=True, slots=True)
class LookReadout:
    """One variant on one shop day: everything so far (`kind` cumulative), what that day brought divided by everybody
    enrolled until then (`daily`), or the units exposed on that day with their whole windows (`cohort`, `closed` once
    the windows have).

    As everywhere: `variant`, `units`, `value`, `lift`, `ci`, `difference`, `difference_ci`, `p`, `p_min`, `closed`.
    """

    day: date
    """The shop day."""
    kind: DayKind
    """Which units the row holds."""
    variant: str
    units: int
    value: Number = None
    control_value: Number = None
    """Control's value, in the metric's unit."""
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
    what its values are, `currency` that of its money, `noun` what is counted of it.

    As everywhere: `unit`, `arms`, `comparisons`, `guardrail`, `currency`.
    """

    metric: str
    """The name of a metric."""
    title: str
    """How people call the metric."""
    quantity: Quantity
    """What the metric's values are, which says how they are read."""
    noun: str
    """What is counted of the metric, such as orders."""
    role: Role
    """What the metric is to the experiment: goal, secondary or guardrail."""
    type: str
    """How the metric is computed, such as `proportion` or `mean`."""
    unit: str
    effect_scale: EffectScale
    """Whether effects are shares of control, or points in the metric's own unit (then lift and its interval are
    null)."""
    want: str
    """Which direction is good for the shop."""
    window_seconds: int
    """How long after the first exposure a unit's values count, in seconds."""
    post_hoc: bool
    """Whether the metric was chosen after the start: then it is a look back and no test."""
    arms: tuple[ArmReadout, ...]
    comparisons: tuple[ComparisonReadout, ...]
    cap: float | None = None
    """Above this a unit's value was cut, in the metric's unit (of a ratio: its numerator)."""
    cap_low: float | None = None
    """Below this a unit's value was raised, in the metric's unit."""
    denominator_cap: float | None = None
    """Above this a unit's denominator was cut."""
    denominator_cap_low: float | None = None
    """Below this a unit's denominator was raised."""
    estimated: str | None = None
    """What the values are estimated from, where they are no measurements."""
    dimensions: tuple[LevelReadout, ...] = ()
    """The same split by what visitors are, exploratory."""
    sql: str | None = None
    """The SQL that was run."""
    series: tuple[LookReadout, ...] = field(default=(), metadata={"served": False})
    guardrail: Guardrail | None = None
    margin: float | None = None
    """By how much a goal may be worse at most, where it only has to be no worse; on its effect scale."""
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class PlanReadout:
    """What the verdicts and the decision follow: `closed_days` have closed since the first exposure.

    As everywhere: `method`.
    """

    method: Method
    alpha: float
    """The share of tests without any effect in which a false winner or loser is accepted (0.05 is 5 %)."""
    correction: Correction
    """How p is corrected for several goals and variants."""
    days: int
    """Whole shop days of enrolment that are planned."""
    min_days: int
    """Whole days that must have closed before anything is shipped."""
    looks: int
    """At how many looks a planned test is read."""
    planned_units: int
    """Units that are expected by the end, all variants together; frozen with the phase."""
    closed_days: int
    """Shop days that have closed since the first exposure."""

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
    """The key of an experiment."""
    phase: int
    """Which run of the experiment it is: every change of its design begins a new one, the first is 0."""
    fingerprint: str
    """The name of the frozen design: equal fingerprints, equal design."""
    as_of: datetime
    """The moment that the answer speaks of, in UTC."""
    watermark: datetime | None
    """How far the log was written: what arrived later is not in these numbers; in UTC."""
    pending: int | None
    """Acknowledged events that are not in the log yet, null where nobody can say."""
    name: str = field(default="", kw_only=True)
    """How people call the experiment."""
    sentence: str = field(default="", kw_only=True)
    """The result in one sentence, the same in every page, report and table."""
    state: State
    """What the experiment is doing at that moment."""
    closed: bool
    """Whether it is over: no more can come."""
    plan: PlanReadout
    """What verdicts and decision follow."""
    health: Health
    """Whether the numbers can be trusted."""
    decision: Decision
    """What to do, and why."""
    worth: Worth | None = field(default=None, kw_only=True)
    """What the decision is worth, null where nothing is said of it."""
    worth_reason: str | None = field(default=None, kw_only=True)
    """Why nothing is said of the worth."""
    units_a_day: float | None = field(default=None, kw_only=True)
    """Units that are enrolled on a day: the mean of the newest closed days, 28 at most."""
    metrics: tuple[MetricReadout, ...]
    """The metrics of the experiment: goals first, then secondary ones, then guardrails."""
    etag: str = field(default="", metadata={"served": False})

    def metric(self, name: str) -> MetricReadout:
        """The readout of one metric."""
        return next(metric for metric in self.metrics if metric.metric == name)
