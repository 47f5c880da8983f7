"""No public answer changes by a byte because there is a draft, an archived experiment, or one that has not begun."""

import json
import os
import random
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from oracles.proving import examples
from servers.one_worker import PUBLISHABLE, SECRET, OneWorker
from servers.streams import ending
from worlds.drawn_definitions import NOW, files, folders, is_released

from app.main import cold_routes
from experiments.catalog.files import CatalogPaths, KeeperState, keeper_state_json, publish_catalog
from experiments.definitions.content import PublishedCatalog, content_version
from experiments.definitions.folder import read_sources
from kit.files import FilesToKeep, replace_file
from kit.located import DefinitionError
from kit.time import DAY_US, SECOND_US, now_us

APP = Path(__file__).parents[3] / "app"
IN_PATH = {
    "/api/features/{key}",
    "/api/eval/{key}",
    "/sub/{key}",
    "/v1/projects/{key}/settings",
}  # the key of the caller
PAGE_VIEWS = map("pv-{:09}".format, count())  # beats of one page view are one event
DRAWN_ANEW = re.compile(rb'("(?:exposure_id|recommendation_id)":"|^retry: )[^"\n]+')  # by every answer
OF_COUNTS = re.compile(r"\w+_total(\{|$)")
OF_TRAFFIC = re.compile(  # lines of /metrics that tell no experiment, but how a machine and a store are
    r"^(#|resonate_(http|worker|store|log|disk|last|lag|pending|open|descriptor|heartbeat)_)"
)
HOUR = timedelta(hours=1)


class World:
    """A worker whose routes read a clock that stands, and whose definitions are put in place at once."""

    def __init__(self, worker: OneWorker) -> None:
        self.worker = worker
        self.seed = os.urandom(8)
        self.moment = NOW
        self.walks = count(1)  # each on a day of its own: an exposure that is told again on one day is a duplicate
        self.today = 0
        self.document: dict[str, Any] = worker.app.cold.openapi()
        table = worker.app.table
        hot = [(route.method, route.name) for route in (*table.exact.values(), *table.below.values())]
        self.routes: list[tuple[str, str]] = [*hot, *cold_routes()]

    def time(self) -> float:
        return self.moment.timestamp()

    def now_us(self) -> int:
        return now_us() + self.today * DAY_US

    def publish(self, drawn: Mapping[str, Any]) -> None:
        sources = files(drawn)
        content = read_sources(sources).complete()
        snapshot = PublishedCatalog(version=content_version(content), received_at=NOW, content=content)
        kept = FilesToKeep()
        publish_catalog(CatalogPaths(self.worker.settings.data), snapshot, kept)
        kept.keep()
        self.worker.app.cold.state.resources.catalogs.poll()


@pytest.fixture(scope="module")
def world(worker: OneWorker) -> Iterator[World]:
    standing = World(worker)
    with pytest.MonkeyPatch.context() as patched:
        for name, module in list(sys.modules.items()):
            if name.startswith(("app.delivery.", "app.intake.", "app.management.", "app.routes.")) and hasattr(
                module, "now_seconds"
            ):
                patched.setattr(module, "now_seconds", standing.time)
        patched.setattr("app.routes.ofrep.now_us", lambda: round(standing.time() * SECOND_US))
        patched.setattr("app.intake.tracking.now_us", standing.now_us)
        yield standing


class Call(NamedTuple):
    """One request as it is sent in both worlds."""

    about: str
    method: str
    address: str
    content: str


def calls(world: World, names: list[str]) -> Iterator[Call]:
    """Every route, with its own example, about each of these names."""
    for method, path in world.routes:
        operation = world.document["paths"].get(path, {}).get(method.lower(), {})
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
        for name in names:
            key = PUBLISHABLE if path in IN_PATH else name
            address = re.sub(r"\{\w+(:path)?\}", "v-1", ending(path).replace("{key}", key))
            yield Call(name, method, f"{address}?resonate_force={name}:b", about(body, name))
            if body is not None and operation["tags"] != ["Results"]:
                several = bodies(body, name) if name == names[0] else [body]
                yield from (Call(name, method, address, about(each, name)) for each in several)


def some_of(world: World, names: list[str]) -> list[Call]:
    """So many of the calls as a run has the time for, both worlds alike; the whole proof makes them all."""
    every = list(dict.fromkeys(calls(world, names)))
    chosen = set(random.Random(world.seed).sample(range(len(every)), min(len(every), examples(700))))
    return [call for at, call in enumerate(every) if at in chosen]


def bodies(body: Any, name: str) -> Iterator[Any]:
    """The example of a route, whole and without each of its members; of those that track, also what was seen."""
    yield body
    if not isinstance(body, dict):
        return
    yield from ({each: body[each] for each in body if each != left_out} for left_out in body)
    if "event" in body:
        for variant in ("control", "b", "nothing"):
            told = {"experiment_id": name, "variation_id": variant}
            yield {"anonymousId": "v-1", "event": "Experiment Viewed", "properties": told}


def about(body: Any, name: str) -> str:
    """The body as text that names this experiment and its variant; ids of messages are left out."""
    text = "" if body is None else re.sub(r'"messageId": "[^"]*",? ?', "", json.dumps(body))
    return text.replace("free-shipping-banner", name).replace("threshold", "b")


def public_answers(world: World, names: list[str]) -> dict[Any, Any]:
    """What a publishable key and none are answered, and what the counters make of it; a secret key asked before."""
    with world.worker.client(SECRET) as backend:
        for name in names:
            asked(backend, name)
    found: dict[Any, Any] = {}
    world.today = next(world.walks)
    page_view = f'"{next(PAGE_VIEWS)}"'
    who = {"resonate_id": "v-walk"}  # where a body names nobody, who would be somebody new each time
    with world.worker.client(None, headers={"x-request-id": "walk"}, cookies=who) as client:
        client.post("/v1/visitor", json={}, headers={"authorization": f"Bearer {PUBLISHABLE}"})  # its end is moved
        before = counters(client)
        for call in some_of(world, names):
            for key in (PUBLISHABLE, None) if call.about == names[0] else (PUBLISHABLE,):
                headers = {} if key is None else {"authorization": f"Bearer {key}"}
                content = call.content.replace('"pv-1"', page_view)
                answer = client.request(call.method, call.address, content=content, headers=headers)
                told = {name: value for name, value in answer.headers.items() if name not in ("date", "content-length")}
                text = DRAWN_ANEW.sub(rb"\1", answer.content)
                found[key, call] = answer.status_code, told, b"" if "/metrics" in call.address else text
        after = counters(client)
    counted = {name: after[name] - before.get(name, 0.0) for name in after if OF_COUNTS.match(name)}
    return found | {"counted": counted, "gauges": {name: after[name] for name in after.keys() - counted.keys()}}


def counters(client: httpx.Client) -> dict[str, float]:
    lines = [line for line in client.get("/metrics").text.splitlines() if not OF_TRAFFIC.match(line)]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def changed(with_files: Mapping[Any, Any], without: Mapping[Any, Any]) -> list[Any]:
    return [(what, with_files[what], without[what]) for what in without if with_files[what] != without[what]]


def one(status: str, **dates: datetime) -> dict[str, Any]:
    return {"status": status, "start": None, "end": None, "shipped": False, "phase": 0, **dates}


MIXED = {
    "m-banner": one("running", start=NOW + HOUR),
    "a-banner": one("draft"),
    "z-banner": one("running", end=NOW + HOUR),
    "z-price": one("archived"),
    "a-price": one("paused", start=NOW + HOUR),
    "m-price": one("stopped"),
}


@settings(max_examples=examples(2), phases=[Phase.explicit, Phase.generate])  # each takes a second: none is shrunk
@example(MIXED, 0)
@given(folders(), st.integers(-72, 72))
def test_no_public_answer_tells_of_what_is_not_released(world: World, drawn: dict[str, Any], hours: int) -> None:
    world.moment = NOW + hours * HOUR
    released = {key: one for key, one in drawn.items() if is_released(one, world.moment)}
    hidden = sorted(drawn.keys() - released.keys(), key=lambda key: (drawn[key]["status"] == "draft", key))
    names = [*hidden[:2], *(f"{key}s" for key in hidden[:1]), *hidden[-1:], *sorted(released)[:1]]
    world.publish(released)
    without = public_answers(world, names)
    world.publish(drawn)
    assert changed(public_answers(world, names), without) == []


def asked(client: httpx.Client, key: str, query: str = "") -> dict[str, Any]:
    """What each dialect answers about an experiment."""
    context = {"context": {"targetingKey": "v-1", "resonate.expose": False}}
    single = client.post(f"/ofrep/v1/evaluate/flags/{key}{query}", json=context)
    bulk = client.post(f"/ofrep/v1/evaluate/flags{query}", json=context).json()["flags"]
    page = client.post(f"/v1/personalize{query}", json={"visitor_id": "v-1"}).json()["experiments"]
    return {
        "single": single.json().get("reason", single.status_code),
        "bulk": [flag["reason"] for flag in bulk if flag["key"] == key],
        "personalize": [page[key]["reason"]] if key in page else [],
        "payload": list(client.get(f"/api/features/{PUBLISHABLE}").json()["features"].get(key, {})),
    }


def test_an_experiment_is_there_for_pages_from_its_start_on_and_for_secret_keys_before(world: World) -> None:
    world.publish({"z-banner": one("running", start=NOW)})
    with world.worker.client(PUBLISHABLE) as page, world.worker.client(SECRET) as backend:
        world.moment = NOW - HOUR / 3600
        assert asked(page, "z-banner") == {"single": 404, "bulk": [], "personalize": [], "payload": []}
        expected = {"single": "DISABLED", "bulk": ["DISABLED"], "personalize": ["DISABLED"], "payload": []}
        assert asked(backend, "z-banner") == expected
        world.moment = NOW
        started = {"single": "SPLIT", "bulk": ["SPLIT"], "personalize": ["SPLIT"], "payload": ["defaultValue", "rules"]}
        assert asked(page, "z-banner") == asked(backend, "z-banner") == started


@pytest.mark.parametrize("status", ["running", "paused", "stopped"])
def test_a_page_forces_what_runs_and_a_secret_key_what_is_answered(world: World, status: str) -> None:
    world.publish({"z-banner": one(status, end=NOW + HOUR)})
    query = "?resonate_force=z-banner:b"
    with world.worker.client(PUBLISHABLE) as page, world.worker.client(SECRET) as backend:
        world.moment = NOW
        forced = "TARGETING_MATCH" if status == "running" else "DISABLED"
        assert asked(page, "z-banner", query)["single"] == forced
        assert asked(backend, "z-banner", query)["single"] == "TARGETING_MATCH"
        world.moment = NOW + HOUR  # it has ended
        assert asked(page, "z-banner", query)["bulk"] == ["DISABLED"]
        assert asked(backend, "z-banner", query)["bulk"] == ["TARGETING_MATCH"]


def test_health_tells_pages_codes_and_a_secret_key_what_they_mean(tmp_path: Path) -> None:
    with OneWorker(tmp_path) as worker, worker.client(None) as anyone, worker.client(SECRET) as backend:
        for number in range(2):
            worker.keeper.errors += (DefinitionError(f"hidden-{number}.yaml", 1, "name", "is secret"),)
        data = worker.settings.data
        state = KeeperState(errors=worker.keeper.errors, since=NOW)
        replace_file(CatalogPaths(data).state, keeper_state_json(state))
        for role, named in (("supervisor", "part 7"), ("writer", "paused"), ("analysis", "draft")):
            worker.board.desk(role).note("data_damaged", named)
        worker.app.cold.state.resources.catalogs.poll()
        told, known = anyone.get("/readyz").json(), backend.get("/readyz").json()
        assert told["degraded"] == ["definitions_invalid", "data_damaged", "data_damaged: paused"]
        assert set(told) == {"status", "degraded", "store", "version"}
        assert set(told["store"]) == {"available", "cause"}
        assert [error.partition(":")[0] for error in known["definitions"]["errors"]] == [
            "hidden-0.yaml",
            "hidden-1.yaml",
        ]
        assert known["degraded"][1:] == ["data_damaged: part 7", "data_damaged: paused", "data_damaged: draft"]
        counted = [client.get("/metrics").text for client in (anyone, backend)]
        assert ["\nresonate_definition_errors 1\n" in counted[0], "\nresonate_definition_errors 2\n" in counted[1]]


@pytest.mark.parametrize("key", [PUBLISHABLE, SECRET + "x"])
def test_no_other_key_opens_the_texts_of_health(worker: OneWorker, key: str) -> None:
    with worker.client(None) as anyone:
        none = anyone.get("/readyz").json()
        assert anyone.get("/readyz", headers={"x-api-key": key}).json() == none
        assert anyone.get("/readyz", params={"key": SECRET}).json() == none  # in an address it is none


def test_no_handler_looks_into_the_catalogue_itself_but_those_of_a_secret_key_or_a_person() -> None:
    rooms = ("routes", "management", "delivery", "intake", "steering", "reports", "dashboard")
    looking = {
        str(path.relative_to(APP)) for room in rooms for path in (APP / room).rglob("*.py")
        if ".catalogs" in path.read_text()
    }  # fmt: skip
    assert looking == {
        "management/operations.py",  # texts take a secret key
        "steering/orders.py", "reports/sharing.py", "dashboard/pages/shares.py",  # secret keys, and people who may
        "reports/routes.py",  # so that a link names no other experiment
        "dashboard/rendering.py", "dashboard/refusals.py",  # the version; what was meant, to who is signed in
        "dashboard/customers/recommendations.py", "dashboard/customers/cx.py",  # slots and targets, to people who may
        "dashboard/program/new.py", "dashboard/program/plan.py", "dashboard/program/saving.py",  # to people who may
    }  # fmt: skip
