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
    Outcome,
    Status,
    UnitKind,
)
from experiments.definitions.shop import Metric

NoDays = Literal["quantiles_have_no_days", "not_enough_units"]
"""Why a metric has no days.
`quantiles_have_no_days`: The quantile of all is not made of the quantiles of days, so that it has no days.
`not_enough_units`: Here: Too few units for a row of any day.
"""


class MetricSeries(TypedDict):
    """One metric day by day.

    As everywhere: `metric`, `role`, `type`.
    """

    metric: str
    role: Role
    type: str
    days: tuple[LookReadout, ...]
    """Here: A row for each day and variant."""
    reasons: Sequence[NoDays]
    """Here: Why the metric has no days, as codes."""


class Timeseries(TypedDict):
    """The metrics of an experiment day by day.

    As everywhere: `experiment`, `phase`, `fingerprint`, `as_of`, `watermark`, `pending`.
    """

    experiment: str
    phase: int
    fingerprint: str
    as_of: datetime
    watermark: datetime | None
    pending: int | None
    metrics: tuple[MetricSeries, ...]
    """Here: The metrics, each day by day."""


class VariantShare(TypedDict):
    """A variant and its share."""

    key: str
    """The name of an experiment or a variant in its file, the same in every client."""
    weight: float
    """The share of units that a variant gets; all of an experiment add up to 1."""


class PauseSpan(TypedDict):
    """From when until when an experiment was paused."""

    since: datetime
    """From when on."""
    until: datetime | None
    """Until when, null while it goes on."""


class PhaseSummary(TypedDict):
    """A phase as it was frozen.

    As everywhere: `phase`, `fingerprint`, `planned_units`, `currency`.
    """

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
    """One experiment of the list.

    As everywhere: `key`, `name`, `sentence`, `as_of`, `action`, `variant`, `alarm`, `checks`, `days`, `units`,
    `units_a_day`, `state`, `end`, `phase`, `method`.
    """

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
    """Here: How many days of its plan have closed."""
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
    """What is counted as one: a visitor or a user."""
    variants: Sequence[VariantShare]
    """The variants with their shares, control first."""
    goals: tuple[str, ...]
    """The metrics that decide, the primary one first."""
    secondary: tuple[str, ...]
    """Here: The metrics that are watched and decide nothing."""
    guardrails: Sequence[str]
    """The metrics that must not be harmed."""
    method: Method
    decision: Annotated[dict[str, Any], DecisionNote]
    """Here: What people decided when it was stopped, as its file says."""
    phases: Sequence[PhaseSummary]
    """Every phase that was frozen, with its design."""


class ExperimentList(TypedDict):
    """All experiments."""

    version: str
    """The version of the definitions: a digest of their files."""
    errors: Sequence[str]
    """What is wrong with definition files that are therefore not served, with file and line."""
    experiments: Sequence[ExperimentSummary]
    """The experiments, in order of their keys."""


class ExperimentAnswer(ExperimentSummary):
    """One experiment with its whole definition."""

    definition: Annotated[dict[str, Any], Experiment]
    """The whole file, with defaults filled in."""


class MetricUse(Definition):
    """What uses a metric."""

    kind: Literal["experiment", "holdout"]
    """Here: What uses it: an experiment or a holdout."""
    key: str
    """Here: The name of the experiment or holdout."""
    used_as: Literal["goal", "secondary", "guardrail", "metric"]
    """As what a metric is used."""


class MetricTold(Metric):
    """A metric as people are told of it, with its definition."""

    described: str
    """What a metric is, in one sentence."""
    events: tuple[str, ...]
    """Here: The names of all events that it reads."""
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
    """Here: The metrics that are defined, each with its definition."""


class UnitRows(TypedDict):
    """One row per unit: who, which variant, since when, the dimensions, and each metric's value (and denominator, and
    the same from before the exposure)."""

    rows: Sequence[Mapping[str, str | float | bool | None]]
    """One row for each unit."""


class ComparisonRow(TypedDict):
    """One comparison, by the deciding method: a row of the list over all experiments.

    As everywhere: `experiment`, `name`, `owner`, `phase`, `start`, `end`, `as_of`, `as_of_day`, `state`, `action`,
    `metric`, `role`, `type`, `effect_scale`, `variant`, `against`, `units`, `value`, `control_value`, `lift`,
    `difference`, `p`, `p_adjusted`, `method`, `cuped`, `verdict`, `decided_on`, `pending`, `sentence`.
    """

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
    """Here: One row for each comparison."""


class Shipped(TypedDict):
    """A change that was shipped while a holdout was measured, with its own closed lift of the first metric.

    As everywhere: `experiment`, `phase`, `lift`, `ci`.
    """

    experiment: str
    phase: int
    variant: str
    """Here: The key of the variant that was given to everyone."""
    on: date
    """The shop day on which it was shipped."""
    lift: Number
    ci: tuple[float, float] | None


class DefinedHoldout(TypedDict):
    """A holdout with what its file leaves out.

    As everywhere: `unit`.
    """

    holdout: str
    """The name of the holdout in its file."""
    unit: UnitKind
    share: float
    """Here: The share of visitors that is held back, from 0 to 1."""
    start: datetime
    """Here: From when on visitors are held back."""
    end: datetime | None
    """Here: Until when visitors are held back, null where no end is planned."""
    metrics: tuple[str, ...]
    """Here: The names of the metrics that are measured."""
    experiments: tuple[str, ...]
    """Here: The keys of the experiments that name it."""


class HoldoutList(TypedDict):
    """The holdouts that are defined."""

    holdouts: Sequence[DefinedHoldout]
    """Holdouts: shares of visitors who see none of the experiments that name them."""


class HoldoutReport(TypedDict):
    """What everything that was shipped and all that runs did together, against those who saw none of it.

    As everywhere: `holdout`, `unit`, `as_of`, `watermark`, `pending`, `closed`, `plan`, `health`.
    """

    holdout: str
    unit: UnitKind
    share: float
    """Here: The share of visitors that is held back, from 0 to 1."""
    start: datetime
    """Here: From when on visitors are held back."""
    end: datetime | None
    """Here: Until when visitors are held back, null where no end is planned."""
    as_of: datetime
    watermark: datetime | None
    pending: int | None
    state: State
    """Here: What the holdout is doing at that moment."""
    closed: bool
    plan: PlanReadout
    health: Health
    metrics: tuple[MetricReadout, ...]
    """Here: The metrics that are measured, the first one first."""
    shipped: tuple[Shipped, ...]
    """Here: The changes that were shipped while it was measured."""
    sum_of_lifts: float
    """The lifts of the changes that were shipped, added up as they were measured: too large, because what was shipped
    was chosen for being large."""
    shrunk_sum: float | None
    """The lifts added up after shrinking each towards what tests usually give: what is likely left of them."""
