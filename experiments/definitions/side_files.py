"""Reads the side files: shop.yaml, segments.yaml, holdouts.yaml and recommendations.yaml."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from re import fullmatch
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from experiments.definitions.design import as_condition
from experiments.definitions.located import Located, Problems, Section, Wrong, did_you_mean, refuse
from experiments.definitions.model import Boost, Holdout, Rules, Segment, Shop, Slot, Strategy
from experiments.definitions.quantities import (
    NAME,
    as_line,
    as_mapping,
    as_number,
    as_seconds,
    as_share,
    as_text,
    as_truth,
    listed,
    one_of,
    whole,
)

T = TypeVar("T")
BOOSTED = ("category", "brand", "product_id")
FILTERED = ("category", "brand", "price", "in_stock", "group_id")


def shop_of(root: Located | None, problems: Problems) -> Shop:
    """Time zone, currency and cookie domain; the defaults where they are absent or wrong."""
    if root is None:
        return Shop()
    section = Section(root, "", problems)
    shop = Shop(
        timezone=section.read("timezone", _timezone, "UTC"),
        currency=section.read("currency", _currency, "EUR"),
        cookie_domain=section.read("cookie_domain", _cookie_domain, None),
    )
    section.close()
    return shop


def _timezone(node: Located) -> str:
    name = as_line(node)
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Wrong(f"{node.described} is no time zone{did_you_mean(name, available_timezones())}") from None
    return name


def _currency(node: Located) -> str:
    if not fullmatch(r"[A-Z]{3}", node.text):
        raise Wrong(f"{node.described} is no currency, write its three letters, as in EUR")
    return node.text


def _cookie_domain(node: Located) -> str:
    if not fullmatch(r"\.?(?:[a-z0-9][a-z0-9-]{0,62}\.){1,8}[a-z]{2,63}", node.text):
        raise Wrong(f"{node.described} is no domain, write it as in .shop.example")
    return node.text


def segments_of(root: Located | None, problems: Problems) -> dict[str, Segment]:
    """The segments by name; wrong ones are reported and left out."""
    found: dict[str, Segment] = {}
    for name, section in _sections(root, problems):
        where = section.require("where", as_condition, "write {where: {country: {$in: [SK, CZ]}}}")
        if section.close() and where is not None:
            found[name] = Segment(name=name, where=where)
    return found


def holdouts_of(root: Located | None, problems: Problems) -> dict[str, Holdout]:
    """The holdouts by name; wrong ones are reported and left out."""
    found: dict[str, Holdout] = {}
    for name, section in _sections(root, problems):
        share = section.require("share", _holdout_share, "write {share: 5%}")
        if section.close() and share is not None:
            found[name] = Holdout(name=name, share=share)
    return found


def _holdout_share(node: Located) -> float:
    share = as_share(node)
    if not 0 < share < 1:
        raise Wrong(f"{node.described} must lie between 0 % and 100 %")
    return share


def slots_of(root: Located | None, problems: Problems) -> dict[str, Slot]:
    """The slots by name; wrong ones are reported and left out."""
    found: dict[str, Slot] = {}
    for name, section in _sections(root, problems):
        slot = Slot(
            name=name,
            strategy=section.read("strategy", one_of(Strategy), "for_you"),
            limit=section.read("limit", whole(1, 100), 10),
            fallback=section.read("fallback", one_of(Strategy), "popular"),
            rules=_rules(section),
        )
        if section.close():
            found[name] = slot
    return found


def _sections(root: Located | None, problems: Problems) -> Iterator[tuple[str, Section]]:
    if root is None:
        return
    for name, node in Section(root, "", problems).fields.items():
        if fullmatch(NAME, name):
            yield name, Section(node, name, problems)
        else:
            problems.add(
                node.line, name[:60], "is no name here; allowed are letters, digits, dots, dashes and underscores"
            )


def _rules(slot: Section) -> Rules:
    inner = slot.section("rules")
    if inner is None:
        return Rules()
    products = listed(as_line)
    rules = Rules(
        include=inner.read("include", products, ()),
        exclude=inner.read("exclude", products, ()),
        boost=inner.read("boost", _boosts, ()),
        filter=_filter(inner),
        exclude_purchased=inner.read("exclude_purchased", as_truth, None),
        repurchase_after_seconds=inner.read("repurchase_after", as_seconds, None),
        accessories_of=inner.read("accessories_of", _accessories, {}),
        diversity=inner.read("diversity", _diversity, None),
    )
    inner.close()
    return rules


def _filter(rules: Section) -> dict[str, Any]:
    """The conditions on product fields, `category: Tea` and `category: [Tea, Coffee]` among them."""
    found = {name: rules.read(name, _product_condition, None) for name in FILTERED}
    return {name: condition for name, condition in found.items() if condition is not None}


def _product_condition(node: Located) -> Any:
    if isinstance(node.value, tuple):
        return {"$in": list(listed(as_text)(node))}
    if isinstance(node.value, Mapping):
        return _as_test_of_value(node)
    return node.value


def _as_test_of_value(node: Located) -> dict[str, Any]:
    """Operators on one product field, checked as those of a condition on a field `value`."""
    try:
        as_condition(Located({"value": node}, node.line))
    except Wrong as wrong:
        refuse([Wrong(str(one), one.line, one.path.removeprefix("value").removeprefix(".")) for one in wrong.each])
    return as_mapping(node)


def _boosts(node: Located) -> tuple[Boost, ...]:
    fields = as_mapping(node)
    boosts: list[Boost] = []
    for field in fields:
        if field not in BOOSTED:
            raise Wrong(f'unknown field "{field}"{did_you_mean(field, BOOSTED)}', node.at((field,)).line)
        values = _named(node.at((field,)), as_number)
        boosts.extend(Boost(field=field, value=value, factor=factor) for value, factor in values.items())
    if any(not 0 < boost.factor <= 100 for boost in boosts):
        raise Wrong("a factor must lie above 0 and not above 100, 1 changes nothing")
    return tuple(boosts)


def _accessories(node: Located) -> dict[str, tuple[str, ...]]:
    return _named(node, listed(as_line, least=1))


def _named(node: Located, convert: Callable[[Located], T]) -> dict[str, T]:
    """A mapping whose names are products, categories or brands."""
    if not isinstance(node.value, Mapping):
        raise Wrong(f"{node.described} stands where a mapping of names is needed", node.line)
    found: dict[str, T] = {}
    wrongs: list[Wrong] = []
    for name, item in node.value.items():
        try:
            found[name] = convert(item)
        except Wrong as wrong:
            wrongs.extend(wrong.within(item.line, name))
    refuse(wrongs)
    return found


def _diversity(node: Located) -> float:
    value = as_number(node)
    if not 0 <= value <= 1:
        raise Wrong(f"{node.described} must lie between 0 and 1")
    return value
