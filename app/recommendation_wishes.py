"""What a request asks the recommender for, once its slot has had its say."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from app.errors import Problem
from experiments.slot_definition import Rules as SlotRules
from experiments.slot_definition import Slot

if TYPE_CHECKING:
    from recommender.rules import Condition, Rules
    from recommender.strategies import Strategy

DEFAULT_LIMIT: Final = 10
LARGEST_LIMIT: Final = 100
DAY_SECONDS: Final = 86_400.0
NO_RULES: Final = SlotRules()

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """One list: for whom, by which strategy, around which products, under which rules."""

    strategy: "Strategy"
    fallback: "Strategy"
    limit: int
    customers: list[str]
    items: tuple[str, ...]
    request: Mapping[str, Any]
    slot: SlotRules


def asked_of(request: Mapping[str, Any], slots: Mapping[str, Slot]) -> Asked:
    """A checked request with the slot's strategy, limit and rules where it gives none; an unknown slot has no rules."""
    slot = slots.get(request.get("slot") or "")
    items = tuple(dict.fromkeys(request.get("items") or ()))
    usual: Strategy = "bought_together" if items else "for_you"
    people = (request.get("user_id"), request.get("visitor_id"))
    return Asked(
        strategy=request.get("strategy") or (slot.strategy if slot is not None else usual),
        fallback=slot.fallback if slot is not None else "popular",
        limit=min(request.get("limit") or (slot.limit if slot is not None else DEFAULT_LIMIT), LARGEST_LIMIT),
        customers=[person for person in dict.fromkeys(people) if person],
        items=items,
        request=request,
        slot=slot.rules if slot is not None else NO_RULES,
    )


def rules_of(asked: Asked) -> "Rules":
    """The slot's rules and the request's together; of what both say the request has the last word.

    Raises Problem 400 for a filter that means nothing.
    """
    from recommender.rules import Boost, FilterError, Rules, conditions

    request, slot = asked.request, asked.slot
    try:
        filters = (*_slot_conditions(slot.filter), *conditions(request.get("filter") or {}))
    except FilterError as error:
        raise Problem(400, "invalid_filter", str(error)) from None
    seconds = slot.repurchase_after_seconds
    diversity = request.get("diversity")
    purchased = request.get("exclude_purchased")
    return Rules(
        include=tuple(slot.include),
        exclude=(*slot.exclude, *(request.get("exclude") or ())),
        boosts=tuple(Boost(each.field, each.value, each.factor) for each in slot.boost),
        conditions=filters,
        exclude_purchased=slot.exclude_purchased if purchased is None else purchased,
        repurchase_after_days=None if seconds is None else seconds / DAY_SECONDS,
        accessories_of=slot.accessories_of,
        diversity=(slot.diversity or 0.0) if diversity is None else diversity,
    )


def _slot_conditions(filter_: Mapping[str, Any]) -> "list[Condition]":
    """The conditions of a slot; one that cannot be judged on products is passed over, because a page must not fail."""
    from recommender.rules import FilterError, conditions

    found: list[Condition] = []
    for name, wanted in filter_.items():
        try:
            found += conditions({name: wanted})
        except FilterError as error:
            logger.warning("recommendations.yaml: %s; this rule is not applied", error)
    return found
