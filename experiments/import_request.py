"""What of a table is to be analysed: the words of `resonate import`, read once."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

TableMetricType = Literal["proportion", "mean", "count", "ratio"]
TableMethod = Literal["anytime", "fixed", "bayesian"]


class ImportFailed(ValueError):
    """The table, or what was asked of it, cannot be analysed; says which and what would be right."""


class TableMetric(BaseModel):
    """One metric of a table: a column, or (ratio) two; covariates are the same, from before exposure."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    type: TableMetricType
    column: str
    denominator: str | None = None
    covariate: str | None = None
    denominator_covariate: str | None = None


class ImportRequest(BaseModel):
    """One row per unit. `planned_units` is n* of the anytime method, all variants together; None: as the table has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    experiment: str
    unit: str
    variant: str
    metrics: tuple[TableMetric, ...]
    control: str | None = None
    weights: dict[str, float] = {}
    method: TableMethod = "fixed"
    planned_units: int | None = None
    alpha: float = 0.05


def import_request(  # noqa: PLR0913 - one for each option of the command
    *,
    experiment: str,
    unit: str,
    variant: str,
    metrics: Sequence[str],
    control: str | None = None,
    weights: str | None = None,
    covariates: Sequence[str] = (),
    method: str = "fixed",
    planned_units: int | None = None,
) -> ImportRequest:
    """From the texts of the command line; raises `ImportFailed`."""
    if not metrics:
        raise ImportFailed("no metric is named; write --metric NAME=TYPE:COLUMN")
    if method not in get_args(TableMethod):
        raise ImportFailed(f"method {method!r} is not one of {', '.join(get_args(TableMethod))}: a table has no looks")
    if planned_units is not None and planned_units < 1:
        raise ImportFailed(f"units {planned_units}: the planned number of units is at least 1")
    parsed = [parse_metric(text) for text in metrics]
    _once([metric.name for metric in parsed])
    return ImportRequest(
        experiment=experiment,
        unit=unit,
        variant=variant,
        metrics=tuple(_with_covariates(parsed, covariates)),
        control=control,
        weights=parse_weights(weights) if weights else {},
        method=method,  # pyright: ignore[reportArgumentType] - one of TableMethod, as was just checked
        planned_units=planned_units,
    )


def parse_metric(text: str) -> TableMetric:
    """`retention=proportion:column`, or `order_value=ratio:revenue/orders`."""
    name, equals, rest = text.partition("=")
    kind, colon, column = rest.partition(":")
    if not (name and equals and colon and column):
        raise ImportFailed(f"metric {text!r}: write NAME=TYPE:COLUMN, for example retention_7=proportion:retention_7")
    types = get_args(TableMetricType)
    if kind not in types:
        close = get_close_matches(kind, types, 1)
        hint = f"did you mean {close[0]}?" if close else f"one of {', '.join(types)}"
        raise ImportFailed(f"metric {name}: type {kind!r} cannot be read from a table; {hint}")
    if kind != "ratio":
        return TableMetric(name=name, type=kind, column=column)  # pyright: ignore[reportArgumentType]
    above, slash, below = column.partition("/")
    if not (above and slash and below):
        raise ImportFailed(f"metric {name}: a ratio names two columns, {name}=ratio:NUMERATOR/DENOMINATOR")
    return TableMetric(name=name, type="ratio", column=above, denominator=below)


def parse_weights(text: str) -> dict[str, float]:
    """`control=60,b=40`."""
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        try:
            weight = float(value)
        except ValueError:
            weight = -1.0
        if not name or not 0.0 <= weight < float("inf"):
            raise ImportFailed(f"weights {text!r}: write VARIANT=WEIGHT,…, for example control=60,b=40")
        weights[name] = weight
    if sum(weights.values()) <= 0.0:
        raise ImportFailed(f"weights {text!r}: at least one weight is above 0")
    return weights


def _with_covariates(metrics: Sequence[TableMetric], texts: Sequence[str]) -> list[TableMetric]:
    named = {metric.name: metric for metric in metrics}
    for text in texts:
        name, equals, column = text.partition("=")
        if name not in named or not equals or not column:
            known = ", ".join(named)
            raise ImportFailed(f"covariate {text!r}: write METRIC=COLUMN with a metric of this import ({known})")
        above, slash, below = column.partition("/")
        if (named[name].type == "ratio") != bool(slash and below):
            raise ImportFailed(
                f"covariate {text!r}: a ratio takes NUMERATOR/DENOMINATOR, every other metric one column"
            )
        update = {"covariate": above, "denominator_covariate": below or None}
        named[name] = named[name].model_copy(update=update)
    return list(named.values())


def _once(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ImportFailed(f"metric {twice[0]} is named twice; every metric needs a name of its own")
