"""The payload of GrowthBook's SDKs is made once, and anew whenever another one would be said."""

import contextlib
import http.client
import itertools
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples
from servers.one_worker import DEFINITIONS, PUBLISHABLE, OneWorker
from servers.patience import HUNG_SECONDS, until
from servers.service import Service, running
from worlds.drawn_definitions import NOW, files, folders

from app.delivery import payload
from app.delivery.payload import Payload
from experiments.assignment.payload import features
from experiments.catalog.catalog import catalog_of
from experiments.definitions.content import PublishedCatalog, content_version
from experiments.definitions.folder import read_sources


def test_the_payload_is_made_once_for_all_who_ask(worker: OneWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    with worker.client(None) as client:
        first = client.get(f"/api/features/{PUBLISHABLE}").json()
        monkeypatch.setattr(payload, "features", None)
        again = client.get(f"/api/features/{PUBLISHABLE}").json()
    assert again == first
    assert first["features"]


@settings(max_examples=examples(100))
@given(drawn=folders(), hours=st.lists(st.integers(-72, 72), min_size=1, max_size=6))
def test_a_payload_that_is_kept_says_what_one_of_this_moment_would(drawn: dict[str, Any], hours: list[int]) -> None:
    content = read_sources(files(drawn)).complete()
    catalog = catalog_of(
        PublishedCatalog(version=content_version(content), received_at=NOW, content=content, former=())
    )
    kept: Payload | None = None
    for now in [(NOW + timedelta(hours=each)).timestamp() for each in hours]:
        visible = catalog.released.at(now)
        if kept is None or not kept.holds(visible, now):
            kept = Payload.at(now, visible, kept)
        expected = msgspec.json.encode(features(visible.servable, now, visible.secured))
        assert msgspec.json.decode(kept.kept.body)["features"] == msgspec.json.decode(expected)


PAYLOAD = f"/api/features/{PUBLISHABLE}"
SCRIPT = f"/resonate.js?key={PUBLISHABLE}"
Told = dict[tuple[str, str, str], bytes]  # path, coding and ETag → the bytes


def told_by_each(service: Service) -> dict[int, Told]:
    """What each worker answers, by its process id."""
    workers = [each.pid for each in service.processes()["worker"]]
    found: dict[int, Told] = {}

    def asked() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=HUNG_SECONDS)
        with contextlib.closing(connection):
            told: Told = {}
            for path, coding in itertools.product((PAYLOAD, SCRIPT), ("gzip", "identity")):
                connection.request("GET", path, headers={"Accept-Encoding": coding})
                answer = connection.getresponse()
                told[path, coding, answer.headers["etag"]] = answer.read()
            own = connection.sock.getsockname()[1]
            [worker] = [
                pid
                for pid in workers
                if any(each.raddr and each.raddr.port == own for each in psutil.Process(pid).net_connections("tcp"))
            ]
        found[worker] = told
        return len(found) == len(workers)

    until(asked, "each worker has answered")
    return found


def test_one_etag_stands_for_the_same_bytes_in_every_worker_and_after_a_restart(tmp_path: Path) -> None:
    with running(tmp_path, DEFINITIONS, RESONATE_WORKERS="2") as service:
        first, second = told_by_each(service).values()
        assert first == second
        # A metric changes nothing that pages see, and its publication is one that all see.
        (service.definitions / "metrics.yaml").write_text("clicks: {type: count, event: Clicked}\n")
        until(lambda: all(told != first for told in told_by_each(service).values()), "both took it up")
        later, other = told_by_each(service).values()
        assert later == other
        assert len(first.keys() & later.keys()) == 2  # the script says no date
        service.stop()
        service.start()
        assert list(told_by_each(service).values()) == [later, later]
        known = [*first.items(), *later.items()]
    assert len(set(known)) == len(dict(known))
