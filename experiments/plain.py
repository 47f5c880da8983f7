"""Frozen data as plain JSON values: no NaN, no infinity, moments in UTC with Z, and null for what cannot be said."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any, Final

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
