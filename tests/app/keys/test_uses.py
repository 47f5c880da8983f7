"""The last use of a key: noted in memory, kept once a minute, the latest of all workers."""

from pathlib import Path

import pytest
from servers.one_worker import OneWorker

from app.keys.uses import KeyUse, KeyUses, read_uses


def test_uses_are_due_once_a_minute_and_only_where_there_were_any(tmp_path: Path) -> None:
    uses = KeyUses(tmp_path)
    assert uses.due(60.0) == {}
    uses.latest["a"] = "10.0.0.1"
    assert uses.due(61.0) == {"a": "10.0.0.1"}
    uses.latest["a"] = "10.0.0.2"
    assert uses.due(119.0) == {}
    assert uses.due(120.0) == {"a": "10.0.0.2"}
    assert uses.due(180.0) == {}


def test_of_all_workers_the_latest_use_is_kept(tmp_path: Path) -> None:
    one, other = KeyUses(tmp_path), KeyUses(tmp_path)
    one.keep({"a": KeyUse(7, 255), "b": KeyUse(7)})
    other.keep({"a": KeyUse(6, 1)})
    other.keep({"c": KeyUse(8)})
    found = read_uses(tmp_path)
    assert found == {"a": KeyUse(7, 255), "b": KeyUse(7), "c": KeyUse(8)}
    assert found["a"].told == {"minute": "1970-01-01T00:07:00Z", "network": "000000ff"}


def test_what_nobody_can_read_is_begun_anew(tmp_path: Path) -> None:
    assert read_uses(tmp_path) == {}
    (tmp_path / "key-uses.json").write_text("{")
    assert read_uses(tmp_path) == {}
    KeyUses(tmp_path).keep({"a": KeyUse(1)})
    assert read_uses(tmp_path) == {"a": KeyUse(1)}


def test_a_worker_that_ends_keeps_what_it_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.worker.resources.USES_SECONDS", 1e9)
    with OneWorker(tmp_path) as worker, worker.client() as client:
        client.post("/v1/track", json={"anonymousId": "v-1", "event": "E"}).raise_for_status()
        assert read_uses(worker.settings.data) == {}
    [name] = read_uses(worker.settings.data)
    assert name.startswith("publishable-")
