"""From orders over HTTP to a published model that every worker serves."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import SMALLEST_DEFINITIONS, StartService
from servers.faults import of_every_worker
from servers.patience import until
from servers.service import Service
from worlds.shop_worlds import DAY, taste_lines

from app.processes.entry import train_once
from events.parts.part import live_parts

NOW_DAY = time.time() / 86_400


def resonate(*arguments: str, data: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "app.cli.main", *arguments]
    environment = {**os.environ, "RESONATE_DATA": str(data)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


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
