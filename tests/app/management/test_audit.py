"""Every steering request leaves its line; one whose line cannot be written is not done, but for pause and stop."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers.one_worker import SECRET, OneWorker

from app.keys.audit import Actor, Audit, AuditLine, Wanted
from events.deletes.tombstones import exact_digest

PRODUCT = b'{"product_id": "sku-1", "category": "A", "price": 1.0, "in_stock": true}\n'


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[OneWorker]:
    with OneWorker(tmp_path) as worker:
        yield worker


def lines(worker: OneWorker) -> list[AuditLine]:
    return Audit(worker.settings.data).page(None, 1_000, Wanted())[0]


def block(worker: OneWorker) -> Path:
    """From now on no line can be written."""
    folder = worker.settings.data / "audit"
    if folder.is_dir():
        folder.rename(folder.with_name("audit-before"))
    folder.write_text("in the way")
    return folder


def status(worker: OneWorker, key: str) -> str:
    overrides = worker.settings.data / "catalogue" / "overrides.json"
    found = json.loads(overrides.read_bytes()) if overrides.exists() else {}
    return found.get(key, {}).get("status", "as written")


def test_orders_are_kept_with_both_sides_reason_and_request(shop: OneWorker) -> None:
    with shop.client(SECRET) as client:
        paused = client.post("/v1/experiments/banner/pause", json={"reason": "broken on phones"})
        client.post("/v1/experiments/banner/resume", headers={"x-resonate-reason": "repaired"}).raise_for_status()
        client.post("/v1/experiments/banner/stop").raise_for_status()
        assert client.post("/v1/experiments/none/stop").status_code == 404
        assert client.post("/v1/experiments/banner/resume").status_code == 409
    first, second, third = lines(shop)
    assert (first.act, first.subject, first.reason) == ("pause", "banner", "broken on phones")
    assert (first.before, first.after) == ({"status": "running"}, {"status": "paused"})
    assert first.request_id == paused.headers["x-request-id"]
    assert (first.actor.kind, first.actor.name[:7]) == ("key", "secret-")
    assert (second.act, second.reason, second.before) == ("resume", "repaired", {"status": "paused"})
    assert (third.act, third.reason) == ("stop", None)


@pytest.mark.parametrize("body", [{"reason": "r" * 501}, {"why": "x"}, {"reason": 3}])
def test_a_reason_that_cannot_be_kept_is_refused_before_anything_is_done(shop: OneWorker, body: dict[str, Any]) -> None:
    with shop.client(SECRET) as client:
        assert client.post("/v1/experiments/banner/pause", json=body).status_code == 400
    assert (lines(shop), status(shop, "banner")) == ([], "as written")


def test_what_nobody_could_learn_of_is_not_done(shop: OneWorker) -> None:
    folder = block(shop)
    with shop.client(SECRET) as client:
        client.put("/v1/products", content=PRODUCT, headers={"content-type": "application/x-ndjson"})
        event = {"anonymousId": "v-1", "event": "E"}
        client.post("/v1/track", json=event).raise_for_status()
        assert client.post("/v1/experiments/paused/resume").status_code == 503
        assert status(shop, "paused") == "as written"
        for key, action in (("banner", "pause"), ("members", "stop")):
            assert client.post(f"/v1/experiments/{key}/{action}").status_code == 202
        assert (status(shop, "banner"), status(shop, "members")) == ("paused", "stopped")
        upload = client.put("/v1/products", content=PRODUCT, headers={"content-type": "application/x-ndjson"})
        assert (upload.status_code, upload.json()["code"]) == (503, "audit_not_kept")
        assert not (shop.settings.data / "products" / "current").exists()
        assert "audit_not_kept" in client.get("/readyz").json()["degraded"]
        folder.unlink()
        resources = shop.app.cold.state.resources
        shop.run(resources.keys.catch_up(resources.telemetry))
    assert [(line.act, line.subject) for line in lines(shop)] == [("pause", "banner"), ("stop", "members")]


def test_products_are_kept_with_what_was_sent_and_why_nothing_came_of_it(shop: OneWorker) -> None:
    with shop.client(SECRET, headers={"content-type": "application/x-ndjson"}) as client:
        client.put("/v1/products", content=PRODUCT).raise_for_status()
        assert client.put("/v1/products", content=b'{"price": 1}\n').status_code == 400
    good, begun, failed = lines(shop)
    assert (good.act, good.failed, len(good.after["sha256"])) == ("products", None, 64)
    assert begun.failed is None
    assert (failed.id, failed.failed) == (begun.id, "invalid_products")


def test_lines_are_read_page_by_page_by_subject_and_as_a_table(shop: OneWorker) -> None:
    with shop.client(SECRET) as client:
        for action in ("pause", "resume", "pause"):
            client.post(f"/v1/experiments/banner/{action}", json={"reason": "=1+1"}).raise_for_status()
        client.post("/v1/experiments/paused/resume").raise_for_status()
        page = client.get("/v1/audit", params={"limit": 2}).json()
        rest = client.get("/v1/audit", params={"cursor": page["next"]}).json()
        of_one = client.get("/v1/audit", params={"subject": "paused"}).json()["lines"]
        by_name = client.get("/v1/audit", params={"actor": of_one[0]["actor"]["name"]}).json()["lines"]
        table = client.get("/v1/audit", params={"format": "csv"})
        assert client.get("/v1/audit", params={"cursor": "../x"}).status_code == 400
    assert [line["act"] for line in (*page["lines"], *rest["lines"])] == ["pause", "resume", "pause", "resume"]
    assert len(of_one) == 1
    assert len(by_name) == 4
    assert set(of_one[0]) >= {"at", "id", "actor", "act", "subject", "before", "after", "reason", "request_id"}
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["act"] for row in rows] == ["pause", "resume", "pause", "resume"]
    assert rows[0]["reason"] == "'=1+1"
    assert json.loads(rows[0]["after"]) == {"status": "paused"}


def test_who_is_asked_about_is_a_digest_and_is_found_by_the_id(shop: OneWorker) -> None:
    subject = f"visitor:{exact_digest('v-1@shop.example')}"
    Audit(shop.settings.data).write(
        AuditLine(at="2027-01-01T00:00:00Z", id="i", actor=Actor("key", "ana"), act="access", subject=subject)
    )
    with shop.client(SECRET) as client:
        found = client.get("/v1/audit", params={"subject": "visitor:v-1@shop.example"}).json()["lines"]
    assert [line["subject"] for line in found] == [subject]
