"""Something is thrown once into each long-lived task of a service, and all that the service does goes on."""

import ast
import contextlib
from pathlib import Path

import httpx
import pytest
from conftest import REPOSITORY, SMALLEST_DEFINITIONS, StartService
from servers.faults import ASSIGNED, assign, degraded, frozen, track
from servers.patience import until
from servers.receivers import receiving
from servers.service import Service
from servers.throwing import AGAIN, THROWN

pytestmark = pytest.mark.xdist_group("faults")  # one after the other: each keeps both cores busy

PACKAGES = ("app", "events", "experiments", "recommender")
DEMO = "app.demo."  # a crowd for a first look, which is no part of a service
ROLES = {"worker", "writer", "analysis", "webhooks"}


def makers(root: Path) -> set[str]:
    """The modules that start a task which lives on: they have rounds, or works side by side."""
    found: set[str] = set()
    for package in PACKAGES:
        for path in (root / package).rglob("*.py"):
            tree = ast.parse(path.read_text())
            imported = {
                name.name
                for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "kit.tasks"
                for name in node.names
            }  # fmt: skip
            called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
            rounds = any(isinstance(each, ast.Attribute) and each.attr == "repeat" for each in called)
            beside = any(isinstance(each, ast.Name) and each.id == "together" for each in called)
            if ("Tasks" in imported and rounds) or ("together" in imported and beside):
                found.add(".".join(path.relative_to(root).with_suffix("").parts))
    return {name for name in found if not name.startswith(DEMO)}


BESIDE = "events.writer.writer"
WORKS_OF_A_WRITER = 2  # its one shard, and what keeps the log tidy
ASKED_ONCE = {"events.store.connection"}  # its works side by side are questions to the shards, which end


def thrown_into(file: Path) -> list[tuple[str, ...]]:
    lines = [tuple(line.split("\t")) for line in file.read_text().splitlines()]
    return [words for words in lines if words[-1] != AGAIN]


def ended(file: Path) -> set[tuple[str, ...]]:
    """The tasks whose round that was thrown into was their last: nothing may show it for a long time."""
    said = {tuple(line.split("\t")) for line in file.read_text().splitlines()}
    return {task for task in thrown_into(file) if task[1] != BESIDE and (*task, AGAIN) not in said}


def goes_on(service: Service) -> None:
    """Assignments, events into the log, readouts, orders, and what is followed: definitions."""
    definition = service.definitions / f"{ASSIGNED}.yaml"
    with service.client() as client:
        assert assign(client, "v-1").status_code == 200
        until(lambda: track(client, "m-1").status_code == 200, "events are taken", tell=service.told)
        until(lambda: "m-1" in client.get("/v1/export/events").text, "it is in the log", tell=service.told)
        assert client.post(f"/v1/experiments/{ASSIGNED}/pause", json={}).status_code == 202
        definition.write_text(definition.read_text() + "name: Thrown into\n")

        def is_taken_up() -> bool:
            told = client.get(f"/v1/experiments/{ASSIGNED}")
            return told.status_code == 200 and told.json()["name"] == "Thrown into"

        until(is_taken_up, "definitions are followed", tell=service.told)
    assert service.results(ASSIGNED)["experiment"] == ASSIGNED
    until(lambda: not set(degraded(service)) - {"consent_not_chosen"}, "nothing is wrong", tell=service.told)


def test_whatever_is_thrown_into_whichever_task_all_goes_on(start_service: StartService, tmp_path: Path) -> None:
    thrown = tmp_path / "thrown"
    thrown.touch()
    with receiving() as receiver:
        service = start_service(
            SMALLEST_DEFINITIONS, entry="servers.throwing", RESONATE_WORKERS="1", PYTHONPATH=str(REPOSITORY / "tests"),
            RESONATE_WEBHOOK_URL=receiver.url, **{THROWN: str(thrown)},
        )  # fmt: skip
        wanted = makers(REPOSITORY) - ASKED_ONCE
        with service.client(timeout=20) as client:

            def is_probed() -> bool:
                track(client, "m-0")
                return "events.store.availability" in {module for _, module, _ in thrown_into(thrown)}

            with frozen(service, "store"):
                until(is_probed, "the probe of the store was thrown into", tell=service.told)

            def left() -> set[str]:
                with contextlib.suppress(httpx.HTTPError):
                    track(client, "m-0")
                    client.get(f"/v1/experiments/{ASSIGNED}/results")  # the analysis is started by its callers
                into = thrown_into(thrown)
                beside = {name for _, module, name in into if module == BESIDE}
                return (
                    (wanted - {module for _, module, _ in into})
                    | (ROLES - {role for role, *_ in into})
                    | (set() if len(beside) == WORKS_OF_A_WRITER else {BESIDE})
                )

            until(lambda: not left(), "each task was thrown into", tell=lambda: f": not {left()}{service.told()}")
        until(lambda: not ended(thrown), "each task goes on", tell=lambda: f": not {ended(thrown)}{service.told()}")
        goes_on(service)
    log = service.log_text()
    unsaid = {name for _, module, name in thrown_into(thrown) if module != BESIDE and name not in log}
    assert unsaid == set()


def test_a_module_that_starts_a_task_is_found(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "new.py").write_text("from kit.tasks import Tasks\ntasks.repeat(f, 'x', 1)\n")
    assert makers(tmp_path) == {"app.new"}
