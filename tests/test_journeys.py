"""The whole journey over HTTP, through a real service: a visitor is assigned, exposed and converts; we read it."""

import asyncio
import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as parquet
import pytest
from servers.patience import until
from servers.service import PUBLISHABLE_KEY, SECRET_KEY, Service, running, write_definitions

BANNER = """
key: banner
status: running
variants: [{key: control, payload: {banner: null}}, {key: threshold, payload: {banner: Free shipping}}]
goals: [purchase_rate]
secondary: [revenue_per_visitor, orders_per_visitor, average_order_value]
plan: {method: fixed, dimensions: [device]}
"""
VISITORS = 240
CONNECTIONS = 24


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with one experiment on which 240 visitors were exposed; every third bought for 10, one for 20."""
    with running(tmp_path_factory.mktemp("shop"), {"banner.yaml": BANNER}, RESONATE_WORKERS="1") as service:
        with service.client(PUBLISHABLE_KEY) as client:
            for number in range(VISITORS):
                expose(client, number)
            client.post("/v1/batch", json={"batch": [order(number) for number in range(0, VISITORS, 3)]})
        yield service


def expose(client: httpx.Client, number: int) -> None:
    context = {"targetingKey": f"v-{number}", "device": "mobile" if number % 2 else "desktop"}
    answer = client.post("/ofrep/v1/evaluate/flags/banner", json={"context": context})
    assert answer.status_code == 200, answer.text
    assert answer.json()["metadata"]["exposure"] == "logged"


def order(number: int) -> dict[str, Any]:
    return {
        "type": "track",
        "event": "Order Completed",
        "anonymousId": f"v-{number}",
        "messageId": f"m-{number}",
        "properties": {"order_id": f"o-{number}", "revenue": 20 if number == 0 else 10, "currency": "EUR"},
    }


def metric_of(readout: dict[str, Any], name: str) -> dict[str, Any]:
    return next(metric for metric in readout["metrics"] if metric["metric"] == name)


def total(readout: dict[str, Any], metric: str, column: str) -> float:
    return sum(arm[column] for arm in metric_of(readout, metric)["arms"])


def test_every_exposure_and_order_is_in_the_readout_that_follows_it(shop: Service) -> None:
    readout = shop.results("banner")
    assert sum(readout["health"]["srm"]["observed"]) == VISITORS
    assert total(readout, "purchase_rate", "numerator") == VISITORS / 3
    assert total(readout, "revenue_per_visitor", "numerator") == 10 * VISITORS / 3 + 10


def test_a_readout_follows_its_own_writes_at_once(shop: Service) -> None:
    """No wait in between: the answer itself waits for what was acknowledged before it was asked for."""
    with shop.client() as client:
        before = total(client.get("/v1/experiments/banner/results").json(), "purchase_rate", "denominator")
        expose(client, 100_000)
        readout = client.get("/v1/experiments/banner/results").json()
        seen = total(readout, "purchase_rate", "denominator") + readout["pending"]
    assert seen >= before + 1


def test_the_second_ask_is_answered_from_memory_with_the_same_etag(shop: Service) -> None:
    with shop.client() as client:
        first = client.get("/v1/experiments/banner/results")
        again = client.get("/v1/experiments/banner/results", headers={"if-none-match": first.headers["etag"]})
    assert (first.status_code, again.status_code) == (200, 304)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/experiments",
        "/v1/experiments/banner",
        "/v1/experiments/banner/results?include=sql",
        "/v1/experiments/banner/results?dimension=device",
        "/v1/experiments/banner/results?metric=purchase_rate",
        "/v1/experiments/banner/timeseries?metric=purchase_rate",
        "/v1/experiments/banner/plan",
        "/v1/experiments/banner/units",
        "/v1/results",
        "/v1/metrics",
        "/v1/cx",
    ],
)
def test_every_analysis_route_answers_with_json(shop: Service, path: str) -> None:
    with shop.client() as client:
        answer = client.get(path)
    assert answer.status_code == 200, answer.text
    assert "NaN" not in answer.text
    json.loads(answer.text)


def test_the_units_of_a_readout_can_be_analysed_elsewhere(shop: Service) -> None:
    with shop.client() as client:
        as_csv = client.get("/v1/experiments/banner/units?format=csv")
        as_parquet = client.get("/v1/experiments/banner/units?format=parquet")
    rows = list(csv.DictReader(io.StringIO(as_csv.text)))
    assert len(rows) >= VISITORS
    assert parquet.read_table(io.BytesIO(as_parquet.content)).num_rows == len(rows)


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/v1/experiments/baner/results", 404, "banner"),
        ("/v1/experiments/banner/results?metric=purchase_rat", 404, "purchase_rate"),
        ("/v1/experiments/banner/results?at=yesterday", 400, "2026-01-20T09:00:00Z"),
        ("/v1/experiments/banner/results?at=2999-01-01", 400, "future"),
        ("/v1/experiments/banner/results?phase=7", 404, "phase"),
        ("/v1/export/events?cursor=bogus", 400, "cursor"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_words(shop: Service, path: str, status: int, said: str) -> None:
    with shop.client() as client:
        answer = client.get(path)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["detail"]


def test_a_past_look_can_be_repeated(shop: Service) -> None:
    with shop.client() as client:
        first = client.get("/v1/experiments/banner/results").json()
        expose(client, 200_000)
        shop.results("banner")
        repeated = client.get("/v1/experiments/banner/results", params={"at": first["watermark"]}).json()
    assert metric_of(repeated, "purchase_rate")["arms"] == metric_of(first, "purchase_rate")["arms"]


def test_an_erased_visitor_is_in_no_later_readout(shop: Service) -> None:
    with shop.client() as client:
        expose(client, 300_000)
        before = total(shop.results("banner"), "purchase_rate", "denominator")
        held = client.get("/v1/visitors/v-300000")
        assert "v-300000" in held.text
        assert client.delete("/v1/visitors/v-300000").status_code == 202
        after = total(client.get("/v1/experiments/banner/results").json(), "purchase_rate", "denominator")
    assert after == before - 1


def test_a_pause_by_the_api_shows_in_the_list_and_a_resumption_too(shop: Service) -> None:
    with shop.client() as client:
        for action, status in (("pause", "paused"), ("resume", "running")):
            assert client.post(f"/v1/experiments/banner/{action}").status_code == 202
            until(lambda status=status: status_of(client) == status, f"it is {status}")


def status_of(client: httpx.Client) -> str:
    return client.get("/v1/experiments/banner").json()["status"]


def test_the_planned_units_of_a_new_experiment_come_from_the_logged_traffic(shop: Service) -> None:
    (shop.definitions / "later.yaml").write_text(
        BANNER.replace("key: banner", "key: later").replace("fixed", "anytime")
    )
    with shop.client() as client:
        until(lambda: client.get("/v1/experiments/later").status_code == 200, "it is live")
        until(lambda: VISITORS * 28 <= planned_units(client, "later") <= (VISITORS + 10) * 28, "the log was read")


def planned_units(client: httpx.Client, key: str) -> int:
    """What is planned for the first phase: until the log is read, which is after it went live, an assumption."""
    return client.get(f"/v1/experiments/{key}").json()["phases"][0]["planned_units"]


def test_a_check_warns_of_what_the_logged_traffic_cannot_reach(shop: Service, tmp_path: Path) -> None:
    ambitious = BANNER.replace("method: fixed", "mde: {purchase_rate: 1%}") + "guardrails: {refund_rate: 1%}\n"
    folder = write_definitions(
        tmp_path / "definitions", {"banner.yaml": BANNER, "next.yaml": ambitious.replace("key: banner", "key: next")}
    )
    command = [sys.executable, "-P", "-m", "app.cli.main", "check", str(folder)]
    environment = {**os.environ, "RESONATE_DATA": str(shop.data)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "more than 8 weeks" in done.stderr


@pytest.mark.slow
def test_ninety_thousand_players_replayed_over_http_are_counted_to_the_last_event(shared: Path, tmp_path: Path) -> None:
    """Each player of cookie_cats is a visitor: exposed by us, in our variant, with what the file says they did."""
    definitions = {"gate.yaml": GATE, "metrics.yaml": GATE_METRICS}
    players = list(csv.DictReader((shared / "data" / "cookie_cats.csv").read_text().splitlines()))
    with running(tmp_path, definitions, RESONATE_WORKERS="1") as service:
        variants = replay_players(service, players)
        readout = service.results("gate")
    for name, column in (("stayed_1", "retention_1"), ("stayed_7", "retention_7")):
        expected = {variant: (0, 0) for variant in ("gate_30", "gate_40")}
        for player, variant in zip(players, variants, strict=True):
            units, stayed = expected[variant]
            expected[variant] = (units + 1, stayed + (player[column] == "True"))
        arms = {arm["variant"]: (arm["units"], arm["numerator"]) for arm in metric_of(readout, name)["arms"]}
        assert arms == expected
    rounds = sum(int(player["sum_gamerounds"]) for player in players)
    assert total(readout, "rounds", "numerator") == rounds


GATE = """
key: gate
status: running
variants: [gate_30, gate_40]
goals: [stayed_7]
secondary: [stayed_1, rounds]
plan: {method: fixed}
"""
GATE_METRICS = """
stayed_1: {type: proportion, event: Stayed 1}
stayed_7: {type: proportion, event: Stayed 7}
rounds: {type: mean, event: Rounds Played, value: rounds}
"""


def replay_players(service: Service, players: Sequence[dict[str, str]]) -> list[str]:
    """Send every player's exposure and events; the variants they were given."""
    variants = asyncio.run(exposed_variants(service.port, [player["userid"] for player in players]))
    events = [event for player in players for event in player_events(player)]
    with service.client() as client:
        for start in range(0, len(events), 1000):
            answer = client.post("/v1/batch", json={"batch": events[start : start + 1000]})
            assert answer.json() == {"success": True}, answer.text
    return variants


async def exposed_variants(port: int, visitors: Sequence[str]) -> list[str]:
    """Expose every visitor, over as many connections as a busy shop has; the variants in the order of visitors."""
    lanes = [exposed_lane(port, visitors[lane::CONNECTIONS]) for lane in range(CONNECTIONS)]
    variants = [""] * len(visitors)
    for lane, given in enumerate(await asyncio.gather(*lanes)):
        variants[lane::CONNECTIONS] = given
    return variants


async def exposed_lane(port: int, visitors: Sequence[str]) -> list[str]:
    """One keep-alive connection, without the cost of a client library: this is 90,000 requests."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    variants: list[str] = []
    for visitor in visitors:
        body = json.dumps({"visitor_id": visitor, "experiments": ["gate"]}).encode()
        head = f"POST /v1/personalize HTTP/1.1\r\nhost: shop\r\nauthorization: Bearer {SECRET_KEY}\r\n"
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = int(answer.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        given = json.loads(await reader.readexactly(length))["experiments"]["gate"]
        assert given["exposure"] == "logged"
        variants.append(given["variant"])
    writer.close()
    return variants


def player_events(player: dict[str, str]) -> Iterator[dict[str, Any]]:
    who = {"type": "track", "anonymousId": player["userid"]}
    yield {**who, "event": "Rounds Played", "properties": {"rounds": int(player["sum_gamerounds"])}}
    for day in ("1", "7"):
        if player[f"retention_{day}"] == "True":
            yield {**who, "event": f"Stayed {day}"}
