"""What a worker serves from: the published model and the published catalogue of products, loaded and joined."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from recommender.artefact import Artefact, ArtefactDamaged, current_version, read_artefact
from recommender.frequency import Habit
from recommender.histories import Bought, habit_now
from recommender.identifiers import digest
from recommender.model import Model, ModelArrays
from recommender.products import ProductArrays
from recommender.rank import Ranker
from recommender.shelf import Shelf
from recommender.weights import Weights

MODELS: Final = "models"
PRODUCTS: Final = "products"
DAY_SECONDS: Final = 86_400.0

Versions = tuple[str | None, str | None]
Complain = Callable[[ArtefactDamaged], None]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A pair of versions, ready to serve; None stands for what does not exist yet."""

    versions: Versions
    model: Model | None
    facts: dict[str, Any]
    ranker: Ranker
    erased: frozenset[int] = frozenset()

    def remembered(self, customers: list[str]) -> Habit | None:
        """What the model knows of a customer by any of their ids, the first one first; of an erased one nothing."""
        if self.model is None:
            return None
        for customer in customers:
            found = None if (wanted := digest(customer)) in self.erased else self.model.habit(wanted)
            if found is not None:
                return found
        return None

    def habit(self, customers: list[str], bought: list[Bought], day: float) -> Habit | None:
        """The customer's habit as of `day`; None for a stranger."""
        return None if self.model is None else habit_now(self.model, self.remembered(customers), bought, day)

    def last_bought(self, habit: Habit | None, bought: list[Bought]) -> dict[str, float]:
        """When each product was bought last, in days since 1970, also those that the model does not know."""
        last = {each.product_id: each.day for each in sorted(bought, key=lambda each: each.day)}
        if habit is not None and self.model is not None:
            for code, day in zip(habit.items.tolist(), habit.last.tolist(), strict=True):
                last.setdefault(self.model.ids[code], day)
        return last


def published(data: Path) -> Versions:
    """The versions that should be served: two small files, looked at each half second."""
    return current_version(data / MODELS), current_version(data / PRODUCTS)


def load(data: Path, wanted: Versions, before: Loaded | None, erased: frozenset[int], complain: Complain) -> Loaded:
    """What should be served. For a damaged artefact the former one goes on serving, and `complain` hears its name."""
    former_model = (before.versions[0], before.model, before.facts) if before is not None else (None, None, {})
    model_version, model, facts = former_model
    if wanted[0] is not None and wanted[0] != model_version:
        try:
            artefact = read_artefact(data / MODELS, wanted[0])
            model_version, model, facts = wanted[0], model_of(artefact), artefact.facts
        except ArtefactDamaged as damage:
            complain(damage)
    product_version, products = _products(data, wanted[1], before, complain)
    shelf = Shelf(model, products)
    return Loaded((model_version, product_version), model, facts, Ranker(shelf), erased)


def model_of(artefact: Artefact) -> Model:
    """The model of an artefact. Raises ArtefactDamaged when it is of another making."""
    try:
        arrays = ModelArrays(**artefact.arrays)
        weights = Weights.from_json(artefact.facts["weights"])
        at_day = datetime.fromisoformat(artefact.facts["cut_off"]).timestamp() / DAY_SECONDS
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
    former = (before.versions[1], before.ranker.shelf.products) if before is not None else (None, None)
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
