"""What a newcomer reads stays short: the functions of one warm request and its steps into another file are counted."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from oracles.journeys import Journey, of_loop, of_this_thread
from servers.one_worker import SECRET, OneWorker
from worlds.readout_studies import SMALLEST, START, Shop, readouts
from worlds.shop_worlds import publish_trained, taste_world

from experiments.readout.read import Readouts
from experiments.readout.study import ReadoutQuery

WARM = 5
HEAD = "POST {} HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n"


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneWorker]:
    root = tmp_path_factory.mktemp("journeys")
    publish_trained(root / "data" / "models", taste_world())
    with OneWorker(root) as running:
        yield running


def journey(worker: OneWorker, path: str, body: dict[str, Any]) -> Journey:
    """Of a request in one piece, on a kept connection, when the same was asked some times before."""
    host, port = worker.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:

        def ask(turn: int) -> bytes:
            content = json.dumps({**body, "messageId": f"{path}-{turn}"}).encode()
            connection.sendall(HEAD.format(path, SECRET, len(content)).encode() + content)
            return connection.recv(65_536)

        answers, ways = [ask(turn) for turn in range(WARM)], list[Journey]()
        for turn in range(WARM, WARM + 30):
            with of_loop(worker.connections()[0].loop.call_soon_threadsafe) as travelled:
                answers.append(ask(turn))
            ways.append(travelled)
    assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers), answers[-1]
    # what a worker does of itself now and then is no part of it
    return min(ways, key=lambda way: (way.functions, way.changes))


def report(name: str, travelled: Journey) -> None:
    print(f"{name}: {travelled}\n{travelled.way()}")


def test_an_assignment_with_its_durable_exposure_passes_few_functions_and_files(worker: OneWorker) -> None:
    body = {"context": {"targetingKey": "v-1", "device": "mobile"}}
    assign = journey(worker, "/ofrep/v1/evaluate/flags/banner", body)
    report("assign", assign)
    assert "Batch.__init__" in assign.way()  # it was stored
    assert assign.functions <= 71
    assert assign.changes <= 58


def test_an_order_and_a_list_of_products_are_no_longer_than_they_were(worker: OneWorker) -> None:
    properties = {"order_id": "o-1", "revenue": 49.9, "currency": "EUR"}
    track = journey(worker, "/v1/track", {"anonymousId": "v-1", "event": "Order Completed", "properties": properties})
    recommend = journey(worker, "/v1/recommendations", {"visitor_id": "v-1", "limit": 3})
    report("track", track)
    report("recommend", recommend)
    assert track.functions <= 98
    assert track.changes <= 84
    assert recommend.functions <= 58
    assert recommend.changes <= 54


def test_a_readout_passes_no_more_than_it_did(tmp_path: Path) -> None:
    shop = Shop()
    for number in range(40):
        shop.expose(f"v-{number}", ("control", "b")[number % 2])
        shop.buy(f"v-{number}", START + 1)
    study = readouts(tmp_path, shop.records, 1.0, {"banner.yaml": SMALLEST + "goal: purchase_rate\n"})
    study.read("banner", ReadoutQuery(metric="purchase_rate"))
    with of_this_thread() as computed:
        answer = Readouts.read(study, "banner")  # without the second reader of the tests
    with of_this_thread() as remembered:
        assert Readouts.read(study, "banner").etag == answer.etag
    report("readout, computed", computed)
    report("readout, remembered", remembered)
    assert computed.functions <= 388
    assert computed.changes <= 919
    assert remembered.functions <= 20
    assert remembered.changes <= 14
