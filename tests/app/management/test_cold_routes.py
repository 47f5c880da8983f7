"""The cold API against the whole service: results, export, erasure, steering, readiness."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import httpx
import msgspec
import pyarrow.parquet as parquet
import pytest
from servers.faults import of_every_worker
from servers.patience import until
from servers.service import PUBLISHABLE_KEY, SECRET_KEY, Service, running

from app.glossary.entries import descriptions

FILES = {
    "banner.yaml": "key: banner\nstatus: running\nvariants: [control, b]\ngoal: purchase_rate\n",
    "other.yaml": "key: other\nstatus: running\nvariants: [control, b]\ngoal: purchase_rate\n",
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A whole service with forty exposed visitors, of whom every fourth bought something."""
    with running(tmp_path_factory.mktemp("whole"), FILES, RESONATE_WORKERS="2") as service:
        with service.client(PUBLISHABLE_KEY) as client:
            for number in range(40):
                visit(client, f"v-{number}", buys=number % 4 == 0)
        yield service


def visit(client: httpx.Client, visitor: str, buys: bool) -> None:
    client.post("/v1/personalize", json={"visitor_id": visitor, "experiments": ["banner"]}).raise_for_status()
    if buys:
        order = {"order_id": f"o-{visitor}", "revenue": 10, "currency": "EUR"}
        client.post("/v1/track", json={"anonymousId": visitor, "event": "Order Completed", "properties": order})


@pytest.fixture(scope="module")
def analyst(whole: Service) -> Iterator[httpx.Client]:
    with whole.client(SECRET_KEY) as client:
        yield client


def test_results_read_their_own_writes_and_are_not_sent_twice(whole: Service, analyst: httpx.Client) -> None:
    readout = whole.results("banner")
    arms = readout["metrics"][0]["arms"]
    assert sum(arm["units"] for arm in arms) == 40
    assert sum(arm["numerator"] for arm in arms) == 10
    first = analyst.get("/v1/experiments/banner/results")
    again = analyst.get("/v1/experiments/banner/results", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])


def test_a_readout_is_not_sent_again_while_strangers_visit(whole: Service, analyst: httpx.Client) -> None:
    whole.results("banner")
    first = analyst.get("/v1/experiments/banner/results")
    with whole.client(PUBLISHABLE_KEY) as client:
        client.post("/v1/page", json={"anonymousId": "a-stranger", "name": "home"}).raise_for_status()
    again = analyst.get("/v1/experiments/banner/results", headers={"if-none-match": first.headers["etag"]})
    moved = analyst.get("/v1/experiments/banner/results").json()
    assert (again.status_code, moved["pending"]) == (304, 0)
    assert moved["watermark"] > first.json()["watermark"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/experiments",
        "/v1/experiments/banner",
        "/v1/experiments/banner/timeseries?metric=purchase_rate",
        "/v1/experiments/banner/plan",
        "/v1/experiments/banner/units",
        "/v1/results",
        "/v1/results?status=all",
        "/v1/metrics",
        "/v1/cx",
        "/v1/experiments/banner/results?include=sql&metric=purchase_rate",
    ],
)
def test_every_question_of_an_analyst_is_answered_in_json(analyst: httpx.Client, path: str) -> None:
    answer = analyst.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json"), answer.text
    assert answer.headers["cache-control"] == "private, no-cache"
    msgspec.json.decode(answer.content)


@pytest.mark.parametrize(
    ("path", "kind", "begins"),
    [
        ("/v1/experiments/banner/results?format=csv", "text/csv; charset=utf-8", b"experiment"),
        ("/v1/experiments/banner/units?format=parquet", "application/vnd.apache.parquet", b"PAR1"),
        ("/v1/results?format=csv", "text/csv; charset=utf-8", b"experiment"),
        ("/v1/cx?format=csv", "text/csv; charset=utf-8", b"kpi,survey,level,date"),
        ("/v1/cx?format=parquet", "application/vnd.apache.parquet", b"PAR1"),
    ],
)
def test_flat_formats_are_what_they_say(analyst: httpx.Client, path: str, kind: str, begins: bytes) -> None:
    answer = analyst.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind), answer.text
    assert answer.content.startswith(begins)


def test_the_columns_of_a_table_are_explained_in_the_file_or_where_its_header_leads(analyst: httpx.Client) -> None:
    fields = parquet.read_schema(BytesIO(analyst.get("/v1/experiments/banner/results?format=parquet").content))
    notes = {field.name: (field.metadata or {}).get(b"description", b"").decode() for field in fields}
    assert [name for name, note in notes.items() if not note] == []
    assert notes["units_immature"] == descriptions()["units_immature"]
    units = parquet.read_schema(BytesIO(analyst.get("/v1/experiments/banner/units?format=parquet").content))
    assert all(field.metadata[b"description"] for field in units)
    page, document = analyst.get("/v1/experiments/banner/results?format=csv").headers["link"].split(", ")
    assert page == '</dashboard/glossary>; rel="describedby"; type="text/html"'
    assert document == '</openapi.json>; rel="describedby"; type="application/json"'
    assert analyst.get("/openapi.json").status_code == 200


@pytest.mark.parametrize(
    ("path", "statuses"),
    [
        ("/v1/experiments/baner", (404,)),
        ("/v1/experiments/baner/results", (404,)),
        ("/v1/experiments/baner/units", (404,)),
        ("/v1/experiments/banner/results?metric=purchase_rat", (400, 404)),
        ("/v1/experiments/banner/results?dimension=nope", (400, 404)),
        ("/v1/experiments/banner/results?at=yesterday", (400,)),
        ("/v1/experiments/banner/results?phase=-1", (400,)),
        ("/v1/experiments/banner/results?phase=7", (400, 404)),
        ("/v1/experiments/banner/results?format=xml", (400,)),
        ("/v1/experiments/banner/results?nonsense=1", (400,)),
        ("/v1/results?status=stopped", (400,)),
        ("/v1/experiments/banner/timeseries?metric=nope", (400, 404)),
        ("/v1/export/events?cursor=nonsense", (400,)),
        ("/v1/export/events?limit=0", (400,)),
        ("/v1/visitors/null", (400,)),
    ],
)
def test_a_question_that_makes_no_sense_is_told_what_would(
    analyst: httpx.Client, path: str, statuses: tuple[int, ...]
) -> None:
    answer = analyst.get(path)
    assert answer.status_code in statuses, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


def test_the_export_pages_through_every_event_once(whole: Service, analyst: httpx.Client) -> None:
    whole.results("banner")
    rows: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = analyst.get("/v1/export/events", params={"limit": 7, **({"cursor": cursor} if cursor else {})})
        lines = [msgspec.json.decode(line) for line in page.content.splitlines()]
        cursor = page.headers["x-resonate-next-cursor"]
        if not lines and page.headers["x-resonate-pending"] == "0":
            break
        rows += lines
    found = [row["message_id"] for row in rows if row["visitor_id"].startswith("v-")]
    assert len(found) == len(set(found)) == 50
    assert page.headers["content-type"] == "application/x-ndjson"


def test_what_is_held_about_a_visitor_is_told_and_erased(analyst: httpx.Client, whole: Service) -> None:
    with whole.client(PUBLISHABLE_KEY) as client:
        visit(client, "gone/with the wind", buys=True)
    held = analyst.get("/v1/visitors/gone%2Fwith%20the%20wind")
    assert (held.status_code, len(held.json()["events"])) == (200, 2)
    erased = analyst.request("DELETE", "/v1/visitors", json={"id": "gone/with the wind"})
    assert erased.status_code == 202, erased.text
    assert analyst.get("/v1/visitors/gone%2Fwith%20the%20wind").json()["events"] == []
    assert analyst.delete("/v1/users/u-nobody").status_code == 202


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"{}", b'{"id": 1}', b'{"id":"a","id":"b"}', b'{"id":"a","b":1}', b'{"id":"\xff"}'),
        *(b'{"only":["a"]}', b'{"id":"a","only":"b"}', b'{"id":"a","only":[1]}', b'{"id":"a","only":["b",""]}'),
    ],
)
def test_an_erasure_without_one_clear_id_erases_nobody(analyst: httpx.Client, body: bytes) -> None:
    answer = analyst.request("DELETE", "/v1/visitors", content=body)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


def test_an_experiment_is_paused_and_resumed_without_its_file(whole: Service, analyst: httpx.Client) -> None:
    def reason(client: httpx.Client) -> str:
        context = {"targetingKey": "steered", "resonate.expose": False}
        return client.post("/ofrep/v1/evaluate/flags/other", json={"context": context}).json()["reason"]

    assert reason(analyst) == "SPLIT"
    paused = analyst.post("/v1/experiments/other/pause")
    assert (paused.status_code, paused.json()["status"]) == (202, "paused")
    until(lambda: of_every_worker(whole, reason) == ["DISABLED"] * 2, "it is paused")
    assert analyst.post("/v1/experiments/other/resume").status_code == 202
    until(lambda: of_every_worker(whole, reason) == ["SPLIT"] * 2, "it goes on")
    unknown = analyst.post("/v1/experiments/othr/pause")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_experiment")


def test_an_experiment_that_was_stopped_is_not_resumed(whole: Service, analyst: httpx.Client) -> None:
    (whole.definitions / "brief.yaml").write_text(FILES["other.yaml"].replace("other", "brief"))
    until(lambda: analyst.get("/v1/experiments/brief").status_code == 200, "it is served")
    until(lambda: set(of_every_worker(whole, stopped)) == {202}, "every worker knows it")
    refused = analyst.post("/v1/experiments/brief/resume")
    assert (refused.status_code, refused.json()["code"]) == (409, "experiment_stopped")
    assert "write `phase: 1` in its file to begin anew" in refused.json()["detail"]


def stopped(client: httpx.Client) -> int:
    return client.post("/v1/experiments/brief/stop", headers={"authorization": f"Bearer {SECRET_KEY}"}).status_code


def test_a_broken_file_is_named_in_readiness_and_nobodys_answer_changes(whole: Service, analyst: httpx.Client) -> None:
    good = (whole.definitions / "other.yaml").read_text()
    (whole.definitions / "other.yaml").write_text("key: other\nstatus: runing\n")
    [told] = until(
        lambda: [each for each in [analyst.get("/readyz").json()] if each["degraded"]], "the file is complained of"
    )
    assert told["status"] == "degraded"
    assert "definitions_invalid" in told["degraded"]
    assert any("other.yaml" in error for error in told["definitions"]["errors"])
    context = {"context": {"targetingKey": "v", "resonate.expose": False}}
    assert analyst.post("/ofrep/v1/evaluate/flags/other", json=context).json()["reason"] == "SPLIT"
    (whole.definitions / "other.yaml").write_text(good)
    until(lambda: analyst.get("/readyz").json()["status"] == "ready", "nothing is complained of")


def test_no_key_reached_the_log(whole: Service) -> None:
    with whole.client(PUBLISHABLE_KEY) as client:
        client.post("/v1/track", params={"writeKey": SECRET_KEY}, content=b"{")
        client.get(f"/api/features/{SECRET_KEY}")
    assert PUBLISHABLE_KEY not in whole.log_text()
    assert SECRET_KEY not in whole.log_text()
