"""`PUT /v1/products` over HTTP."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from servers.one_worker import SECRET, OneWorker
from servers.patience import until

from app.management.products import AT_ONCE
from app.runtime.data_directory import DataDirectory
from kit.child import place

ROWS = [{"product_id": f"p-{n}", "category": f"C{n % 3}", "price": float(n), "in_stock": n % 2 == 0} for n in range(30)]
NDJSON = {"content-type": "application/x-ndjson"}


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneWorker]:
    with OneWorker(tmp_path_factory.mktemp("uploading")) as running:
        yield running


@pytest.fixture
def secret(worker: OneWorker) -> Iterator[httpx.Client]:
    with worker.client(SECRET) as found:
        yield found


def lines(rows: list[dict[str, Any]]) -> bytes:
    return "\n".join(json.dumps(row) for row in rows).encode()


def shown(client: httpx.Client, **body: Any) -> set[str]:
    return {item["product_id"] for item in client.post("/v1/recommendations", json=body).json()["items"]}


def until_shown(client: httpx.Client, *products: str) -> None:
    until(lambda: shown(client, limit=100) == {*products}, f"{len(products)} products are shown")


def published(worker: OneWorker) -> dict[str, bytes]:
    """Every file of the catalogues by its place."""
    folder = worker.settings.data / "products"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_new_catalogue_is_shown_without_a_restart(secret: httpx.Client) -> None:
    answer = secret.put("/v1/products", content=lines(ROWS), headers=NDJSON)
    assert (answer.status_code, answer.json()["products"]) == (200, 30)
    until_shown(secret, *[row["product_id"] for row in ROWS])
    kept = shown(secret, limit=100, filter={"category": {"$in": ["C1"]}, "price": {"$gte": 12}, "in_stock": True})
    assert kept == {"p-16", "p-22", "p-28"}


SHOWN = {
    "name": "Größe „L“",
    "category": "Tents > Two",
    "brand": "Hilleberg",
    "price": 12.5,
    "url": "/tent?a=1&b=2",
    "image_url": "https://shop.example/tent.jpg",
}


@pytest.mark.parametrize("form", ["ndjson", "csv", "parquet"])
def test_a_list_repeats_what_the_catalogue_says_of_each_product(secret: httpx.Client, form: str) -> None:
    rows = [
        {"product_id": f"{form}-1", **SHOWN},
        {"product_id": f"{form}-2", "price": 3.0},
        {"product_id": f"{form}-3"},
    ]
    table = pa.Table.from_pylist([{"product_id": "", **dict.fromkeys(SHOWN), **row} for row in rows])
    written = io.BytesIO(lines(rows) if form == "ndjson" else b"")
    {"ndjson": lambda *_: None, "csv": pc.write_csv, "parquet": pq.write_table}[form](table, written)
    body = written.getvalue()
    headers = NDJSON if form == "ndjson" else {"content-type": "text/csv"}
    assert secret.put("/v1/products", content=body, headers=headers).status_code == 200
    until_shown(secret, *[row["product_id"] for row in rows])
    items = secret.post("/v1/recommendations", json={}).json()["items"]
    told = {item["product_id"]: item.get("product") for item in items}
    assert told == {f"{form}-1": SHOWN, f"{form}-2": {"price": 3.0}, f"{form}-3": None}
    assert "product" not in next(item for item in items if item["product_id"] == f"{form}-3")
    page = secret.get(f"/v1/recommendations/{form}-2").json()["items"]
    assert SHOWN in [item.get("product") for item in page]


def test_csv_and_parquet_replace_it_as_a_whole(secret: httpx.Client) -> None:
    table = io.BytesIO()
    pq.write_table(pa.table({"product_id": ["only"], "price": [3.5]}), table)
    assert secret.put("/v1/products", content=table.getvalue()).json()["products"] == 1
    until_shown(secret, "only")
    csv = b"product_id,price\nx,1\ny,2\n"
    assert secret.put("/v1/products", content=csv, headers={"content-type": "text/csv"}).json()["products"] == 2
    until_shown(secret, "x", "y")


def test_a_bad_row_costs_nothing_of_what_is_there(worker: OneWorker, secret: httpx.Client) -> None:
    secret.put("/v1/products", content=lines(ROWS[:3]), headers=NDJSON)
    until_shown(secret, "p-0", "p-1", "p-2")
    before = published(worker)
    bad = [*ROWS, {"price": 1}, {"product_id": "p-0"}, {"product_id": "q", "price": -1}]
    answer = secret.put("/v1/products", content=lines(bad), headers=NDJSON)
    assert (answer.status_code, answer.json()["code"], answer.json()["bad_rows"]) == (400, "invalid_products", 3)
    for words in ("row 31: product_id is missing", "row 32: product_id 'p-0' was in row 1", "row 33: price -1"):
        assert words in answer.json()["detail"]
    assert published(worker) == before
    assert shown(secret) == {"p-0", "p-1", "p-2"}


def test_a_thousand_bad_rows_fit_into_one_answer(secret: httpx.Client) -> None:
    answer = secret.put("/v1/products", content=b"{}\n" * 1000, headers=NDJSON)
    assert answer.json()["bad_rows"] == 1000
    assert len(answer.content) < 4096
    assert "and 980 more rows" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"content-type": "image/png"}, 415), ({}, 415), ({"content-type": "text/csv", "content-encoding": "gzip"}, 415)],
)
def test_what_is_no_catalogue_is_refused(secret: httpx.Client, headers: dict[str, str], status: int) -> None:
    assert secret.put("/v1/products", content=b"product_id\na\n", headers=headers).status_code == status


def test_a_publishable_key_may_not_change_it(worker: OneWorker) -> None:
    with worker.client() as client:
        assert client.put("/v1/products", content=lines(ROWS), headers=NDJSON).status_code == 403


def test_an_upload_leaves_nothing_behind(worker: OneWorker, secret: httpx.Client) -> None:
    secret.put("/v1/products", content=b"{}", headers=NDJSON)
    assert not list(DataDirectory(worker.settings.data).uploads.glob(".tmp-*"))


def test_a_third_catalogue_at_once_is_asked_to_come_again(secret: httpx.Client, worker: OneWorker) -> None:
    uploads = DataDirectory(worker.settings.data).uploads
    before = secret.get("/v1/recommender").json()["products"]
    with place(uploads, AT_ONCE), place(uploads, AT_ONCE):
        refused = secret.put("/v1/products", content=lines(ROWS[:3]), headers=NDJSON)
    assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (503, "catalogue_busy", "5")
    assert not list(uploads.glob(".tmp-*"))
    assert secret.get("/v1/recommender").json()["products"] == before
    assert secret.put("/v1/products", content=lines(ROWS), headers=NDJSON).status_code == 200


def test_the_catalogue_survives_a_restart(tmp_path: Path) -> None:
    with OneWorker(tmp_path) as first, first.client(SECRET) as client:
        client.put("/v1/products", content=lines(ROWS[:4]), headers=NDJSON)
        settings = first.settings
    (tmp_path / "definitions").rename(tmp_path / "old")
    with OneWorker(tmp_path) as second, second.client() as client:
        assert second.settings.data == settings.data
        assert shown(client) == {"p-0", "p-1", "p-2", "p-3"}
