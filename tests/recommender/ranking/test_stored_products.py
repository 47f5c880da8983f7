"""A shop's catalogue is read as it was uploaded, in every form and after it was published."""

import csv
import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from kit.values import identifier
from recommender.model.identifiers import Index, Texts
from recommender.model.product_feed import LARGEST_PRICE, import_products, read_products_file
from recommender.model.products import SHOWN, ProductRow
from recommender.ranking.serving import published_products

KNOWN = (
    "product_id", "name", "category", "brand", "price", "in_stock", "url", "image_url", "group_id", "accessories_of",
)  # fmt: skip

FEW = settings(max_examples=25, phases=(Phase.explicit, Phase.generate))  # too slow on the disk to be made smaller
CLEAN = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="|"), min_size=1, max_size=8)
IDS = CLEAN.filter(lambda text: identifier(text) == text)  # others are refused, which is tested elsewhere
PRODUCTS = st.lists(
    st.builds(
        ProductRow,
        product_id=IDS,
        **{name: st.none() | CLEAN for name in ("name", "url", "image_url")},
        **{name: st.just("") | CLEAN for name in ("category", "brand", "group_id")},
        price=st.none() | st.floats(0, LARGEST_PRICE),
        in_stock=st.booleans(),
        accessories_of=st.lists(IDS, max_size=3).map(tuple),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda product: product.product_id,
)


def rows(products: list[ProductRow]) -> list[dict[str, Any]]:
    """What a shop would send: nothing where it knows nothing."""
    known = [{name: value for name, value in asdict(each).items() if value not in (None, "", ())} for each in products]
    return [{**row, "in_stock": each.in_stock} for row, each in zip(known, products, strict=True)]


def in_every_form(folder: Path, products: list[ProductRow]) -> list[tuple[Path, Any]]:
    sent = rows(products)
    (folder / "ndjson").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in sent), encoding="utf-8")
    with (folder / "csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, KNOWN)
        writer.writeheader()
        writer.writerows({**row, "accessories_of": "|".join(row.get("accessories_of", ()))} for row in sent)
    kinds = {"price": pa.float64(), "in_stock": pa.bool_(), "accessories_of": pa.list_(pa.string())}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in KNOWN])
    pq.write_table(pa.Table.from_pylist(sent, schema=schema), folder / "parquet")
    return [(folder / form, form) for form in ("ndjson", "csv", "parquet")]


@FEW
@given(PRODUCTS)
def test_a_catalogue_says_the_same_in_every_form(products: list[ProductRow]) -> None:
    with TemporaryDirectory() as folder:
        for path, form in in_every_form(Path(folder), products):
            reading = read_products_file(path, form)
            assert (reading.errors, reading.products) == ([], products), form


@FEW
@given(PRODUCTS)
def test_a_published_catalogue_says_of_every_product_what_was_uploaded(products: list[ProductRow]) -> None:
    with TemporaryDirectory() as data:
        (Path(data) / "products").mkdir()
        import_products(Path(data) / "products", *in_every_form(Path(data), products)[0])
        found = published_products(Path(data))
    assert found is not None
    places = Index(found.id_digests, found.id_places).find([product.product_id for product in products])
    assert places.tolist() == list(range(len(products)))
    for name, codes in (("category", found.category), ("brand", found.brand), ("group", found.group)):
        texts = Texts(getattr(found, f"{name}_blob"), getattr(found, f"{name}_offsets")).all()
        field = "group_id" if name == "group" else name
        assert [texts[code] for code in codes.tolist()] == [getattr(product, field) for product in products]
    assert [None if price != price else price for price in found.price.tolist()] == [each.price for each in products]
    assert found.in_stock.tolist() == [product.in_stock for product in products]
    offsets, ids = found.accessory_offsets.tolist(), [product.product_id for product in products]
    for place, (row, main) in enumerate(zip(rows(products), ids, strict=True)):
        accessories = [ids[item] for item in found.accessory_items[offsets[place] : offsets[place + 1]].tolist()]
        assert accessories == [each.product_id for each in products for of in each.accessories_of if of == main]
        shown = found.shown(place)
        assert ({} if shown is None else msgspec.json.decode(shown)) == {n: row[n] for n in SHOWN if n in row}
