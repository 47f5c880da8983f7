"""Whoever was erased stays erased when the data directory is put back from an older copy, before any answer."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from servers.patience import HUNG_SECONDS
from servers.service import ENTRY, Service, running

from events.store.embedded import EmbeddedStore
from events.store.keys import history_key

FILES = {"banner.yaml": "key: banner\nstatus: running\nvariants: [control, b]\ngoal: purchase_rate\n"}
LINES = [{"product_id": product, "price": 5.0, "quantity": 1} for product in ("wine", "cheese")]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "elsewhere" / "erasures.ndjson"


@pytest.fixture
def shop(tmp_path: Path, journal: Path) -> Iterator[Service]:
    """A service at which two people bought something, with a copy of its data from before anybody was erased."""
    with running(tmp_path, FILES, RESONATE_WORKERS="1", RESONATE_ERASURE_JOURNAL=str(journal)) as service:
        for person in ("gone", "here"):
            buy(service, person)
        assert visitors(service) == {"gone", "here"}
        service.stop()
        shutil.copytree(service.data, tmp_path / "copy", symlinks=True)
        yield service.start()


def buy(service: Service, person: str) -> None:
    with service.client() as client:
        properties = {"order_id": f"o-{person}", "revenue": 10.0, "currency": "EUR", "products": LINES}
        order = {"anonymousId": person, "userId": f"u-{person}", "event": "Order Completed", "properties": properties}
        client.post("/v1/track", json=order).raise_for_status()
        exposing = {"visitor_id": person, "experiments": ["banner"]}
        client.post("/v1/personalize", json=exposing).raise_for_status()


def visitors(service: Service) -> set[str]:
    """Whose rows the first export after this moment shows."""
    with service.client() as client:
        answer = client.get("/v1/export/events", params={"limit": 1_000}).raise_for_status()
        assert answer.headers["x-resonate-pending"] == "0"
        return {json.loads(line)["visitor_id"] for line in answer.text.splitlines()}


def units(service: Service) -> int:
    with service.client() as client:
        return len(client.get("/v1/experiments/banner/units").raise_for_status().json()["rows"])


def erase(service: Service, person: str) -> httpx.Response:
    with service.client() as client:
        return client.delete(f"/v1/visitors/{person}")


def lines_after(service: Service, number: int) -> list[dict[str, Any]]:
    with service.client() as client:
        answer = client.get("/v1/erasures", params={"after": number}).raise_for_status()
    return [json.loads(line) for line in answer.text.splitlines()]


def put_back(service: Service) -> None:
    service.stop()
    shutil.rmtree(service.data)
    shutil.copytree(service.data.with_name("copy"), service.data, symlinks=True)


def bought(service: Service, person: str) -> int:
    """Of how many lines the embedded store knows, with the service stopped."""
    store = EmbeddedStore(service.data)
    store.start()
    try:
        return redis.Redis(unix_socket_path=str(store.socket)).hlen(history_key(person))
    finally:
        store.stop()


def test_a_copy_that_is_put_back_hides_the_erased_again_before_any_answer(shop: Service) -> None:
    assert erase(shop, "gone").status_code == 202
    put_back(shop)
    shop.start()
    assert visitors(shop) == {"here"}
    assert units(shop) == 1
    assert "erased again by the journal" in shop.log_text()
    shop.stop()
    assert [bought(shop, f"{kind}:{name}") for kind, name in (("v", "gone"), ("u", "u-gone"))] == [0, 0]
    assert bought(shop, "v:here") + bought(shop, "u:u-here") > 0


def test_the_command_line_reads_a_copy_without_the_erased(shop: Service) -> None:
    assert erase(shop, "gone").status_code == 202
    put_back(shop)
    command = [sys.executable, "-P", "-m", ENTRY, "export"]
    told = subprocess.run(command, env=shop.environment(), capture_output=True, timeout=HUNG_SECONDS, check=True)
    assert {json.loads(line)["visitor_id"] for line in told.stdout.splitlines()} == {"here"}


def test_the_lines_are_shipped_as_they_stand(shop: Service, journal: Path) -> None:
    assert lines_after(shop, 0) == []
    erase(shop, "gone")
    erase(shop, "here")
    lines = lines_after(shop, 0)
    assert [line["sequence"] for line in lines] == list(range(1, len(lines) + 1))
    assert lines_after(shop, 1) == lines[1:]
    assert lines == [json.loads(line) for line in journal.read_text().splitlines()]
    assert "gone" not in journal.read_text()


def test_a_journal_that_cannot_be_written_refuses_the_erasure_with_nothing_half_done(
    shop: Service, journal: Path
) -> None:
    journal.parent.rename(journal.parent.with_name("unmounted"))
    refused = erase(shop, "gone")
    assert (refused.status_code, refused.json()["code"]) == (503, "erasure_journal_unusable")
    assert visitors(shop) == {"gone", "here"}
    assert lines_after_refused(shop) == 503
    journal.parent.with_name("unmounted").rename(journal.parent)
    assert erase(shop, "gone").status_code == 202
    assert visitors(shop) == {"here"}


def lines_after_refused(service: Service) -> int:
    with service.client() as client:
        return client.get("/v1/erasures").status_code


@pytest.mark.parametrize("place", ["data/erasures.ndjson", "elsewhere/missing/erasures.ndjson", "elsewhere"])
def test_a_journal_that_is_of_no_use_stops_the_start_and_says_why(tmp_path: Path, journal: Path, place: str) -> None:
    service = Service(tmp_path / "data", tmp_path, {"RESONATE_ERASURE_JOURNAL": str(tmp_path / place)})
    (tmp_path / "banner.yaml").write_text(FILES["banner.yaml"])
    assert service.launch().wait(HUNG_SECONDS) == 1
    assert "RESONATE_ERASURE_JOURNAL" in service.log_text()
    assert "Traceback" not in service.log_text()
