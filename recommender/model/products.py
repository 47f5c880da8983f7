"""The shop's catalogue of products as columns."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from recommender.model.identifiers import Doubles, Index, Ints, Texts
from recommender.model.purchases import codes

FIELDS: Final = ("product_id", "category", "brand", "price", "in_stock", "group_id")  # what filters may name
SHOWN: Final = ("name", "category", "brand", "price", "url", "image_url")  # what a list repeats of a product
NONE: Final = ""


@dataclass(frozen=True, slots=True)
class ProductRow:
    """One row of the catalogue. `price` is in the shop's currency; `accessories_of` are the products it belongs to."""

    product_id: str
    name: str | None = None
    category: str = NONE
    brand: str = NONE
    price: float | None = None
    in_stock: bool = True
    url: str | None = None
    image_url: str | None = None
    group_id: str = NONE
    accessories_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProductArrays:
    """The catalogue's columns over its rows; `accessory_items[accessory_offsets[p] : …[p + 1]]` go with row p.

    `shown_*` hold what a page needs to show a product, as JSON that answers repeat unread.
    """

    id_blob: npt.NDArray[np.uint8]
    id_offsets: npt.NDArray[np.int64]
    id_digests: npt.NDArray[np.uint64]
    id_places: Ints
    category: Ints
    category_blob: npt.NDArray[np.uint8]
    category_offsets: npt.NDArray[np.int64]
    brand: Ints
    brand_blob: npt.NDArray[np.uint8]
    brand_offsets: npt.NDArray[np.int64]
    group: Ints
    group_blob: npt.NDArray[np.uint8]
    group_offsets: npt.NDArray[np.int64]
    price: Doubles
    in_stock: npt.NDArray[np.bool_]
    accessory_offsets: npt.NDArray[np.int64]
    accessory_items: Ints
    shown_blob: npt.NDArray[np.uint8]
    shown_offsets: npt.NDArray[np.int64]

    def as_dict(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays by name, as an artefact keeps them."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def shown(self, place: int) -> msgspec.Raw | None:
        """The JSON object of what the catalogue knows of SHOWN, None where it knows nothing."""
        start, end = self.shown_offsets[place : place + 2].tolist()
        return msgspec.Raw(self.shown_blob[start:end].tobytes()) if end > start else None


def product_arrays(products: Sequence[ProductRow]) -> ProductArrays:
    """The columns of a catalogue; a price that is not known is NaN."""
    names = [product.product_id for product in products]
    ids, index = Texts.of(names), Index.of(names)
    category_names, category = codes([product.category for product in products])
    brand_names, brand = codes([product.brand for product in products])
    group_names, group = codes([product.group_id for product in products])
    labels = [Texts.of(each) for each in (category_names, brand_names, group_names)]
    # For each product what the merchant says goes with it; products that are not in the catalogue are passed over.
    pairs = [(main, place) for place, product in enumerate(products) for main in product.accessories_of]
    mains = index.find([main for main, _ in pairs])
    accessories = np.array([place for _, place in pairs], np.int32)[mains >= 0]
    mains = mains[mains >= 0]
    counts = np.bincount(mains, minlength=len(products))
    texts: list[str] = []
    for product in products:
        known = {name: value for name in SHOWN if (value := getattr(product, name)) not in (None, NONE)}
        texts.append(msgspec.json.encode(known).decode() if known else NONE)
    shown = Texts.of(texts)
    return ProductArrays(
        id_blob=ids.blob,
        id_offsets=ids.offsets,
        id_digests=index.digests,
        id_places=index.places,
        category=category,
        category_blob=labels[0].blob,
        category_offsets=labels[0].offsets,
        brand=brand,
        brand_blob=labels[1].blob,
        brand_offsets=labels[1].offsets,
        group=group,
        group_blob=labels[2].blob,
        group_offsets=labels[2].offsets,
        price=np.array([np.nan if product.price is None else product.price for product in products], np.float64),
        in_stock=np.array([product.in_stock for product in products], np.bool_),
        accessory_offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        accessory_items=accessories[np.argsort(mains, kind="stable")],
        shown_blob=shown.blob,
        shown_offsets=shown.offsets,
    )
