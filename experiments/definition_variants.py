"""Reads the variants of an experiment file: names, weights that add up, payloads of one type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from re import fullmatch
from typing import Any

from experiments.definition import Recommend, Strategy, Variant
from experiments.definition_located import Located, Problems, Section, Wrong, shortened
from experiments.definition_words import NUMBER, PERCENTAGE, as_name, one_of, whole, words_of

FINEST = Decimal("0.0001")
MOST_VARIANTS = 100


@dataclass(frozen=True, slots=True)
class _Weight:
    value: Decimal
    percent: bool


@dataclass(frozen=True, slots=True)
class _Draft:
    """A variant before the weights of all are known."""

    key: str
    line: int
    weight: _Weight | None
    payload: Any
    has_payload: bool
    recommend: Recommend | None


def variants_of(section: Section) -> tuple[Variant, ...]:
    """The field `variants`; empty, with the mistakes reported, where it cannot be read."""
    node = section.take("variants")
    if node is None:
        section.fail("variants is missing, name the messages to compare, the control first: [control, threshold]")
        return ()
    if not isinstance(node.value, tuple) or not 2 <= len(node.value) <= MOST_VARIANTS:
        found = f"{len(node.value)} named" if isinstance(node.value, tuple) else f"{node.described} is no list"
        section.fail(
            f"{found}, name two or more (at most {MOST_VARIANTS}), the control first: [control, threshold]",
            name="variants",
        )
        return ()
    drafts = [_draft(item, place, section.problems) for place, item in enumerate(node.value)]
    read = [draft for draft in drafts if draft]
    if len(read) < len(drafts) or not _distinct(read, section):
        return ()
    return _weighed(read, section)


def _draft(node: Located, place: int, problems: Problems) -> _Draft | None:
    path = f"variants[{place + 1}]"
    if not isinstance(node.value, (tuple, Mapping)):
        key = problems.attempt(node, path, as_name)
        return None if key is None else _Draft(key, node.line, None, {}, False, None)
    section = Section(node, path, problems)
    key = section.require("key", as_name, "name the variant: {key: control}")
    section.path = f"variants.{key}" if key else path
    weight = section.read("weight", _weight, None)
    section.take("payload")
    payload = section.fields.get("payload")
    recommend = _recommend(section)
    if not section.close() or key is None:
        return None
    return _Draft(key, node.line, weight, payload.plain() if payload else {}, payload is not None, recommend)


def _weight(node: Located) -> _Weight | None:
    scalar = not isinstance(node.value, (tuple, Mapping))
    if scalar and fullmatch(PERCENTAGE, node.text):
        return _Weight(Decimal(node.text.rstrip("% ")), percent=True)
    if scalar and fullmatch(NUMBER, node.text):
        return _Weight(Decimal(node.text), percent=False)
    raise Wrong(f"{node.described} is no weight, write a number such as 1 or a percentage such as 50%")


def _recommend(section: Section) -> Recommend | None:
    inner = section.section("recommend")
    if inner is None:
        return None
    slot = inner.read("slot", as_name, None)
    strategy = inner.read("strategy", one_of(Strategy), None)
    limit = inner.read("limit", whole(1, 100), None)
    if inner.close() and slot is None and strategy is None:
        inner.fail("names neither a slot nor a strategy, write one of them: {strategy: bought_together}")
    return Recommend(slot=slot, strategy=strategy, limit=limit)


def _distinct(drafts: list[_Draft], section: Section) -> bool:
    keys = [draft.key for draft in drafts]
    for place, draft in enumerate(drafts):
        if draft.key in keys[:place]:
            section.fail(f'"{draft.key}" stands twice, every variant needs its own name', draft.line, "variants")
    return len(set(keys)) == len(keys)


def _weighed(drafts: list[_Draft], section: Section) -> tuple[Variant, ...]:
    _check_payloads(drafts, section)
    try:
        shares = _shares(drafts)
    except Wrong as wrong:
        section.fail(str(wrong), wrong.line, "variants")
        return ()
    return tuple(
        Variant(key=draft.key, weight=share, payload=draft.payload, recommend=draft.recommend)
        for draft, share in zip(drafts, shares, strict=True)
    )


def _shares(drafts: list[_Draft]) -> list[float]:
    """Weights as shares of 1; raises Wrong where they do not add up or are too fine."""
    weights = [draft.weight or _Weight(Decimal(1), percent=False) for draft in drafts]
    if any(weight.percent for weight in weights):
        return _percentages(drafts)
    total = sum(weight.value for weight in weights)
    if not total:
        raise Wrong("all weights are 0, at least one variant needs a weight")
    for draft, weight in zip(drafts, weights, strict=True):
        if 0 < weight.value / total < FINEST:
            share = words_of(weight.value / total * 100)
            raise Wrong(
                f"{draft.key} has a share of {share}, finer than 0.01 %, the finest share bucketing knows", draft.line
            )
    return [float(weight.value / total) for weight in weights]


def _percentages(drafts: list[_Draft]) -> list[float]:
    for draft in drafts:
        if draft.weight is None or not draft.weight.percent:
            raise Wrong(f"{draft.key} has no percentage, give every variant one, or write plain numbers", draft.line)
    shares = [draft.weight.value for draft in drafts if draft.weight]
    for draft, share in zip(drafts, shares, strict=True):
        if share % Decimal("0.01"):
            raise Wrong(f"{words_of(share)} is finer than 0.01 %, the finest share bucketing knows", draft.line)
    if sum(shares) != 100:
        names = " and ".join((", ".join(words_of(share) for share in shares[:-1]), words_of(shares[-1])))
        right = "they may not exceed 100 %" if sum(shares) > 100 else "they must add up to 100 %"
        raise Wrong(f"shares {names} add up to {words_of(Decimal(sum(shares)))}, {right}")
    return [float(share / 100) for share in shares]


def _check_payloads(drafts: list[_Draft], section: Section) -> None:
    first = drafts[0]
    for draft in drafts[1:]:
        if _json_type(draft.payload) != _json_type(first.payload):
            section.fail(
                f"the payload of {first.key} is {_described(first)}, that of {draft.key} is {_described(draft)};"
                " a payload has one type in all variants",
                draft.line,
                "variants",
            )


def _json_type(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    return {str: "a text", list: "a list", dict: "a mapping", type(None): "null"}[type(value)]


def _described(draft: _Draft) -> str:
    return (
        _json_type(draft.payload)
        if draft.has_payload
        else f"{_json_type(draft.payload)} (the default {shortened('{}')})"
    )
