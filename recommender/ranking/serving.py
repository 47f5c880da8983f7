"""What a worker serves from: the published model and catalogue, joined, and the lists that were made lately."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec

from recommender.model.artefact import MODELS, Artefact, ArtefactDamaged, current_version, read_artefact, write_artefact
from recommender.model.frequency import Habit
from recommender.model.identifiers import digest
from recommender.model.model import Model, ModelArrays, Weights
from recommender.model.products import ProductArrays
from recommender.ranking.assortment import Shelf
from recommender.ranking.histories import Bought, habit_now
from recommender.ranking.rank import Ranker
from recommender.ranking.request import Ranking, Wish
from recommender.ranking.rules import Rules
from recommender.ranking.strategies import STRATEGIES, Strategy

KEPT: Final = 500
LONGEST_KEPT: Final = 24  # products of a list
LARGEST_KEPT: Final = 8_192  # bytes, about, of what a caller may write into a question
TEXT_BYTES: Final = 64  # of an empty text
STEP_DAYS: Final = 0.01  # time goes on in steps of a quarter of an hour: no score looks closer
DAY_SECONDS: Final = 86_400.0


class Question(msgspec.Struct, frozen=True):
    """All that a list depends on, besides what is published and the time.

    `customers` are the ids of a customer whom the model knows, nobody else's: strangers who ask the same share a list.
    """

    strategy: Strategy
    fallback: Strategy
    limit: int
    cart: tuple[str, ...]
    customers: tuple[str, ...]
    bought: tuple[Bought, ...]
    rules: Rules


class RecentLists:
    """Makes each list once a step, as of the end of the step; of more than can be kept the oldest goes.

    Large questions are answered anew each time, so that nobody can fill the worker's memory with them.
    """

    def __init__(self, make: Callable[[Question, float], Ranking]) -> None:
        self._make = make
        self._step = 0
        self._made: dict[Question, Ranking] = {}

    def of(self, question: Question, now_seconds: float) -> Ranking:
        """The list for a question; the time is in seconds since 1970."""
        step = math.ceil(now_seconds / DAY_SECONDS / STEP_DAYS)
        if step != self._step:
            self._made.clear()
            self._step = step
        found = self._made.get(question)
        if found is None:
            found = self._make(question, step * STEP_DAYS)
            if question.limit <= LONGEST_KEPT and _bytes(question) <= LARGEST_KEPT:
                self._keep(question, found)
        return found

    def _keep(self, question: Question, made: Ranking) -> None:
        if len(self._made) >= KEPT:
            del self._made[next(iter(self._made))]
        self._made[question] = made


def _bytes(question: Question) -> int:
    rules = question.rules
    texts = [*question.cart, *rules.include, *rules.exclude]
    for condition in rules.conditions:
        texts += map(str, condition.values)
    return sum(map(len, texts)) + TEXT_BYTES * len(texts)


PRODUCTS: Final = "products"


Versions = tuple[str | None, str | None]
Complain = Callable[[ArtefactDamaged], None]


class Loaded:
    """A pair of versions, ready to serve; None stands for what does not exist yet."""

    def __init__(
        self, versions: Versions, shelf: Shelf, facts: Mapping[str, Any], erased: frozenset[int] = frozenset()
    ) -> None:
        self.versions = versions
        self.shelf = shelf
        self.facts = facts
        self._erased = erased
        self._ranker = Ranker(shelf)
        self._lists = RecentLists(self._made)

    def ranking(self, question: Question, now_seconds: float) -> Ranking:
        """The list for a question whose `customers` are all ids of who asks."""
        if question.customers and self.remembered(question.customers) is None:
            question = msgspec.structs.replace(question, customers=())
        return self._lists.of(question, now_seconds)

    def remembered(self, customers: Sequence[str]) -> Habit | None:
        """What the model knows of a customer by any of their ids, the first one first; of an erased one nothing."""
        model = self.shelf.model
        if model is None:
            return None
        for customer in customers:
            found = None if (wanted := digest(customer)) in self._erased else model.habit(wanted)
            if found is not None:
                return found
        return None

    def _made(self, question: Question, day: float) -> Ranking:
        model = self.shelf.model
        remembered = self.remembered(question.customers)
        wish = Wish(
            strategy=question.strategy,
            limit=question.limit,
            fallback=question.fallback,
            cart=question.cart,
            habit=None if model is None else habit_now(model, remembered, question.bought, day),
            bought={each.product_id: each.day for each in sorted(question.bought, key=_day)},
            rules=question.rules,
        )
        return self._ranker.rank(wish, day)


def published(data: Path) -> Versions:
    """The versions that should be served: two small files, looked at each half second."""
    return current_version(data / MODELS), current_version(data / PRODUCTS)


def load(data: Path, wanted: Versions, before: Loaded | None, erased: frozenset[int], complain: Complain) -> Loaded:
    """What should be served. For a damaged artefact the former one goes on serving, and `complain` hears its name."""
    former = (before.versions[0], before.shelf.model, before.facts) if before is not None else (None, None, {})
    model_version, model, facts = former
    if wanted[0] is not None and wanted[0] != model_version:
        try:
            artefact = read_artefact(data / MODELS, wanted[0])
            model_version, model, facts = wanted[0], model_of(artefact), artefact.facts
        except ArtefactDamaged as damage:
            complain(damage)
    product_version, products = _products(data, wanted[1], before, complain)
    return Loaded((model_version, product_version), Shelf(model, products), facts, erased)


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


def read_products(data: Path) -> ProductArrays | None:
    """The published catalogue, None before the first. Raises ArtefactDamaged."""
    version = current_version(data / PRODUCTS)
    return None if version is None else _product_arrays(read_artefact(data / PRODUCTS, version))


def _products(
    data: Path, wanted: str | None, before: Loaded | None, complain: Complain
) -> tuple[str | None, ProductArrays | None]:
    former = (before.versions[1], before.shelf.products) if before is not None else (None, None)
    if wanted is None or wanted == former[0]:
        return former
    try:
        return wanted, _product_arrays(read_artefact(data / PRODUCTS, wanted))
    except ArtefactDamaged as damage:
        complain(damage)
        return former


def _product_arrays(artefact: Artefact) -> ProductArrays:
    try:
        return ProductArrays(**artefact.arrays)
    except TypeError as error:
        raise ArtefactDamaged(artefact.version, f"it is not of this release's making ({error})"[:200]) from None


def _day(bought: Bought) -> float:
    return bought.day
