"""Everything that can be shown now: the catalogue of products joined with the model, by place in the assortment."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from recommender.model.identifiers import UNKNOWN, Bools, Floats, Index, Ints, Texts
from recommender.model.model import Model
from recommender.model.products import ProductArrays
from recommender.ranking.rules import Condition

NEWCOMER: Final = 0.5  # of its category's usual popularity is what a product without purchases is given
NO_GROUP: Final = -1
NOTHING: Final = np.empty(0, np.int32)
MASKS_KEPT: Final = 32
_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "$gt": np.greater,
    "$gte": np.greater_equal,
    "$lt": np.less,
    "$lte": np.less_equal,
}


class Assortment:
    """Products by place: the catalogue's rows, or the model's products where the shop sent no catalogue.

    `of_model` is model code → place, `model_codes` place → model code; UNKNOWN where there is none.
    """

    def __init__(self, model: Model | None, products: ProductArrays | None) -> None:
        self.model = model
        self.products = products
        self._labels = {"category": (NOTHING, Texts.of([]))}  # of the fields that hold texts
        self._groupless = NO_GROUP  # the code of the empty name among the groups
        if products is not None:
            self.ids = Texts(products.id_blob, products.id_offsets)
            self.index = Index(products.id_digests, products.id_places)
            self._labels = {
                "category": (products.category, Texts(products.category_blob, products.category_offsets)),
                "brand": (products.brand, Texts(products.brand_blob, products.brand_offsets)),
                "group_id": (products.group, Texts(products.group_blob, products.group_offsets)),
            }
            empty = np.flatnonzero(np.diff(products.group_offsets) == 0)
            self._groupless = int(empty[0]) if len(empty) else NO_GROUP
            self.of_model, self.model_codes = NOTHING, np.full(len(self.ids), UNKNOWN, np.int32)
            if model is not None:
                self.model_codes[products.id_places] = model.index.find_digests(products.id_digests)
                self.of_model = np.full(model.size, UNKNOWN, np.int32)
                sold = np.flatnonzero(self.model_codes != UNKNOWN)
                self.of_model[self.model_codes[sold]] = sold
        elif model is not None:
            self.ids, self.index = model.ids, model.index
            self._labels["category"] = (model.arrays.category, model.categories)
            self.of_model = self.model_codes = np.arange(model.size, dtype=np.int32)
        else:
            self.ids, self.index = Texts.of([]), Index.of([])
            self.of_model = self.model_codes = NOTHING
        self.size = len(self.ids)
        self.category, self.categories = self._labels["category"]
        self.newcomers = np.flatnonzero(self.model_codes == UNKNOWN).astype(np.int32)
        self.popularity = self._popularity()
        self.order = np.argsort(-self.popularity, kind="stable").astype(np.int32)
        self._passing: dict[Condition, Bools] = {}

    def find(self, ids: Sequence[str]) -> Ints:
        """The places of these products; unknown ones are left out."""
        if not ids:
            return NOTHING
        found = [place for place in self.index.places_of(ids) if place >= 0]
        return np.array(found, np.int32)

    def passing(self, condition: Condition) -> Bools:
        """Which places satisfy a condition. The last ones asked for are kept."""
        mask = self._passing.get(condition)
        if mask is None:
            if len(self._passing) >= MASKS_KEPT:
                self._passing.clear()
            mask = self._passing[condition] = self._mask(condition)
        return mask

    def brand_codes(self, places: Ints) -> Ints:
        """The brand of each place; one and the same where there is no catalogue."""
        return self.products.brand[places] if self.products is not None else np.zeros(len(places), np.int32)

    def groups(self, places: Ints) -> list[int]:
        """The group of each place, NO_GROUP for none."""
        if self.products is None:
            return [NO_GROUP] * len(places)
        found = self.products.group.take(places)
        found[found == self._groupless] = NO_GROUP
        return found.tolist()

    def accessories(self, place: int) -> Ints:
        """What the catalogue says goes with a product."""
        if self.products is None:
            return NOTHING
        offsets = self.products.accessory_offsets
        return self.products.accessory_items[offsets[place] : offsets[place + 1]]

    def _popularity(self) -> Floats:
        """The model's, and for products without purchases a share of what their category usually has."""
        values = np.zeros(self.size, np.float32)
        if self.model is not None:
            known = self.model_codes != UNKNOWN
            values[known] = self.model.arrays.popularity[self.model_codes[known]]
            values[~known] = NEWCOMER * usual(self.category[known], values[known], self.category[~known])
        return values

    def _mask(self, condition: Condition) -> Bools:
        """Where a condition holds. An unknown value satisfies none, except that it is not equal to anything."""
        field, values = condition.field, condition.values
        if field == "product_id":
            inside = np.zeros(self.size, np.bool_)
            inside[self.find([str(value) for value in values])] = True
        elif field in self._labels:
            codes, names = self._labels[field]
            within = is_path_within if field == "category" else str.__eq__
            hits = [any(within(name, wanted) for wanted in values) for name in names.all()]
            inside = np.isin(codes, np.flatnonzero(hits))
        elif self.products is not None or field == "in_stock":  # as of a row of the catalogue that does not say
            held = np.ones(self.size, np.bool_) if self.products is None else getattr(self.products, field)
            if condition.operator in _COMPARISONS:
                return _COMPARISONS[condition.operator](held, values[0])
            inside = np.isin(held, np.array(values))
        else:
            inside = np.zeros(self.size, np.bool_)
        return ~inside if condition.operator in ("$ne", "$nin") else inside


def usual(labels: Ints, values: Floats, wanted: Ints) -> Floats:
    """The mean value of each wanted label among the labelled values; 0 where there is none."""
    size = int(max(labels.max(initial=-1), wanted.max(initial=-1))) + 1
    counts = np.bincount(labels, minlength=size)
    sums = np.bincount(labels, values, size)
    return (sums / np.maximum(counts, 1)).astype(np.float32)[wanted]


def is_path_within(path: str, wanted: str) -> bool:
    """Whether a category path is `wanted` or lies below it: `Food > Cheese` is within `Food`."""
    return path == wanted or path.startswith(wanted + " > ")
