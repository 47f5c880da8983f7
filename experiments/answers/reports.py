"""What is answered of experiments besides a readout: lists, days, plans' tables, customers, holdouts, the log."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal, TypedDict

from experiments.answers.comparison import Verdict
from experiments.answers.health import Check, Health
from experiments.answers.readout import Action, LookReadout, MetricReadout, Number, PlanReadout, Role
from experiments.catalog.calendar import State
from experiments.definitions.model import (
    DecisionNote,
    Definition,
    EffectScale,
    Experiment,
    Method,
    Metric,
    Outcome,
    Status,
    UnitKind,
)

NoDays = Literal["quantiles_have_no_days", "not_enough_units"]
"""Why a metric has no days.
`quantiles_have_no_days`: The quantile of all is not made of the quantiles of days, so that it has no days.
"""


class MetricSeries(TypedDict):
    """One metric day by day."""

    metric: str
    role: Role
    type: str
    days: tuple[LookReadout, ...]
    reasons: Sequence[NoDays]


class Timeseries(TypedDict):
    """The metrics of an experiment day by day."""

    experiment: str
    phase: int
    fingerprint: str
    as_of: datetime
    watermark: datetime | None
    pending: int | None
    metrics: tuple[MetricSeries, ...]


class VariantShare(TypedDict):
    """A variant and its share."""

    key: str
    weight: float
    """The share of units that a variant gets; all of an experiment add up to 1."""


class PauseSpan(TypedDict):
    """From when until when an experiment was paused."""

    since: datetime
    """From when on; of counts, since when they are counted."""
    until: datetime | None
    """Until when, null while it goes on."""


class PhaseSummary(TypedDict):
    """A phase as it was frozen."""

    phase: int
    fingerprint: str
    frozen_at: datetime
    """When the design was frozen: with the first visitor who could be assigned."""
    planned_units: int
    currency: str | None
    rates: Mapping[str, float]
    """How much of the shop's currency one unit of each other currency is worth; frozen with the phase."""
    end: datetime | None
    """When enrolment ends, null where no end is planned."""
    stopped_at: datetime | None
    """When it was stopped, null while it was not."""
    pauses: Sequence[PauseSpan]
    """The stretches for which it was paused."""


class ExperimentSummary(TypedDict):
    """One experiment of the list."""

    key: str
    name: str
    owner: str | None
    """Who answers for the experiment, as its file says."""
    sentence: str
    as_of: datetime | None
    action: Action | None
    variant: str | None
    alarm: bool | None
    checks: Sequence[Check]
    day: int | None
    days: int
    units: int | None
    units_a_day: float | None
    status: Status
    """What the experiment's file, or an order that outranks it, wants of it."""
    status_in_file: Status
    """What the file alone says, where an order outranks it."""
    ordered: bool
    """Whether an order outranks the file: a start, a pause, a stop or a ship that the file does not say yet."""
    units_by_day: Sequence[int]
    """Units that were exposed on each shop day, 28 at most, the newest last."""
    state: State
    start: datetime | None
    """When enrolment begins, or began."""
    end: datetime | None
    phase: int
    unit: UnitKind
    variants: Sequence[VariantShare]
    """The variants with their shares, control first."""
    goals: tuple[str, ...]
    """The metrics that decide, the primary one first."""
    secondary: tuple[str, ...]
    guardrails: Sequence[str]
    """The metrics that must not be harmed."""
    method: Method
    decision: Annotated[dict[str, Any], DecisionNote]
    phases: Sequence[PhaseSummary]
    """Every phase that was frozen, with its design."""


class ExperimentList(TypedDict):
    """All experiments."""

    version: str
    """The version of what is answered: of definitions a digest of the files, else a release."""
    errors: Sequence[str]
    """What is wrong with files that are therefore not served, with file and line."""
    experiments: Sequence[ExperimentSummary]
    """Experiments, in order of their keys; of a sum, how many."""


class ExperimentAnswer(ExperimentSummary):
    """One experiment with its whole definition."""

    definition: Annotated[dict[str, Any], Experiment]
    """The whole file, with defaults filled in."""


class MetricUse(Definition):
    """What uses a metric."""

    kind: Literal["experiment", "holdout"]
    key: str
    used_as: Literal["goal", "secondary", "guardrail", "metric"]
    """As what a metric is used."""


class MetricTold(Metric):
    """A metric as people are told of it, with its definition."""

    described: str
    """What a metric is, in one sentence."""
    events: tuple[str, ...]
    built_in: bool
    """Whether every shop has it without a file."""
    defined_in: str | None
    """The file that defines it; one that is built in has none."""
    defined_on_line: int | None
    """The line of the file where it begins; what is built in has none."""
    used_by: tuple[MetricUse, ...]
    """The experiments and holdouts that use it."""


class MetricList(TypedDict):
    """The metrics that are defined."""

    metrics: Sequence[Annotated[dict[str, Any], MetricTold]]


class UnitRows(TypedDict):
    """One row per unit: who, which variant, since when, the dimensions, and each metric's value (and denominator, and
    the same from before the exposure)."""

    rows: Sequence[Mapping[str, str | float | bool | None]]
    """One row each."""


class ComparisonRow(TypedDict):
    """One comparison, by the deciding method: a row of the list over all experiments."""

    experiment: str
    name: str
    owner: str | None
    phase: int
    start: datetime | None
    end: datetime | None
    as_of: datetime
    as_of_day: date | None
    state: State
    action: Action
    outcome: Outcome | None
    """What came of it, as the file says once it was decided."""
    metric: str
    role: Role
    type: str
    effect_scale: EffectScale
    variant: str
    against: str
    units: int
    value: Number
    control_value: Number
    lift: Number
    ci_low: Number
    """The lower end of the interval of the lift."""
    ci_high: Number
    """The upper end of the interval of the lift."""
    difference: Number
    difference_ci_low: Number
    """The lower end of the interval of the difference."""
    difference_ci_high: Number
    """The upper end of the interval of the difference."""
    p: Number
    p_adjusted: Number
    method: Method
    cuped: bool
    gate_open: bool
    """Whether enough has happened for the comparison to be judged."""
    verdict: Verdict
    decided_on: date | None
    srm_alarm: bool
    """Whether the variants filled so unlike their weights that no number can be trusted."""
    pending: int | None
    sentence: str


class ComparisonRows(TypedDict):
    """One row per comparison of all experiments."""

    rows: Sequence[ComparisonRow]


class CustomerDay(TypedDict):
    """One shop day of the whole site."""

    date: date
    """The shop day."""
    csat: float | None
    """Satisfaction: the share of answers of 4 and 5 among 1 to 5."""
    nps: float | None
    """Net promoter score, in points: the share of 9 and 10 less that of 0 to 6, times 100."""
    ces: float | None
    """Customer effort: the mean answer."""
    retention_d7: float | None
    """The share of the day's new visitors who came back between the 7th and the 14th day; null while two weeks have not
    passed."""
    csat_answers: int
    """Answers that the satisfaction rests on."""
    nps_answers: int
    """Answers that the net promoter score rests on."""
    ces_answers: int
    """Answers that the customer effort rests on."""
    new_visitors: int
    """Visitors who were seen for the first time."""


class CustomerExperience(TypedDict):
    """Customers' experience of the whole site, per day."""

    as_of: datetime
    watermark: datetime | None
    pending: int | None
    days: Sequence[CustomerDay]


class Shipped(TypedDict):
    """A change that was shipped while a holdout was measured, with its own closed lift of the first metric."""

    experiment: str
    phase: int
    variant: str
    on: date
    """The shop day on which it was shipped."""
    lift: Number
    ci: tuple[float, float] | None


class DefinedHoldout(TypedDict):
    """A holdout with what its file leaves out."""

    holdout: str
    unit: UnitKind
    share: float
    start: datetime
    end: datetime | None
    metrics: tuple[str, ...]
    experiments: tuple[str, ...]


class HoldoutList(TypedDict):
    """The holdouts that are defined."""

    holdouts: Sequence[DefinedHoldout]
    """Holdouts: shares of visitors who see none of the experiments that name them."""


class HoldoutReport(TypedDict):
    """What everything that was shipped and all that runs did together, against those who saw none of it."""

    holdout: str
    unit: UnitKind
    share: float
    start: datetime
    end: datetime | None
    as_of: datetime
    watermark: datetime | None
    pending: int | None
    state: State
    closed: bool
    plan: PlanReadout
    health: Health
    metrics: tuple[MetricReadout, ...]
    shipped: tuple[Shipped, ...]
    sum_of_lifts: float
    """The lifts of the changes that were shipped, added up as they were measured: too large, because what was shipped
    was chosen for being large."""
    shrunk_sum: float | None
    """The same added up after shrinking each towards what tests usually give: what is likely left of it."""
