"""What may be shown: filters on product fields, lists of products, and the boosts of a slot; nothing needs numpy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kit.suggestions import did_you_mean

NUMBERS: Final = frozenset({"price"})
FLAGS: Final = frozenset({"in_stock"})
FIELDS: Final = ("category", "brand", "price", "in_stock", "group_id", "product_id")
LARGEST_LIST: Final = 1_000
COMPARISONS: Final = ("$gt", "$gte", "$lt", "$lte")
OPERATORS: Final = ("$eq", "$ne", "$in", "$nin", *COMPARISONS)

Value = str | float | bool | None


class FilterError(ValueError):
    """A filter that means nothing; the text names the field, what is wrong and what would be right."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of one product field."""

    field: str
    operator: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class ScoreBoost:
    """Products whose `field` is `value` have their score multiplied by `factor`."""

    field: str
    value: str
    factor: float


@dataclass(frozen=True, slots=True)
class ListRules:
    """The rules of a slot, or of one request. `include` empty is no restriction; None is "as the strategy does"."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    boosts: tuple[ScoreBoost, ...] = ()
    conditions: tuple[Condition, ...] = ()
    exclude_purchased: bool | None = None
    repurchase_after_days: float | None = None
    accessories_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]], hash=False)
    diversity: float = 0.0


def conditions(filter_: Mapping[str, Any]) -> tuple[Condition, ...]:
    """A filter such as `{"category": {"$in": [...]}, "price": {"$gte": 12}}` as conditions that all must hold.

    Raises FilterError.
    """
    found: list[Condition] = []
    for name, wanted in filter_.items():
        if name not in FIELDS:
            meant = did_you_mean(name, FIELDS, f"; it takes {', '.join(FIELDS)}")
            raise FilterError(f"filter.{name[:60]}: no product field{meant}")
        place = f"filter.{name}"
        for operator, value in (wanted if isinstance(wanted, dict) else {"$eq": wanted}).items():
            if operator not in OPERATORS:
                meant = did_you_mean(operator, OPERATORS, f"; it takes {', '.join(OPERATORS)}")
                raise FilterError(f"{place}: {operator[:60]!r} is no operator{meant}")
            if operator in COMPARISONS and name not in NUMBERS:
                raise FilterError(f"{place}: {operator} compares numbers; {name} takes $eq, $ne, $in or $nin")
            values = value if operator in ("$in", "$nin") else [value]
            if not isinstance(values, list) or len(values) > LARGEST_LIST:
                raise FilterError(f"{place}.{operator}: it must be a list of at most {LARGEST_LIST} values")
            found.append(Condition(name, operator, tuple(_checked(place, name, each) for each in values)))
    return tuple(found)


def _checked(place: str, name: str, value: Any) -> Value:
    if name in FLAGS:
        if not isinstance(value, bool):
            raise FilterError(f"{place}: it must be true or false")
        return value
    if name in NUMBERS:
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e12:
            raise FilterError(f"{place}: it must be a number")
        return float(value)
    if not isinstance(value, str) or len(value) > 256:
        raise FilterError(f"{place}: it must be a text of at most 256 characters")
    return value
