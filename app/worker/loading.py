"""Loads the published model, catalogue and rules in a thread of a worker; the first import of numpy there."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from app.http.errors import Problem
from app.worker.recommendations import Asked
from events.ingest.history import Purchase
from experiments.definitions.model import Slot
from recommender.model.artefact import ArtefactDamaged
from recommender.ranking.histories import Bought
from recommender.ranking.rules import Boost, Condition, FilterError, Rules, conditions
from recommender.ranking.serving import Question, load, published

if TYPE_CHECKING:
    from recommender.ranking.serving import Loaded


logger = logging.getLogger(__name__)


class _Tombstone(msgspec.Struct, frozen=True):
    """What a worker needs of an erasure: the digest of the id."""

    digest: str


def loaded_from(data: Path, before: "Loaded | None", damages: dict[str, str]) -> "Loaded":
    """What should be served now; an artefact that is damaged is named in `damages` and in the log."""
    damages.clear()

    def complain(damage: ArtefactDamaged) -> None:
        damages[damage.name] = damage.cause
        logger.error("artefact refused, the former one serves: %s", damage)

    return load(data, published(data), before, _erased(data), complain)


def _erased(data: Path) -> frozenset[int]:
    """Digests of erased customers, as the model knows customers: their past is forgotten at once.

    Who returns is known by the purchases that came after, from the store, until the next training.
    """
    try:
        stones = msgspec.json.decode((data / "tombstones.json").read_bytes(), type=list[_Tombstone])
    except FileNotFoundError:
        return frozenset()
    return frozenset(int(stone.digest[:16], 16) for stone in stones)


DAY_SECONDS: Final = 86_400.0
DAY_MICROSECONDS: Final = 86_400_000_000
NO_RULES: Final = Rules()
OF_A_REQUEST: Final = frozenset({"filter", "exclude", "exclude_purchased", "diversity"})


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
