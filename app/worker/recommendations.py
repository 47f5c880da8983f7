"""The bridge between a worker and the recommender: which model and catalogue are live, whose purchases, whose rules."""

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from app.runtime.telemetry import Telemetry
from events.ingest.history import History, Recent
from experiments.catalog.catalog import Catalog
from experiments.catalog.reader import CatalogReader
from experiments.definitions.shop import Slot
from kit.files import FileMark, mark_of, read_or_none
from kit.time import DAY_SECONDS, DAY_US, now_seconds
from recommender.ranking.request import ListItem, ListRequest, PastPurchase, Ranking, Strategy
from recommender.ranking.rules import Condition, FilterError, ListRules, ScoreBoost, conditions

if TYPE_CHECKING:
    from recommender.ranking.serving import Publication, Versions


logger = logging.getLogger(__name__)


LARGEST_LIMIT: Final = 100
ANY_PAGE: Final = ListRequest("for_you", limit=10)  # what a page asks for that names no slot
ANY_CART: Final = ListRequest("bought_together", limit=10)
NONE: Final = "-"
NO_HISTORY: Final = Recent((), available=True)
CURRENT_FILES: Final = ("models/current", "products/current", "tombstones.json")  # each change of them is a change


class ListAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """One list as it is answered; `fallback` is the strategy that served in place of the one asked for.

    As everywhere: `strategy`, `model_version`, `fallback`.
    """

    recommendation_id: str
    """The name of a list; events that name it tell what it brought."""
    strategy: Strategy
    model_version: str | None
    items: Sequence[ListItem]
    """Here: The products, the best first."""
    fallback: Strategy | None = None
    history: str | None = None
    """That recent purchases are missing, because the store was out of reach."""


class LiveRecommender:
    """Answers requests from what is published. It loads in a thread and swaps whole, so that no request fails.

    Nothing of numpy is imported before there is a model or a catalogue.
    """

    def __init__(self, data: Path, catalogs: CatalogReader, history: History, telemetry: Telemetry) -> None:
        self.data = data
        self._catalogs = catalogs
        self._history = history
        self._telemetry = telemetry
        self._publication: Publication | None = None
        self._slots: Mapping[str, ListRequest] = {}
        self._slots_of: Catalog | None = None
        self._loaded: tuple[FileMark | None, ...] = (None,) * len(CURRENT_FILES)

    async def open(self) -> None:
        """Loads what is published before the first request; without what cannot be loaded the worker serves too."""
        try:
            await self.refresh()
        except (OSError, ValueError) as error:
            logger.error("what is published could not be loaded: %s", error)

    async def refresh(self) -> None:
        """Loads what was published since, and forgets who was erased since; until then the former model serves."""
        marks = tuple(mark_of(self.data / name) for name in CURRENT_FILES)
        if marks != self._loaded:
            self._publication = await asyncio.to_thread(current_publication, self.data, self._publication)
            self._loaded = marks
            logger.info("recommendations rest on model and products %s", self.versions)

    @property
    def versions(self) -> "Versions":
        """Of the model and of the catalogue of products that serve now."""
        return self._publication.versions if self._publication is not None else (None, None)

    @property
    def facts(self) -> Mapping[str, Any]:
        """The manifest of the live model, empty without one."""
        return self._publication.facts if self._publication is not None else {}

    @property
    def damages(self) -> Mapping[str, str]:
        """The artefacts that were refused, by name, with the cause."""
        return self._publication.damages if self._publication is not None else {}

    @property
    def assortment_size(self) -> int:
        """How many products can be shown."""
        return self._publication.assortment.size if self._publication is not None else 0

    def last_training(self) -> Mapping[str, Any] | None:
        """How the last training ended, None before the first."""
        try:
            return msgspec.json.decode((self.data / "models" / "last-training.json").read_bytes(), type=dict[str, Any])
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def concentrated(self) -> Sequence[str]:
        """What the last training did not publish, because pages alone would put it into very many lists."""
        return (self.last_training() or {}).get("concentrated", ())

    def request(
        self, slot: str | None, people: tuple[str, ...], cart: Iterable[str], strategy: Strategy | None,
        limit: int | None,
    ) -> ListRequest:  # fmt: skip
        """A request for one list, with what its slot says where it says nothing; an unknown slot says nothing either.

        `people` are those whose purchases may be read for who asks, `cart` the products of the page.
        """
        catalog = self._catalogs.catalog
        if catalog is not self._slots_of:
            self._slots = {name: slot_request(each) for name, each in catalog.slots.items()}
            self._slots_of = catalog
        cart = tuple(dict.fromkeys(cart))
        usual = self._slots.get(slot or "", ANY_CART if cart else ANY_PAGE)
        return ListRequest(
            strategy=strategy or usual.strategy,
            limit=limit or usual.limit,
            fallback=usual.fallback,
            cart=cart,
            people=people,
            rules=usual.rules,
        )

    async def lists(self, requests: Sequence[ListRequest], *, counted: bool = True) -> list[ListAnswer]:
        """The answers to requests of one visitor; what they bought lately is read once for all of them.

        A list that somebody looks at to see what would be shown is not `counted`: it is no visitor's.
        """
        recent = NO_HISTORY
        if self._publication is not None and requests and requests[0].people:
            recent = await self._history.recent(requests[0].people)
        purchases = tuple([PastPurchase(each.product_id, each.time / DAY_US) for each in recent.purchases])
        history = None if recent.available else "unavailable"
        return [
            self._answer(
                msgspec.structs.replace(request, purchases=purchases), secrets.token_hex(10), history, counted=counted
            )
            for request in requests
        ]

    def page_list(self, request: ListRequest) -> tuple[ListAnswer, str]:
        """A list for everybody, and its ETag: the same until something else is published, or defined for its slot."""
        etag = hashlib.blake2b(repr((self.versions, request)).encode(), digest_size=12).hexdigest()
        return self._answer(request, f"p{etag}"), f'"{etag}"'

    def _answer(
        self, request: ListRequest, unique: str, history: str | None = None, *, counted: bool = True
    ) -> ListAnswer:
        """The list by what serves now, an empty one before anything is published."""
        strategy, model_version, ranking = request.strategy, None, Ranking((), "popular")
        if self._publication is not None:
            model_version = self._publication.versions[0]
            ranking = self._publication.ranking(request, now_seconds())
        fallback = None if strategy == "popular" else ranking.fallback
        if counted:
            self._telemetry.recommended(strategy, fallback is not None, len(ranking.items))
        name = f"{strategy}.{fallback or NONE}.{model_version or NONE}.{unique}"
        return ListAnswer(name, strategy, model_version, ranking.items, fallback, history)


class ErasedPerson(msgspec.Struct, frozen=True):
    """What a worker needs of an erasure: the digest of the id, and what it is an id of."""

    digest: str
    kind: str


def current_publication(data: Path, before: "Publication | None" = None) -> "Publication":
    """What should be served now, with damages in the log; the first import of numpy in a worker.

    The past of erased people is forgotten at once: who returns is known by the purchases that came after, from the
    store, until the next training.
    """
    from recommender.model.identifiers import erased_digest
    from recommender.ranking.serving import read_publication

    written = read_or_none(data / "tombstones.json")
    stones = [] if written is None else msgspec.json.decode(written, type=list[ErasedPerson])
    erased = frozenset(erased_digest(stone.kind == "user", int(stone.digest[:16], 16)) for stone in stones)
    found = read_publication(data, before, erased)
    for name, cause in found.damages.items():
        logger.error("artefact refused, the former one serves: %s: %s", name, cause)
    return found


def slot_request(slot: Slot) -> ListRequest:
    """What a page asks for that names the slot and nothing else.

    A condition that cannot be judged on products is passed over, because a page must not fail.
    """
    rules, filters = slot.rules, list[Condition]()
    for name, wanted in rules.filter.items():
        try:
            filters += conditions({name: wanted})
        except FilterError as error:
            logger.warning("recommendations.yaml: %s; this rule is not applied", error)
    seconds = rules.repurchase_after_seconds
    listed = ListRules(
        include=rules.include,
        exclude=rules.exclude,
        boosts=tuple(ScoreBoost(each.field, each.value, each.factor) for each in rules.boost),
        conditions=tuple(filters),
        exclude_purchased=rules.exclude_purchased,
        repurchase_after_days=None if seconds is None else seconds / DAY_SECONDS,
        accessories_of=rules.accessories_of,
        diversity=rules.diversity or 0.0,
    )
    return ListRequest(slot.strategy, min(slot.limit, LARGEST_LIMIT), slot.fallback, rules=listed)
