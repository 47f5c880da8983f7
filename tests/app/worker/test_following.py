"""A worker takes up what is published and defined, whatever goes wrong on the way."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from servers.one_worker import OneWorker
from servers.patience import until
from worlds.shop_worlds import publish_trained, taste_world

import app.worker.recommendations as recommendations
from experiments.catalog.reader import CatalogReader


def failing_once(act: Callable[..., Any], error: Exception) -> Callable[..., Any]:
    """The same act, that fails in a foreign way when it is called for the first time."""
    errors = [error]

    def failing(*arguments: Any) -> Any:
        if errors:
            raise errors.pop()
        return act(*arguments)

    return failing


@pytest.mark.parametrize("error", [KeyError("weights"), RuntimeError("foreign"), OSError("disk")])
def test_a_model_is_taken_up_after_a_foreign_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    failing = failing_once(recommendations.current_publication, error)
    with OneWorker(tmp_path) as worker, worker.client() as client:
        monkeypatch.setattr(recommendations, "current_publication", failing)
        version = publish_trained(worker.settings.data / "models", taste_world())
        until(lambda: client.post("/v1/recommendations", json={}).json()["model_version"] == version, "it serves")


def test_definitions_are_taken_up_after_a_foreign_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with OneWorker(tmp_path) as worker, worker.client() as client:
        monkeypatch.setattr(CatalogReader, "poll", failing_once(CatalogReader.poll, KeyError("foreign")))
        (worker.settings.definitions / "draft.yaml").write_text(
            "key: draft\nstatus: running\nvariants: [a, b]\ngoal: purchase_rate\n"
        )

        def is_shown() -> bool:
            worker.keeper.poll()  # publishes what was written once it rests
            return "draft" in client.post("/v1/personalize", json={"visitor_id": "v"}).json()["experiments"]

        until(is_shown, "the draft is shown")


def test_a_worker_starts_and_serves_beside_what_cannot_be_read(tmp_path: Path) -> None:
    data = tmp_path / "data"
    version = publish_trained(data / "models", taste_world())
    (data / "tombstones.json").write_text("no JSON")
    with OneWorker(tmp_path) as worker, worker.client() as client:
        assert client.post("/v1/recommendations", json={}).json()["items"] == []
        (data / "tombstones.json").write_text("[]")
        until(lambda: client.post("/v1/recommendations", json={}).json()["model_version"] == version, "it serves")
