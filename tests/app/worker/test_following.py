"""A worker takes up what is published for as long as it lives, whatever went wrong in a look before."""

import threading
from pathlib import Path
from typing import Any

import pytest
from servers.one_worker import OneWorker


class Foreign(Exception):
    """An exception that nobody foresaw."""


@pytest.mark.parametrize("followed", ["catalogs", "recommender"])
def test_a_look_that_raises_anything_is_logged_and_followed_by_others(
    followed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failed, looked_again = threading.Event(), threading.Event()
    with OneWorker(tmp_path) as worker:
        kind: Any = type(getattr(worker.app.cold.state.resources, followed))
        poll = kind.poll

        def fail_once(self: Any) -> Any:
            if not failed.is_set():
                failed.set()
                raise Foreign
            looked_again.set()
            return poll(self)

        monkeypatch.setattr(kind, "poll", fail_once)
        assert looked_again.wait(20)
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [Foreign]
    assert "following" in caplog.text
