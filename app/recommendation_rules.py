"""The rules of a list: those of its slot, made ready once, and those of the request, which has the last word."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from app.errors import Problem
from app.recommendation_wishes import Asked
from events.history import Purchase
from experiments.slot_definition import Slot
from recommender.histories import Bought
from recommender.recent_lists import Question
from recommender.rules import Boost, Condition, FilterError, Rules, conditions

DAY_SECONDS: Final = 86_400.0
DAY_MICROSECONDS: Final = 86_400_000_000
NO_RULES: Final = Rules()
OF_A_REQUEST: Final = frozenset({"filter", "exclude", "exclude_purchased", "diversity"})

logger = logging.getLogger(__name__)


class SlotRules:
    """The rules of each slot, until its definition changes."""

    def __init__(self) -> None:
        self._ready: dict[str, tuple[Slot, Rules]] = {}

    def question(self, asked: Asked, purchases: Sequence[Purchase]) -> Question:
        """What is asked of the recommender. Raises Problem 400 for a filter that means nothing."""
        return Question(
            asked.strategy,
            asked.fallback,
            asked.limit,
            asked.items,
            asked.customers,
            tuple([Bought(each.product_id, each.time / DAY_MICROSECONDS) for each in purchases]),
            self.rules(asked),
        )

    def rules(self, asked: Asked) -> Rules:
        """The slot's rules and the request's together. Raises Problem 400 for a filter that means nothing."""
        slot = NO_RULES if asked.slot is None else self._of(asked.slot)
        return slot if OF_A_REQUEST.isdisjoint(asked.request) else _with_request(slot, asked.request)

    def _of(self, slot: Slot) -> Rules:
        ready = self._ready.get(slot.name)
        if ready is None or ready[0] is not slot:
            ready = self._ready[slot.name] = (slot, _slot_rules(slot))
        return ready[1]


def _with_request(slot: Rules, request: Mapping[str, Any]) -> Rules:
    try:
        filters = conditions(request.get("filter") or {})
    except FilterError as error:
        raise Problem(400, "invalid_filter", str(error)) from None
    return replace(
        slot,
        exclude=(*slot.exclude, *(request.get("exclude") or ())),
        conditions=(*slot.conditions, *filters),
        exclude_purchased=request.get("exclude_purchased", slot.exclude_purchased),
        diversity=request.get("diversity", slot.diversity),
    )


def _slot_rules(slot: Slot) -> Rules:
    rules = slot.rules
    seconds = rules.repurchase_after_seconds
    return Rules(
        include=rules.include,
        exclude=rules.exclude,
        boosts=tuple(Boost(each.field, each.value, each.factor) for each in rules.boost),
        conditions=tuple(_slot_conditions(rules.filter)),
        exclude_purchased=rules.exclude_purchased,
        repurchase_after_days=None if seconds is None else seconds / DAY_SECONDS,
        accessories_of=rules.accessories_of,
        diversity=rules.diversity or 0.0,
    )


def _slot_conditions(filter_: Mapping[str, Any]) -> list[Condition]:
    """The conditions of a slot; one that cannot be judged on products is passed over, because a page must not fail."""
    found: list[Condition] = []
    for name, wanted in filter_.items():
        try:
            found += conditions({name: wanted})
        except FilterError as error:
            logger.warning("recommendations.yaml: %s; this rule is not applied", error)
    return found
