"""Conditions rewritten so that every SDK decides them alike where an attribute is missing.

A missing attribute is null. JavaScript orders null as 0 and searches it as the text "null", other SDKs never match it.
Where a test asks such a thing, the answer that `compile_condition` gives for null is written into the condition.
"""

from collections.abc import Mapping
from typing import Any, Final

from experiments.conditions import compile_condition

# Every SDK agrees on these about null.
_AGREED: Final = frozenset(
    {"$eq", "$ne", "$in", "$nin", "$ini", "$nini", "$inGroup", "$notInGroup", "$exists", "$type"}
)


def portable(condition: Mapping[str, Any], saved_groups: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The same condition, with a branch for null wherever SDKs differ about it."""
    parts: list[dict[str, Any]] = []
    plain: dict[str, Any] = {}
    for key, value in condition.items():
        if key in ("$and", "$or", "$nor"):
            plain[key] = [portable(item, saved_groups) for item in value]
        elif key == "$not":
            plain[key] = portable(value, saved_groups)
        elif key.startswith("$") or _agreed(value):
            plain[key] = value
        else:
            parts.append(_with_branch_for_null(key, value, saved_groups))
    if not parts:
        return plain
    return {"$and": [*([plain] if plain else []), *parts]}


def _agreed(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(operator in _AGREED or not operator.startswith("$") for operator in value)
    return not (value == "null" or (isinstance(value, int | float) and not isinstance(value, bool) and value == 0))


def _with_branch_for_null(path: str, value: Any, saved_groups: Mapping[str, Any] | None) -> dict[str, Any]:
    if compile_condition({path: value}, saved_groups)({}):
        return {"$or": [{path: {"$exists": False}}, {path: value}]}
    return {"$and": [{path: {"$exists": True}}, {path: value}]}
