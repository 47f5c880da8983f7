"""What a worker serves from: the published model and catalogue, joined, and the lists that were made lately."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec

from kit.time import DAY_SECONDS
from recommender.model.artefact import MODELS, Artefact, ArtefactDamaged, current_version, read_artefact, write_artefact
from recommender.model.frequency import Habit
from recommender.model.identifiers import person_digest
from recommender.model.model import Model, ModelArrays, Weights
from recommender.model.products import ProductArrays
from recommender.ranking.assortment import Assortment
from recommender.ranking.histories import habit_now
from recommender.ranking.rank import Ranker
from recommender.ranking.request import STRATEGIES, ListRequest, Ranking

KEPT: Final = 500
LONGEST_KEPT: Final = 24  # products of a list
LARGEST_KEPT: Final = 8_192  # bytes, about, of what a caller may write into a request
TEXT_BYTES: Final = 64  # of an empty text
STEP_DAYS: Final = 0.01  # time goes on in steps of a quarter of an hour: no score looks closer


class RecentLists:
    """Makes each list once a step, as of the end of the step; of more than can be kept the oldest goes.

    Large requests are answered anew each time, so that nobody can fill the worker's memory with them.
    """

    def __init__(self, make: Callable[[ListRequest, float], Ranking]) -> None:
        self._make = make
        self._step = 0
        self._made: dict[ListRequest, Ranking] = {}

    def of(self, request: ListRequest, now_seconds: float) -> Ranking:
        """The list for a request; the time is in seconds since 1970."""
        step = math.ceil(now_seconds / DAY_SECONDS / STEP_DAYS)
        if step != self._step:
            self._made.clear()
            self._step = step
        found = self._made.get(request)
        if found is None:
            found = self._make(request, step * STEP_DAYS)
            rules = request.rules
            texts = [*request.cart, *rules.include, *rules.exclude]
            texts += [str(value) for condition in rules.conditions for value in condition.values]
            size = sum(map(len, texts)) + TEXT_BYTES * len(texts)
            if request.limit <= LONGEST_KEPT and size <= LARGEST_KEPT:
                if len(self._made) >= KEPT:
                    del self._made[next(iter(self._made))]
                self._made[request] = found
        return found


PRODUCTS: Final = "products"
NO_DAMAGES: Final[Mapping[str, str]] = {}

Versions = tuple[str | None, str | None]


class Publication:
    """The published model and products, ready to serve; a version of None stands for what does not exist yet.

    `damages` names each artefact that was refused, with the cause: the former one serves in its place.
    """

    def __init__(
        self,
        versions: Versions,
        assortment: Assortment,
        facts: Mapping[str, Any],
        erased: frozenset[int] = frozenset(),
        damages: Mapping[str, str] = NO_DAMAGES,
    ) -> None:
        self.versions = versions
        self.assortment = assortment
        self.facts = facts
        self.damages = damages
        self._erased = erased
        self._ranker = Ranker(assortment)
        self._lists = RecentLists(self._made)

    def ranking(self, request: ListRequest, now_seconds: float) -> Ranking:
        """The list; all strangers who ask the same share one."""
        if request.people and self.remembered(request.people) is None:
            request = msgspec.structs.replace(request, people=())
        return self._lists.of(request, now_seconds)

    def remembered(self, people: Sequence[str]) -> Habit | None:
        """What the model knows of somebody by any of their names, the first one first; of an erased one nothing."""
        model = self.assortment.model
        if model is None:
            return None
        for each in people:
            found = None if (wanted := person_digest(each)) in self._erased else model.habit(wanted)
            if found is not None:
                return found
        return None

    def _made(self, request: ListRequest, day: float) -> Ranking:
        model = self.assortment.model
        remembered = self.remembered(request.people)
        habit = None if model is None else habit_now(model, remembered, request.purchases, day)
        return self._ranker.rank(request, habit, day)


def read_publication(data: Path, before: Publication | None, erased: frozenset[int]) -> Publication:
    """What should be served now; what has not changed since `before` is not read again."""
    damages: dict[str, str] = {}
    model_version, product_version = before.versions if before is not None else (None, None)
    model, products = (before.assortment.model, before.assortment.products) if before is not None else (None, None)
    facts = before.facts if before is not None else {}
    wanted = current_version(data / MODELS)
    try:
        if wanted is not None and wanted != model_version:
            artefact = read_artefact(data / MODELS, wanted)
            model_version, model, facts = wanted, model_of(artefact), artefact.facts
    except ArtefactDamaged as damage:
        damages[damage.name] = damage.cause
    wanted = current_version(data / PRODUCTS)
    try:
        if wanted is not None and wanted != product_version:
            product_version, products = wanted, _product_arrays(read_artefact(data / PRODUCTS, wanted))
    except ArtefactDamaged as damage:
        damages[damage.name] = damage.cause
    return Publication((model_version, product_version), Assortment(model, products), facts, erased, damages)


def model_facts(weights: Weights, at_day: float, strategies: frozenset[str]) -> dict[str, Any]:
    """What the manifest says of a model, as `model_of` reads it; the cut-off in whole seconds."""
    cut_off = datetime.fromtimestamp(round(at_day * DAY_SECONDS), UTC).isoformat()
    return {"cut_off": cut_off, "strategies": sorted(strategies), "weights": weights.as_json()}


def as_served(
    arrays: ModelArrays, weights: Weights, at_day: float, strategies: frozenset[str], drafts: Path | None = None
) -> Model:
    """A model as a worker would have it: written below `drafts`, loaded, its files gone once nobody maps them.

    Raises ArtefactDamaged.
    """
    with TemporaryDirectory(prefix=".draft-", dir=drafts) as folder:
        written = write_artefact(Path(folder), "draft", arrays.as_dict(), model_facts(weights, at_day, strategies))
        return model_of(read_artefact(written.parent, written.name))


def model_of(artefact: Artefact) -> Model:
    """The model of an artefact. Raises ArtefactDamaged when it is of another making, naming what is wrong."""
    try:
        arrays = ModelArrays(**artefact.arrays)
        weights = Weights.from_json(artefact.facts["weights"])
        at_day = datetime.fromisoformat(artefact.facts["cut_off"]).timestamp() / DAY_SECONDS
        unknown = sorted(set(artefact.facts["strategies"]) - set(STRATEGIES))
        if unknown:
            raise ValueError(f"strategies: {unknown[0]!r} is unknown")
        return Model(arrays, weights, at_day, frozenset(artefact.facts["strategies"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ArtefactDamaged(artefact.version, f"it is not of this release's making ({error})"[:200]) from None


def published_products(data: Path) -> ProductArrays | None:
    """The published catalogue, None before the first. Raises ArtefactDamaged."""
    version = current_version(data / PRODUCTS)
    return None if version is None else _product_arrays(read_artefact(data / PRODUCTS, version))


def _product_arrays(artefact: Artefact) -> ProductArrays:
    try:
        return ProductArrays(**artefact.arrays)
    except TypeError as error:
        raise ArtefactDamaged(artefact.version, f"it is not of this release's making ({error})"[:200]) from None
