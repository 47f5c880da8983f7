"""The payload of GrowthBook's SDKs is made once, and anew whenever another one would be said."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples
from servers.one_worker import PUBLISHABLE, OneWorker
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
