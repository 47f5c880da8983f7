"""What a request asks the recommender for, once its slot has had its say."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from experiments.definition import Strategy
from experiments.slot_definition import Slot

DEFAULT_LIMIT: Final = 10
LARGEST_LIMIT: Final = 100


class Asked(msgspec.Struct, frozen=True):
    """One list: for whom, by which strategy, around which products, under which rules."""

    strategy: Strategy
    fallback: Strategy
    limit: int
    customers: tuple[str, ...]
    items: tuple[str, ...]
    request: Mapping[str, Any]
    slot: Slot | None


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
        customers=tuple(person for person in dict.fromkeys(people) if person),
        items=items,
        request=request,
        slot=slot,
    )
