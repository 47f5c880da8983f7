"""From orders over HTTP to a published model that every worker serves."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import SMALLEST_DEFINITIONS, StartService
from servers.faults import of_every_worker
from servers.patience import VAIN_SECONDS, until
from servers.service import Service
from worlds.event_log import received, write_log
from worlds.shop_worlds import DAY, taste_lines
from worlds.swarm import NOW_DAY, swarm, told

from app.keys.audit import Audit, Wanted
from app.processes.entry import train_once
from app.processes.heartbeats import Watch
from app.processes.supervised import ChildProcess, Role
from app.runtime.board import Board
from app.runtime.settings import Settings
from events.parts.part import live_parts
from experiments.catalog.files import CatalogPaths
from experiments.catalog.publisher import CatalogKeeper


def resonate(*arguments: str, data: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "app.cli.main", *arguments]
    environment = {**os.environ, "RESONATE_DATA": str(data)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=VAIN_SECONDS, check=False)


def orders() -> list[dict[str, Any]]:
    """The world of tastes as events of a backend, moved to the present."""
    found: dict[str, dict[str, Any]] = {}
    for person, product, order, day in taste_lines():
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime((day - DAY + NOW_DAY) * 86_400))
        event = found.setdefault(
            order,
            {"type": "track", "event": "Order Completed", "userId": person, "timestamp": moment,
             "properties": {"order_id": order, "products": []}},
        )  # fmt: skip
        event["properties"]["products"].append({"product_id": product, "price": 5, "quantity": 1})
    return list(found.values())


def send(service: Service, events: list[dict[str, Any]]) -> None:
    with service.client() as client:
        for start in range(0, len(events), 400):
            assert client.post("/v1/batch", json={"batch": events[start : start + 400]}).status_code == 200


@pytest.mark.slow
def test_a_training_reaches_every_worker(start_service: StartService) -> None:
    service = start_service(SMALLEST_DEFINITIONS, RESONATE_WORKERS="2", RESONATE_TRAINING_HOURS="0")
    events = orders()
    send(service, events)
    until(lambda: sum(part.rows for part in live_parts(service.data / "log")) >= len(events), "all is in the log")
    trained = resonate("recommender", "train", "--json", data=service.data)
    assert trained.returncode == 0, trained.stderr
    report = json.loads(trained.stdout)
    assert (report["outcome"], report["orders"]) == ("published", len(events))

    def serves_it(client: httpx.Client) -> bool:
        served = client.post("/v1/recommendations", json={"user_id": "c-3"}).json()["model_version"]
        return served == report["version"]

    until(lambda: of_every_worker(service, serves_it) == [True, True], "both workers serve the new model")


def published(folder: Path, learn_from: str) -> Path:
    """A data directory whose catalogue says whose orders teach."""
    (folder / "definitions").mkdir()
    (folder / "definitions" / "recommendations.yaml").write_text(f"learn_from: {learn_from}\n")
    CatalogKeeper(folder / "definitions", folder / "data", lambda: datetime.now(UTC)).boot()
    return folder / "data"


def test_what_pages_would_put_everywhere_waits_for_somebody_who_accepts_it(tmp_path: Path) -> None:
    data = published(tmp_path, "any")
    write_log(data, received(told([*taste_lines(), ("c-1", "dust", "o-dust", DAY - 90)], 2)))
    assert train_once(data) == 0
    write_log(data, received(told(swarm(), 0)), shard=1)
    refused = json.loads(resonate("recommender", "train", "--json", data=data).stdout)
    assert {text.partition('"')[2].partition('"')[0] for text in refused["concentrated"]} == {"dust"}
    assert "0 customers by backend, 210 by page" in refused["concentrated"][0]
    assert "refused: " in resonate("recommender", "train", data=data).stdout
    told_why = ("--accept", "dust", "--reason", "a campaign", "--json")
    accepted = json.loads(resonate("recommender", "train", *told_why, data=data).stdout)
    lines = Audit(data).page(None, 100, Wanted())[0]
    assert {(line.act, line.subject, line.reason, line.actor.kind) for line in lines} == {
        ("model.accept", "dust", "a campaign", "cli")
    }
    assert len(lines) == len(accepted["accepted"])
    assert (accepted["concentrated"], len(accepted["accepted"]) > 0) == ([], True)
    assert json.loads(resonate("recommender", "train", "--json", data=data).stdout)["accepted"] == []


def test_the_trainer_learns_from_whom_the_catalogue_says(tmp_path: Path) -> None:
    data = published(tmp_path, "backend")
    write_log(data, received([*told(taste_lines(), 2), *told(swarm(), 0)]))
    assert train_once(data) == 0
    learned = json.loads((data / "models" / "last-training.json").read_text())["learned_from"]
    assert (learned["setting"], learned["used"]["page"], learned["left_out"]["page"]) == ("backend", 0, 210)


def test_a_training_that_hangs_is_named_and_ended(tmp_path: Path) -> None:
    """It waits for a disk that does not answer: here for the other end of a pipe. Minutes are turns of the watch."""
    data = published(tmp_path, "backend")
    catalog = CatalogPaths(data).current
    catalog.unlink()
    os.mkfifo(catalog)
    board, now = Board.make(1), count().__next__
    trainer = ChildProcess(Role("trainer", ends=True), board.desk("trainer"))
    watch = Watch([trainer], board.desk("supervisor"), 8.0, now)
    assert trainer.start()
    try:
        trainer.instruct(Settings(data=data).model_dump_json().encode())
        assert select.select([trainer.ready_descriptor], [], [], VAIN_SECONDS)[0]
        assert trainer.hear()
        pid = trainer.pid
        while not board.causes():
            watch.look()
        assert [each.text for each in board.causes()] == [f"trainer_stalled: {pid}"]
        while watch.healthy:
            watch.look()
        assert until(trainer.reap, "it has ended") == -signal.SIGKILL
        watch.look()
        assert (board.causes(), watch.healthy) == ([], True)
    finally:
        trainer.send(signal.SIGKILL)


def test_an_empty_log_trains_to_a_report(tmp_path: Path) -> None:
    assert train_once(tmp_path) == 0
    assert json.loads((tmp_path / "models" / "last-training.json").read_text())["outcome"] == "too_little_data"


def test_a_table_trains_without_a_service(tmp_path: Path) -> None:
    table = tmp_path / "lines.csv"
    rows = [f"{person},{product},{order},{day * 86_400},1,5" for person, product, order, day in taste_lines()]
    table.write_text("user,product,order,time,quantity,price\n" + "\n".join(rows) + "\n")
    done = resonate("recommender", "train", "--purchases", str(table), "--json", data=tmp_path / "data")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outcome"] == "published"
    refused = resonate("recommender", "train", "--purchases", str(tmp_path / "no.csv"), data=tmp_path / "data")
    assert (refused.returncode, "there is no such file" in refused.stderr) == (1, True)
