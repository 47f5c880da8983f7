"""A readout as frozen answers, and what is served of them: JSON without NaN, in which what cannot be said is null."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from functools import cache
from typing import Any, Final, Literal

from experiments.catalog.calendar import State
from experiments.definitions.model import EffectScale, Guardrail, Plan
from experiments.readout.inference import ComparisonReadout, Methods
from experiments.statistics.comparison import Method
from experiments.statistics.estimate import Interval, NoEstimate
from experiments.statistics.multiplicity import Correction
from experiments.statistics.sample_ratio import Balance
from kit.time import iso

Number = float | NoEstimate | None
Role = Literal["goal", "secondary", "guardrail"]
Action = Literal["unhealthy", "roll_back", "ship", "keep_running", "inconclusive", "not_started"]

HEAD: Final = ("experiment", "phase", "fingerprint", "as_of", "watermark", "pending")
"""Members that stand before all others in what is served of a readout, in order."""
OPTIONAL: Final = frozenset(
    {
        "response_rate", "final_beat_share", "value_ci", "steps", "sql", "dimensions", "estimated", "next_look",
        "worst_case", "p_bh", "flagged", "guardrail", "margin", "cap", "cap_low", "denominator_cap",
        "denominator_cap_low", "both_groups", "duplicates", "missing", "authority", "identity",
        "hashed_elsewhere",
    }
)  # fmt: skip
"""Members that stand in the JSON only where a metric, or an imported table, has them."""
METHODS: Final[Mapping[str, tuple[str, ...]]] = {
    "fixed": ("p", "ci", "difference_ci", "statistic", "df"),
    "z_pooled": ("p", "statistic"),
    "delta": ("p", "ci"),
    "anytime": ("p", "p_min", "ci", "difference_ci"),
    "planned": ("look", "looks", "boundary", "crossed", "p", "ci"),
    "bayesian": ("chance_to_win", "expected_loss", "expected_loss_control", "ci", "peek_proof"),
    "unadjusted": ("p", "ci"),
}
"""What is served of each method's answer, in order."""
_OWN_NAMES: Final = {"df": "degrees_of_freedom"}


def readout_json(readout: "Readout") -> dict[str, Any]:
    """The results object: no NaN, no infinity, times in UTC as ISO 8601 with Z."""
    return plain(readout)


def timeseries_json(readout: "Readout") -> dict[str, Any]:
    """The series of a readout as served, one list of days per metric; `reasons` say why there is none."""
    metrics: list[dict[str, Any]] = []
    for metric in readout.metrics:
        lacking = "quantiles_have_no_days" if metric.type == "quantile" else "not_enough_units"
        named = {"metric": metric.metric, "role": metric.role, "type": metric.type}
        metrics.append({**named, "days": plain(metric.series), "reasons": [] if metric.series else [lacking]})
    return {**{name: plain(getattr(readout, name)) for name in HEAD}, "metrics": metrics}


def plain(value: Any) -> Any:
    """Dataclasses as JSON objects; what cannot be said is null."""
    match value:
        case Enum():
            return value.value
        case float():
            return float(value) if math.isfinite(value) else None
        case datetime():
            return iso(value)
        case date():
            return value.isoformat()
        case tuple() | list():
            return [plain(item) for item in value]
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case _:
            return _object(value) if is_dataclass(value) or isinstance(value, Guardrail) else value


def _object(value: Any) -> Any:
    match value:
        case NoEstimate():
            return None
        case Interval():
            return [plain(value.low), plain(value.high)]
        case Guardrail():
            return value.model_dump()
        case Methods():
            return {method: _said(getattr(value, method), names) for method, names in METHODS.items()}
        case _:
            served = {name: plain(getattr(value, name)) for name in _served(type(value))}
            return {name: item for name, item in served.items() if name not in OPTIONAL or item not in (None, [])}


@cache
def _served(kind: Any) -> tuple[str, ...]:
    return tuple(item.name for item in fields(kind) if item.metadata.get("served", True))


def _said(answer: object, names: Sequence[str]) -> dict[str, Any] | None:
    if answer is None or isinstance(answer, NoEstimate):
        return None
    return {name: plain(getattr(answer, _OWN_NAMES.get(name, name))) for name in names}


@dataclass(frozen=True, slots=True)
class MultiExposure:
    rate: float
    rule: str = "first_exposure"


@dataclass(frozen=True, slots=True)
class Excluded:
    """What was left out; `currency` by metric: events whose money cannot be said in the shop's currency.

    `contested`: orders that several pages claim, `powerless_refunds`: those of whoever is believed less than the order.
    The last three are of an imported table: units in several groups or rows, rows that lack cells.
    """

    bots: int = 0
    forged: int = 0
    forced: int = 0
    currency: Mapping[str, int] = field(default_factory=dict[str, int])
    quarantined: int = 0
    contested: int = 0
    powerless_refunds: int = 0
    both_groups: int | None = None
    duplicates: int | None = None
    missing: int | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Something that a reader must know before trusting the numbers: of one metric, of one variant where it says so.

    While it stands and `withholds_ship`, that variant (every one, if none is named) is not shipped.
    """

    code: str
    detail: str
    metric: str | None = None
    variant: str | None = None
    withholds_ship: bool = False


@dataclass(frozen=True, slots=True)
class VariantTrust:
    """Who told of a variant's conversions, of the first goal: how many by `backend`, `proven` and `page`, and from how
    many `networks` the pages did, those of each shop day counted anew; the share of its visitors whose ids were issued
    here."""

    conversions: Mapping[str, int]
    networks: int = 0
    units_issued: float | None = None


@dataclass(frozen=True, slots=True)
class Trust:
    by_variant: Mapping[str, VariantTrust]


@dataclass(frozen=True, slots=True)
class Identities:
    """`second_users`: visitors whom pages call by a further user, which is followed by nothing."""

    second_users: int


@dataclass(frozen=True, slots=True)
class Consents:
    """Units by variant and by the mode of consent under which they are stored. `none`: answers to those who refuse, of
    whom it is known neither who they are nor what they saw."""

    none: int
    by_variant: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Health:
    srm: Balance
    multi_exposure: MultiExposure
    excluded: Excluded
    checks: tuple[Check, ...] = ()
    authority: Trust | None = None
    identity: Identities | None = None
    consent: Consents | None = None
    hashed_elsewhere: int | None = None  # exposures that another id drew; None without any


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
