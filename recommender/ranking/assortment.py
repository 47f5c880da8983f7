"""Everything that can be shown now: the catalogue of products joined with the model, by place on the shelf."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from recommender.model.identifiers import UNKNOWN, Bools, Floats, Index, Ints, Texts
from recommender.model.model import Model
from recommender.model.products import ProductArrays
from recommender.ranking.rules import Condition, chosen_codes, holds

NEWCOMER: Final = 0.5  # of its category's usual popularity is what a product without purchases is given
NO_GROUP: Final = -1
NOTHING: Final = np.empty(0, np.int32)


class Shelf:
    """Products by place: the catalogue's rows, or the model's products where the shop sent no catalogue."""

    def __init__(self, model: Model | None, products: ProductArrays | None) -> None:
        self.model = model
        self.products = products
        if products is not None:
            self.ids = Texts(products.id_blob, products.id_offsets)
            self.index = Index(products.id_digests, products.id_places)
            self.of_model, self.model_codes = _joined(model, products)
        elif model is not None:
            self.ids, self.index = model.ids, model.index
            self.of_model = self.model_codes = np.arange(model.size, dtype=np.int32)
        else:
            self.ids, self.index = Texts.of([]), Index.of([])
            self.of_model = self.model_codes = NOTHING
        self.size = len(self.ids)
        self.category, self.categories = self._categories()
        self._groupless = self._code_of_no_group()
        self.popularity = self._popularity()
        self.order = np.argsort(-self.popularity, kind="stable").astype(np.int32)
        self.newcomers = np.flatnonzero(self.model_codes == UNKNOWN).astype(np.int32)
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
            if len(self._passing) >= 32:
                self._passing.clear()
            mask = self._passing[condition] = self._judged(condition)
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

    def _judged(self, condition: Condition) -> Bools:
        products = self.products
        negative = condition.operator in ("$ne", "$nin")
        if condition.field == "product_id":
            mask = np.zeros(self.size, np.bool_)
            mask[self.find([str(value) for value in condition.values])] = True
            return ~mask if negative else mask
        if condition.field == "category":
            return np.isin(self.category, chosen_codes(condition, self.categories.all()))
        if products is None:
            in_stock = condition.field == "in_stock"  # as of a row of the catalogue that does not say
            return holds(condition, np.ones(self.size, np.bool_)) if in_stock else np.full(self.size, negative)
        if condition.field in ("price", "in_stock"):
            return holds(condition, getattr(products, condition.field))
        codes, names = self._labels(products)[condition.field]
        return np.isin(codes, chosen_codes(condition, names.all()))

    def _labels(self, products: ProductArrays) -> Mapping[str, tuple[Ints, Texts]]:
        return {
            "brand": (products.brand, Texts(products.brand_blob, products.brand_offsets)),
            "group_id": (products.group, Texts(products.group_blob, products.group_offsets)),
        }

    def _categories(self) -> tuple[Ints, Texts]:
        if self.products is not None:
            return self.products.category, Texts(self.products.category_blob, self.products.category_offsets)
        if self.model is not None:
            return self.model.arrays.category, self.model.categories
        return NOTHING, Texts.of([])

    def _code_of_no_group(self) -> int:
        """The code of the empty name among the groups."""
        if self.products is None:
            return NO_GROUP
        empty = np.flatnonzero(np.diff(self.products.group_offsets) == 0)
        return int(empty[0]) if len(empty) else NO_GROUP

    def _popularity(self) -> Floats:
        """The model's, and for products without purchases a share of what their category usually has."""
        values = np.zeros(self.size, np.float32)
        if self.model is None:
            return values
        known = self.model_codes >= 0
        values[known] = self.model.arrays.popularity[self.model_codes[known]]
        if known.all() or not known.any():
            return values
        counts = np.bincount(self.category[known], minlength=len(self.categories))
        sums = np.bincount(self.category[known], values[known], len(self.categories))
        usual = (sums / np.maximum(counts, 1)).astype(np.float32)
        values[~known] = NEWCOMER * usual[self.category[~known]]
        return values


def _joined(model: Model | None, products: ProductArrays) -> tuple[Ints, Ints]:
    """Model code → place, and place → model code; UNKNOWN where there is none."""
    size = len(products.price)
    if model is None:
        return NOTHING, np.full(size, UNKNOWN, np.int32)
    codes = np.full(size, UNKNOWN, np.int32)
    codes[products.id_places] = model.index.find_digests(products.id_digests)
    of_model = np.full(model.size, UNKNOWN, np.int32)
    known = codes >= 0
    of_model[codes[known]] = np.flatnonzero(known)
    return of_model, codes
