"""Whatever is in any field of an event: it is stored, or refused for a field that it cannot do without."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples
from servers.one_worker import DEFINITIONS, OneWorker, records
from servers.service import PUBLISHABLE_KEY, SECRET_KEY, Service, running
from worlds.spoilt_events import BODIES, GROWTHBOOK, KINDS, NEEDED, Spoilt, all_spoilt, places, spoilt

from events.dialects.growthbook import AS_TEXT

PATHS = {"segment": "/v1/batch", "growthbook": "/track"}
VALID = [("segment", body) for body in BODIES.values()] + [("growthbook", body) for body in GROWTHBOOK.values()]
MANY = 10_000


def counted(client: httpx.Client) -> Counter[str]:
    """What became of events until now, by the counters."""
    lines = [line for line in client.get("/metrics").text.splitlines() if line.startswith("resonate_events_total{")]
    return Counter({line.split('"')[1]: int(float(line.split()[-1])) for line in lines})


def sent(client: httpx.Client, events: list[Spoilt]) -> dict[str, Any]:
    """The answer to events of one dialect."""
    bodies = [event.body for event in events]
    body: Any = {"batch": bodies} if events[0].dialect == "segment" else bodies
    answer = client.post(PATHS[events[0].dialect], json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def client(worker: OneWorker) -> Iterator[httpx.Client]:
    with worker.client() as found:
        yield found


@settings(max_examples=examples(300))
@given(st.sampled_from(VALID), st.data(), st.sampled_from(KINDS))
def test_a_field_of_any_kind_costs_no_event_that_can_do_without_it(
    worker: OneWorker, client: httpx.Client, valid: tuple[str, dict[str, Any]], data: st.DataObject, value: Any
) -> None:
    dialect, body = valid
    place = data.draw(st.sampled_from(list(places(body))))
    before = counted(client)
    answer = sent(client, [spoilt(dialect, body, place, value)])
    outcomes = counted(client) - before
    assert outcomes["stored"] + outcomes["duplicate"] + outcomes["rejected"] + outcomes["dropped"] == 1
    refused = [each["field"] for each in answer.get("rejected", [])]
    assert set(refused) <= NEEDED, (place, value, answer)
    assert len(refused) == outcomes["rejected"]


def in_the_row(field: str) -> str:
    """A field in the words of rows, which have one for what GrowthBook's SDKs send under either of two names."""
    name, point, member = field.partition(".")
    return {sent: own for own, sent in AS_TEXT.items()}.get(name, name) + point + member


@pytest.mark.parametrize("dialect", PATHS)
def test_what_was_left_out_is_named_in_the_answer_and_in_the_row(
    worker: OneWorker, client: httpx.Client, dialect: str
) -> None:
    for number, event in enumerate(each for each in all_spoilt()[::7] if each.dialect == dialect):
        name = "messageId" if dialect == "segment" else "uuid"
        if event.place != (name,):
            event.body[name] = f"{dialect}-{number}"
        told = {in_the_row(each["field"]) for each in sent(client, [event]).get("repaired", [])}
        rows = records(worker, message_id=f"{dialect}-{number}")
        named = [row.get("context", {}).get("repaired", []) for row in rows]
        assert all(set(fields) == told for fields in named), (event, told, named)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("mixed"), DEFINITIONS, RESONATE_WORKERS="1") as service:
        yield service


def exported(service: Service) -> list[dict[str, Any]]:
    """Every row of the log."""
    rows: list[dict[str, Any]] = []
    with httpx.Client(base_url=service.url, headers={"authorization": f"Bearer {SECRET_KEY}"}) as client:
        cursor = ""
        for _ in range(MANY):
            page = client.get("/v1/export/events", params={"cursor": cursor} if cursor else {})
            rows += [json.loads(line) for line in page.text.splitlines()]
            cursor = page.headers["x-resonate-next-cursor"]
            if not page.content and page.headers["x-resonate-pending"] == "0":
                return rows
    raise AssertionError("the export never came to its end")


@pytest.mark.slow
def test_no_event_of_ten_thousand_is_unaccounted_for(whole: Service) -> None:
    mixed = all_spoilt()
    events = (mixed * (MANY // len(mixed) + 1))[:MANY]
    for number, event in enumerate(events):
        name = "messageId" if event.dialect == "segment" else "uuid"
        if event.place != (name,) and number % 3:
            event.body[name] = f"many-{number}"
    with httpx.Client(base_url=whole.url, headers={"authorization": f"Bearer {PUBLISHABLE_KEY}"}, timeout=60) as client:
        for dialect in PATHS:
            own = [event for event in events if event.dialect == dialect]
            for start in range(0, len(own), 200):
                sent(client, own[start : start + 200])
        outcomes = counted(client)
    told = {name: outcomes[name] for name in ("stored", "duplicate", "rejected", "dropped")}
    assert sum(told.values()) == MANY, told
    assert len(exported(whole)) == told["stored"]
