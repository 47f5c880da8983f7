"""The bridge between a worker and the recommender: which model and catalogue are live, whose purchases, whose rules."""

import asyncio
import hashlib
import logging
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from app.runtime.telemetry import RecommendationCounts
from events.ingest.history import History, Purchase, Recent
from experiments.catalog.reader import CatalogReader
from experiments.definitions.model import Slot, Strategy

if TYPE_CHECKING:
    from app.worker.loading import SlotRules
    from recommender.ranking.request import Ranking
    from recommender.ranking.serving import Loaded, Versions


logger = logging.getLogger(__name__)


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


NONE: Final = "-"
NO_HISTORY: Final = Recent((), available=True)
CURRENT_FILES: Final = ("models/current", "products/current", "tombstones.json")


class LiveRecommender:
    """Answers requests from what is published. It loads in a thread and swaps whole, so that no request fails.

    Nothing of numpy is imported before there is a model or a catalogue.
    """

    def __init__(self, data: Path, catalogs: CatalogReader, history: History, counts: RecommendationCounts) -> None:
        self.data = data
        self.damages: dict[str, str] = {}  # artefacts that were refused, by name, with the cause
        self._catalogs = catalogs
        self._history = history
        self._counts = counts
        self._loaded: Loaded | None = None
        self._slot_rules: SlotRules | None = None
        self._seen: tuple[tuple[int, int] | None, ...] = ()
        self._loading: asyncio.Task[None] | None = None

    async def open(self) -> "LiveRecommender":
        """Loads what is published before the first request."""
        self._seen = self._marks()
        if any(self._seen):
            await self._load()
        return self

    async def close(self) -> None:
        """Ends a load that is under way."""
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.wait({self._loading})
        self._counts.close()

    def poll(self) -> bool:
        """Begins to load what was published since; True when it has begun."""
        marks = self._marks()
        if marks == self._seen or (self._loading is not None and not self._loading.done()):
            return False
        self._seen = marks
        self._loading = asyncio.get_running_loop().create_task(self._load())
        return True

    @property
    def versions(self) -> "Versions":
        """Of the model and of the catalogue of products that serve now."""
        return self._loaded.versions if self._loaded is not None else (None, None)

    @property
    def facts(self) -> Mapping[str, Any]:
        """The manifest of the live model, empty without one."""
        return self._loaded.facts if self._loaded is not None else {}

    @property
    def shelf_size(self) -> int:
        """How many products can be shown."""
        return self._loaded.shelf.size if self._loaded is not None else 0

    def served(self) -> dict[str, dict[str, Any]]:
        """What was asked for and how often another strategy served, over all workers, since the start."""
        return self._counts.totals()

    def last_training(self) -> Mapping[str, Any] | None:
        """How the last training ended, None before the first."""
        try:
            return msgspec.json.decode((self.data / "models" / "last-training.json").read_bytes(), type=dict[str, Any])
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    async def recommend(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer to one body of `POST /v1/recommendations`. Raises Problem 400 for a filter that means nothing."""
        slots = self._catalogs.catalog.slots
        asked = asked_of(request, slots)
        recent = await self._recent(asked.customers) if self._loaded is not None else NO_HISTORY
        ranking = self._ranking(asked, recent.purchases)
        answer = _answer(asked, ranking, self.versions[0], secrets.token_hex(10))
        self._counts.served(asked.strategy, answer.get("fallback") is not None, len(answer["items"]))
        if not recent.available:
            answer["history"] = "unavailable"
        return answer

    def page_products(self, product: str, request: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
        """What goes with one product for everybody, and the ETag: the same until something is published."""
        slots = self._catalogs.catalog.slots
        asked = asked_of({"strategy": "bought_together", **request, "items": [product]}, slots)
        ranking = self._ranking(asked, ())
        what = (self.versions, self._catalogs.catalog.version, product, sorted(request.items()))
        etag = hashlib.blake2b(repr(what).encode(), digest_size=12).hexdigest()
        answer = _answer(asked, ranking, self.versions[0], f"p{etag}")
        self._counts.served(asked.strategy, answer.get("fallback") is not None, len(answer["items"]))
        return answer, f'"{etag}"'

    def _ranking(self, asked: Asked, purchases: Sequence[Purchase]) -> "Ranking | None":
        """The list by what serves now; None before anything is published."""
        if self._loaded is None or self._slot_rules is None:
            return None
        return self._loaded.ranking(self._slot_rules.question(asked, purchases), time.time())

    async def _recent(self, customers: Sequence[str]) -> Recent:
        return await self._history.recent(customers) if customers else NO_HISTORY

    async def _load(self) -> None:
        from app.worker.loading import SlotRules, loaded_from

        self._slot_rules = self._slot_rules or SlotRules()
        try:
            self._loaded = await asyncio.to_thread(loaded_from, self.data, self._loaded, self.damages)
        except (OSError, ValueError) as error:
            logger.error("what is published could not be loaded, the former model serves: %s", error)
            self._seen = ()

    def _marks(self) -> tuple[tuple[int, int] | None, ...]:
        """What changes when something is published or somebody is erased: three looks at the disk."""
        return tuple(_mark(self.data / name) for name in CURRENT_FILES)


def _mark(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_ino


def _answer(asked: Asked, ranking: "Ranking | None", model_version: str | None, unique: str) -> dict[str, Any]:
    fallback = "popular" if ranking is None else ranking.fallback
    if asked.strategy == "popular":
        fallback = None
    answer: dict[str, Any] = {
        "recommendation_id": f"{asked.strategy}.{fallback or NONE}.{model_version or NONE}.{unique}",
        "strategy": asked.strategy,
        "model_version": model_version,
        "items": () if ranking is None else ranking.items,
    }
    if fallback is not None:
        answer["fallback"] = fallback
    return answer


async def open_recommender(
    data: Path, catalogs: CatalogReader, history: History, counts: RecommendationCounts
) -> LiveRecommender:
    """The recommender of one worker, with what is published loaded."""
    return await LiveRecommender(data, catalogs, history, counts).open()
