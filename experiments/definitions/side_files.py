"""Reads the side files: shop.yaml, segments.yaml, holdouts.yaml and recommendations.yaml."""

from collections.abc import Mapping
from dataclasses import replace
from re import fullmatch
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from experiments.definitions.grammar import (
    NO_NAME,
    Entry,
    Kind,
    Section,
    fields_of,
    fields_schema,
    listed,
    meant,
    named,
    one_of,
    scalar,
)
from experiments.definitions.located import Located, Place, Wrong
from experiments.definitions.model import Boost, Definition, Holdout, Rules, Segment, Shop, Slot, Strategy
from experiments.definitions.quantities import (
    CONDITION,
    LINE,
    SECONDS,
    SHARE,
    TEXT,
    TRUTH,
    as_line,
    as_mapping,
    as_number,
    as_share,
    tell,
    whole,
)
from experiments.targeting.predicates import read_condition

BOOSTED: Final = ("category", "brand", "product_id")
FILTERED: Final = ("category", "brand", "price", "in_stock", "group_id")


def _timezone(node: Located) -> str:
    name = as_line(node)
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Wrong(f"{node.described} is no time zone{meant(name, available_timezones())}") from None
    return name


def _currency(node: Located) -> str:
    if not fullmatch(r"[A-Z]{3}", node.text):
        raise Wrong(f"{node.described} is no currency, write its three letters, as in EUR")
    return node.text


def _cookie_domain(node: Located) -> str:
    if not fullmatch(r"\.?(?:[a-z0-9][a-z0-9-]{0,62}\.){1,8}[a-z]{2,63}", node.text):
        raise Wrong(f"{node.described} is no domain, write it as in .shop.example")
    return node.text


def _holdout_share(node: Located) -> float:
    share = as_share(node)
    if not 0 < share < 1:
        raise Wrong(f"{node.described} must lie between 0 % and 100 %")
    return share


def _diversity(node: Located) -> float:
    value = as_number(node)
    if not 0 <= value <= 1:
        raise Wrong(f"{node.described} must lie between 0 and 1")
    return value


def _product_condition(place: Place) -> Any:
    """`Tea`, `[Tea, Coffee]`, or operators, which are those of a condition on one field."""
    if isinstance(place.node.value, tuple):
        among = listed(TEXT).read(place)
        return None if among is None else {"$in": list(among)}
    if not isinstance(place.node.value, Mapping):
        return place.node.value
    mistakes = read_condition({"value": place.node.plain()}).mistakes
    tell(place, tuple(replace(mistake, path=mistake.path[1:]) for mistake in mistakes))
    return None if mistakes else as_mapping(place.node)


class _NoFields(Definition):
    """What has no defaults."""


_FACTOR: Final = scalar(as_number, {"type": "number", "exclusiveMinimum": 0, "maximum": 100})
_BOOSTS: Final = {field: Entry(named(_FACTOR, whose="names"), unnamed=True) for field in BOOSTED}


def _boosts(place: Place) -> tuple[Boost, ...] | None:
    by_field = fields_of(place, _BOOSTS)
    boosts = [
        Boost(field=field, value=value, factor=factor)
        for field, factors in by_field.items()
        for value, factor in factors.items()
    ]
    if any(not 0 < boost.factor <= 100 for boost in boosts):
        place.fail("a factor must lie above 0 and not above 100, 1 changes nothing")
    return tuple(boosts)


def _rules(**fields: Any) -> Rules:
    conditions = {name: fields.pop(name) for name in FILTERED if name in fields}
    return Rules(filter=conditions, **fields)


_RULES: Final = Section(
    Rules,
    {
        "include": listed(LINE),
        "exclude": listed(LINE),
        "boost": Kind(_boosts, fields_schema(_NoFields, _BOOSTS)),
        "exclude_purchased": TRUTH,
        "repurchase_after": Entry(SECONDS, to="repurchase_after_seconds"),
        "accessories_of": named(listed(LINE, least=1), whose="names"),
        "diversity": scalar(_diversity, {"type": "number", "minimum": 0, "maximum": 1}),
        **{field: Kind(_product_condition, {}) for field in FILTERED},
    },
    build=_rules,
).kind

SHOP: Final = Section(
    Shop,
    {
        "timezone": scalar(_timezone, {"type": "string", "examples": ["Europe/Bratislava"]}),
        "currency": scalar(_currency, {"type": "string", "pattern": "^[A-Z]{3}$"}),
        "cookie_domain": scalar(_cookie_domain, {"type": "string", "examples": [".shop.example"]}),
    },
)
SEGMENTS: Final = named(
    Section(Segment, {"where": Entry(CONDITION, needed="write {where: {country: {$in: [SK, CZ]}}}")}).kind, NO_NAME
)
HOLDOUTS: Final = named(
    Section(Holdout, {"share": Entry(scalar(_holdout_share, SHARE.schema), needed="write {share: 5%}")}).kind, NO_NAME
)
SLOT: Final = Section(
    Slot,
    {"strategy": one_of(Strategy), "limit": whole(1, 100), "fallback": one_of(Strategy), "rules": _RULES},
)
SLOTS: Final = named(SLOT.kind, NO_NAME)
