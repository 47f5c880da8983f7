"""What is asked of a table: its columns by role, the method, and what to do with gaps and with units that repeat."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict

from experiments.definitions.model import Correction
from kit.suggestions import did_you_mean

TableMetricType = Literal["proportion", "mean", "count", "ratio", "quantile"]
TableMethod = Literal["anytime", "fixed", "bayesian"]
DecimalSign = Literal[".", ","]
Missing = Literal["error", "drop", "0"]
Duplicates = Literal["error", "first", "last", "sum", "drop"]
MOST_FAULTS: Final = 10  # that are told; the rest is counted


class ImportFailed(ValueError):
    """The table, or what was asked of it, cannot be analysed: every fault in a sentence, with what would be right."""

    def __init__(self, faults: Sequence[str]) -> None:
        """Tell them a line each, at most ten, and count the rest."""
        self.faults = tuple(faults)
        more = len(self.faults) - MOST_FAULTS
        rest = [f"and {more} more fault{'s' if more > 1 else ''}"] if more > 0 else []
        super().__init__("\n".join([*self.faults[:MOST_FAULTS], *rest]))


class TableMetric(BaseModel):
    """One metric of a table: a column, or (ratio) two; covariates are the same, from before exposure.

    Of aggregated rows a proportion has two columns as well: conversions and visitors.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    type: TableMetricType
    column: str
    denominator: str | None = None
    covariate: str | None = None
    denominator_covariate: str | None = None
    q: float | None = None

    @property
    def columns(self) -> dict[str, str]:
        """The table's columns by role: y value, d denominator, x and e their covariates."""
        roles = {"y": self.column, "d": self.denominator, "x": self.covariate, "e": self.denominator_covariate}
        return {role: name for role, name in roles.items() if name is not None}


class ImportRequest(BaseModel):
    """One row per unit, per event of a unit (`events`), or per group of units (`counts`).

    Without `unit` each row is a unit. `planned_units` is n* of the anytime method, all variants together; None: as the
    table has. `decimal` None: the sign that the column's own numbers show.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    experiment: str
    variant: str
    metrics: tuple[TableMetric, ...]
    unit: str | None = None
    control: str | None = None
    weights: dict[str, float] = {}
    dimensions: tuple[str, ...] = ()
    method: TableMethod = "fixed"
    planned_units: int | None = None
    alpha: float = 0.05
    correction: Correction = "holm"
    decimal: DecimalSign | None = None
    missing: Missing = "error"
    duplicates: Duplicates = "error"
    events: bool = False
    counts: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is asked for, once."""
        ids = [name for name in (self.unit, self.variant) if name is not None]
        measured = [name for metric in self.metrics for name in metric.columns.values()]
        return tuple(dict.fromkeys([*ids, *measured, *self.dimensions]))


def import_request(  # noqa: PLR0913 - one for each option of the command
    *,
    experiment: str,
    variant: str,
    metrics: Sequence[str],
    unit: str | None = None,
    control: str | None = None,
    weights: str | None = None,
    covariates: Sequence[str] = (),
    dimensions: Sequence[str] = (),
    method: str = "fixed",
    planned_units: int | None = None,
    alpha: float = 0.05,
    correction: str = "holm",
    decimal: str | None = None,
    missing: str = "error",
    duplicates: str | None = None,
    events: bool = False,
    counts: bool = False,
) -> ImportRequest:
    """From the texts of the command line; raises `ImportFailed` with all that is wrong with them."""
    faults: list[str] = []
    if not metrics:
        faults.append("no metric is named; write --metric NAME=TYPE:COLUMN")
    for option, value, choices, why in (
        ("method", method, TableMethod, ": a table has no looks"),
        ("correction", correction, Correction, ""),
        ("decimal", decimal, DecimalSign, ""),
        ("missing", missing, Missing, ""),
        ("duplicates", duplicates, Duplicates, ""),
    ):
        if value is not None and value not in get_args(choices):
            faults.append(f"{option} {value!r} is not one of {' '.join(get_args(choices))}{why}")
    if planned_units is not None and planned_units < 1:
        faults.append(f"units {planned_units}: the planned number of units is at least 1")
    if not 0.0 < alpha < 1.0:
        faults.append(f"alpha {alpha:g}: it is a probability above 0 and below 1, for example 0.05")
    faults += _contradictions(unit, counts=counts, events=events, duplicates=duplicates, covariates=covariates)
    found = [_kept(faults, partial(parse_metric, text, counts=counts)) for text in metrics]
    parsed = [metric for metric in found if metric is not None]
    names = [metric.name for metric in parsed]
    twice = dict.fromkeys(name for name in names if names.count(name) > 1)
    faults += [f"metric {name} is named twice; every metric needs a name of its own" for name in twice]
    bases = list(dict.fromkeys(str(metric.denominator) for metric in parsed)) if counts else []
    if len(bases) > 1:
        faults.append(f"--counts: {' and '.join(bases)} cannot both count the units; divide every metric by one column")
    covered = _kept(faults, partial(_with_covariates, parsed, covariates)) or parsed
    shares = _kept(faults, partial(parse_weights, weights)) if weights else None
    if faults:
        raise ImportFailed(faults)
    given: dict[str, Any] = {
        "experiment": experiment, "unit": unit, "variant": variant, "metrics": covered, "control": control,
        "weights": shares or {}, "dimensions": tuple(dict.fromkeys(dimensions)), "method": method,
        "planned_units": planned_units, "alpha": alpha, "correction": correction, "decimal": decimal,
        "missing": missing, "duplicates": "sum" if events else duplicates or "error", "events": events,
        "counts": counts,
    }  # fmt: skip
    return ImportRequest.model_validate(given)


_Found = TypeVar("_Found")


def _kept(faults: list[str], parse: Callable[[], _Found]) -> _Found | None:
    """What was parsed; where it cannot be, None, and its faults join the others."""
    try:
        return parse()
    except ImportFailed as failed:
        faults += failed.faults
        return None


def _contradictions(
    unit: str | None, *, counts: bool, events: bool, duplicates: str | None, covariates: Sequence[str]
) -> Iterable[str]:
    """Options that cannot stand together."""
    if events and duplicates not in (None, "sum"):
        yield f"--events sums the rows of a unit; leave --duplicates {duplicates} out"
    if unit is None and not counts and (events or duplicates not in (None, "error")):
        yield f"{'--events' if events else '--duplicates'} needs --unit COLUMN: without it each row is a unit"
    if counts and (unit is not None or events or duplicates is not None):
        yield "--counts reads rows that already count units; leave --unit, --events and --duplicates out"
    if counts and covariates:
        yield "--counts knows no single unit, so that no covariate can be taken into account; leave --covariate out"


def parse_metric(text: str, *, counts: bool = False) -> TableMetric:
    """`retention=proportion:column`, `order_value=ratio:revenue/orders`, `p90=quantile:seconds@0.9`; of aggregated rows
    `signup=proportion:conversions/visitors`. Raises `ImportFailed`."""
    name, equals, rest = text.partition("=")
    kind, colon, column = rest.partition(":")
    if not (name and equals and colon and column):
        raise ImportFailed([f"metric {text!r}: write NAME=TYPE:COLUMN, for example retention_7=proportion:retention_7"])
    types = get_args(TableMetricType)
    if kind not in types:
        hint = did_you_mean(kind, types, f"one of {', '.join(types)}", lead="")
        raise ImportFailed([f"metric {name}: type {kind!r} cannot be read from a table; {hint}"])
    above, slash, below = column.partition("/")
    if counts:
        if kind != "proportion" or not (above and slash and below):
            right = f"{name}=proportion:CONVERSIONS/VISITORS"
            raise ImportFailed([f"metric {name}: counted rows tell proportions only; write {right}"])
        return TableMetric(name=name, type="proportion", column=above, denominator=below)
    if kind == "ratio":
        if not (above and slash and below):
            raise ImportFailed([f"metric {name}: a ratio names two columns, {name}=ratio:NUMERATOR/DENOMINATOR"])
        return TableMetric(name=name, type="ratio", column=above, denominator=below)
    if kind == "quantile":
        return _quantile(name, column)
    return TableMetric(name=name, type=kind, column=column)  # pyright: ignore[reportArgumentType] - as was just checked


def _quantile(name: str, text: str) -> TableMetric:
    column, _, share = text.rpartition("@")
    q = _number(share)
    if not column or not 0.0 < q < 1.0:
        raise ImportFailed([f"metric {name}: write {name}=quantile:COLUMN@0.9, with a share between 0 and 1"])
    return TableMetric(name=name, type="quantile", column=column, q=q)


def parse_weights(text: str) -> dict[str, float]:
    """`control=60,b=40`. Raises `ImportFailed`."""
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, _, value = part.strip().rpartition("=")
        weight = _number(value)
        if not name or not 0.0 <= weight < float("inf"):
            raise ImportFailed([f"weights {text!r}: write VARIANT=WEIGHT,…, for example control=60,b=40"])
        weights[name] = weight
    if sum(weights.values()) <= 0.0:
        raise ImportFailed([f"weights {text!r}: at least one weight is above 0"])
    return weights


def _number(text: str) -> float:
    """The number a text spells, -1 where it spells none."""
    try:
        return float(text)
    except ValueError:
        return -1.0


def _with_covariates(metrics: Sequence[TableMetric], texts: Sequence[str]) -> list[TableMetric]:
    named = {metric.name: metric for metric in metrics}
    for text in texts:
        name, equals, column = text.partition("=")
        if name not in named or not equals or not column:
            known = ", ".join(named)
            raise ImportFailed([f"covariate {text!r}: write METRIC=COLUMN with a metric of this import ({known})"])
        if named[name].type == "quantile":
            raise ImportFailed([f"covariate {text!r}: a quantile takes no covariate"])
        above, slash, below = column.partition("/")
        if (named[name].type == "ratio") != bool(slash and below):
            raise ImportFailed(
                [f"covariate {text!r}: a ratio takes NUMERATOR/DENOMINATOR, every other metric one column"]
            )
        update = {"covariate": above, "denominator_covariate": below or None}
        named[name] = named[name].model_copy(update=update)
    return list(named.values())
