"""What is served of the answers: JSON without NaN, in which what cannot be said is null."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from functools import cache
from typing import Any, Final

from experiments.answers.comparison import Methods
from experiments.answers.readout import Readout
from experiments.definitions.model import Guardrail
from experiments.statistics.estimate import Interval, NoEstimate
from kit.time import iso

HEAD: Final = ("experiment", "phase", "fingerprint", "as_of", "watermark", "pending")
"""Members that stand before all others in what is served of a readout, in order."""
OPTIONAL: Final = frozenset(
    {
        "response_rate", "final_beat_share", "value_ci", "steps", "sql", "dimensions", "estimated", "next_look",
        "worst_case", "p_bh", "flagged", "guardrail", "margin", "cap", "cap_low", "denominator_cap",
        "denominator_cap_low", "both_groups", "duplicates", "missing", "authority", "identity",
        "hashed_elsewhere", "currency", "unit", "worth_reason",
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
OWN_NAMES: Final = {"df": "degrees_of_freedom"}


def readout_json(readout: Readout) -> dict[str, Any]:
    """The results object: no NaN, no infinity, times in UTC as ISO 8601 with Z."""
    return plain(readout)


def timeseries_json(readout: Readout) -> dict[str, Any]:
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
    return {name: plain(getattr(answer, OWN_NAMES.get(name, name))) for name in names}
