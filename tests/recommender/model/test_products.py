"""Uploads of products: every bad row is named, and a catalogue is taken whole or not at all."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recommender.model.artefact import current_version
from recommender.model.product_feed import Format, import_products, read_products_file
from recommender.ranking.serving import published_products

FIELDS = st.sampled_from(["product_id", "price", "in_stock", "category", "x"])
VALUES = st.none() | st.text(max_size=5) | st.integers() | st.floats(allow_nan=False)


def upload(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "upload"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"category": "Tea"}, "row 2: product_id is missing; each product needs one, as text"),
        ({"product_id": ""}, "row 2: product_id is missing"),
        ({"product_id": None}, "row 2: product_id is missing"),
        ({"product_id": ["a"]}, "row 2: product_id ['a']: an id is text or a whole number, this is a list"),
        ({"product_id": "a" * 257}, "row 2: product_id 'aaa"),
        ({"product_id": "a\u0000"}, "control characters"),
        ({"product_id": "a", "price": -1}, "row 2: price -1 must be a number from 0"),
        ({"product_id": "a", "price": "cheap"}, "row 2: price 'cheap' must be a number"),
        ({"product_id": "a", "price": "NaN"}, "must be a number"),
        ({"product_id": "a", "price": True}, "must be a number"),
        ({"product_id": "a", "price": 1e300}, "must be a number"),
        ({"product_id": "a", "in_stock": "maybe"}, "in_stock 'maybe' must be true or false"),
        ({"product_id": "a", "category": {"a": 1}}, "category must be a text"),
        ({"product_id": "a", "accessories_of": 7}, "accessories_of must be a list"),
        ({"product_id": "first"}, "row 2: product_id 'first' was in row 1 already"),
        ("text", "row 2: it is not a JSON object"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_taken(row: object, words: str, tmp_path: Path) -> None:
    content = json.dumps({"product_id": "first"}) + "\n" + json.dumps(row)
    imported = import_products(tmp_path, upload(tmp_path, content.encode()), "ndjson")
    assert imported.version is None
    assert imported.bad_rows == 1
    assert words in imported.errors[0]
    assert current_version(tmp_path) is None


@pytest.mark.parametrize(
    ("content", "form", "words"),
    [
        (b"", "ndjson", "holds no product"),
        (b"{", "ndjson", "it is not JSON"),
        (b'{"product_id": "\xff"}', "ndjson", "it is not JSON"),
        (b'{"product_id": "\\ud800"}', "ndjson", "half of a surrogate pair"),
        (b'{"product_id": "a", "price": NaN}', "ndjson", "it is not JSON"),
        (b"[" * 100_000, "ndjson", "it is not JSON"),
        (b"product_id,price\na,1,2\n", "csv", "more cells than the first line has names"),
        (b"name\nx\n", "csv", "product_id is missing"),
        (b"product_id\n\xff\n", "csv", "it is not UTF-8"),
        (b'product_id\n"a', "csv", "it is not CSV"),
        (b"PAR1 nothing", "parquet", "it is not a readable Parquet file"),
    ],
)
def test_an_upload_that_is_not_what_it_says_is_explained(
    content: bytes, form: Format, words: str, tmp_path: Path
) -> None:
    imported = import_products(tmp_path, upload(tmp_path, content), form)
    assert imported.version is None
    assert words in imported.errors[0]


def test_all_three_forms_say_the_same(tmp_path: Path) -> None:
    rows = [
        {"product_id": "sku-1", "category": "Camping > Stoves", "price": 49.9, "in_stock": True},
        {"product_id": "sku-2", "brand": "Primus", "price": 5.0, "in_stock": False, "accessories_of": "sku-1"},
    ]
    lines = "\n".join(json.dumps(row) for row in rows)
    comma = "product_id,category,brand,price,in_stock,accessories_of\n"
    comma += "sku-1,Camping > Stoves,,49.9,true,\nsku-2,,Primus,5,false,sku-1\n"
    table = tmp_path / "rows.parquet"
    names = {**rows[0], **rows[1]}
    pq.write_table(pa.Table.from_pylist([{name: row.get(name) for name in names} for row in rows]), table)
    found = [
        read_products_file(upload(tmp_path, lines.encode()), "ndjson"),
        read_products_file(upload(tmp_path, b"\xef\xbb\xbf" + comma.encode()), "csv"),
        read_products_file(table, "parquet"),
    ]
    assert found[0].errors == []
    assert found[0] == found[1] == found[2]


def test_a_published_catalogue_is_read_back(tmp_path: Path) -> None:
    content = b'{"product_id": "a", "price": 3}\n{"product_id": "b", "accessories_of": ["a", "gone"]}'
    folder = tmp_path / "products"
    folder.mkdir()
    imported = import_products(folder, upload(tmp_path, content), "ndjson")
    assert imported.products == 2
    products = published_products(tmp_path)
    assert products is not None
    assert products.price.tolist()[0] == 3
    assert products.accessory_items.tolist() == [1]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # a busy machine is no finding
@given(st.lists(st.dictionaries(FIELDS, VALUES, max_size=4)))
def test_no_row_whatsoever_breaks_the_reader(rows: list[dict[str, object]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = upload(Path(folder), "\n".join(json.dumps(row) for row in rows).encode())
        reading = read_products_file(path, "ndjson")
    assert len(reading.products) + len(reading.errors) == len(rows)
