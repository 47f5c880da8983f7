"""A refusal is seen: by whom, why and how often, over all workers and after a restart; and which events come at all."""

import json
import logging
from collections.abc import Iterator

import httpx
import pytest
from conftest import StartService
from servers.one_worker import PUBLISHABLE, SECRET, OneWorker
from servers.patience import until
from servers.service import PUBLISHABLE_KEY

MARKED = "zz-marked-value"


@pytest.fixture
def own_worker(tmp_path) -> Iterator[OneWorker]:
    with OneWorker(tmp_path) as running:
        yield running


def told(worker: OneWorker) -> dict:
    with worker.client(SECRET) as client:
        return client.get("/v1/events/rejected").json()


def send(worker: OneWorker, *events: dict, key: str = PUBLISHABLE) -> dict:
    with worker.client(key) as client:
        return client.post("/v1/batch", json={"batch": list(events)}).json()


PYTHON = {"library": {"name": "analytics-python", "version": "2.3"}}


def test_a_refused_event_is_told_with_why_where_and_from_whom(own_worker: OneWorker) -> None:
    wrong = {"type": "track", "messageId": "m-1", "anonymousId": "v-1", "event": "Order Completed", "context": PYTHON}
    answer = send(own_worker, wrong, {**wrong, "messageId": "m-2", "properties": {"order_id": "o-1"}})
    assert [each["code"] for each in answer["rejected"]] == ["missing_order_id"]

    found = told(own_worker)

    [cause] = found["rejected"]
    assert found["total"] == 1
    assert {name: cause[name] for name in ("code", "library", "dialect", "count")} == {
        "code": "missing_order_id", "library": "analytics-python", "dialect": "segment", "count": 1,
    }  # fmt: skip
    [last] = cause["last"]
    assert (last["message_id"], last["type"], last["event"]) == ("m-1", "track", "Order Completed")
    assert cause["first_seen"] == cause["last_seen"] == last["at"]


def test_what_is_refused_as_a_whole_is_told_too(own_worker: OneWorker) -> None:
    with own_worker.client() as client:
        assert client.post("/v1/track", content=b"{").status_code == 400
        assert client.post("/v1/batch", json={}).status_code == 400
    with own_worker.client("pk_of_nobody_at_all") as stranger:
        assert stranger.post("/v1/track", json={"event": "x", "anonymousId": "v-1"}).status_code == 401

    causes = {(each["code"], each["field"]): each["count"] for each in told(own_worker)["rejected"]}

    assert causes == {("unreadable_body", "request"): 2, ("unauthorized", "request"): 1}


def test_metrics_count_refusals_by_code_and_known_library_alone(own_worker: OneWorker) -> None:
    invented = {"library": {"name": MARKED}}
    wrong = {"type": "track", "event": "x"}
    send(own_worker, {**wrong, "context": invented}, {**wrong, "context": PYTHON}, wrong)

    with own_worker.client(None) as client:
        lines = client.get("/metrics").text.splitlines()

    counted = sorted(line for line in lines if line.startswith("resonate_events_rejected_total{"))
    assert counted == [
        f'resonate_events_rejected_total{{code="missing_id",library="{each}"}} 1'
        for each in ("analytics-python", "none", "other")
    ]
    assert 'resonate_events_total{outcome="rejected"} 3' in lines


def test_a_cause_is_logged_once_a_day(own_worker: OneWorker, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "resonate.events"):
        for _ in range(3):
            send(own_worker, {"type": "track", "event": "x", "context": PYTHON})
            told(own_worker)
        send(own_worker, {"type": "track", "anonymousId": "v-1", "context": PYTHON})
        told(own_worker)

    lines = [record.getMessage() for record in caplog.records if record.name == "resonate.events"]
    assert len(lines) == 2
    assert "missing_id" in lines[0]
    assert "from library analytics-python" in lines[0]
    assert "GET /v1/events/rejected" in lines[0]
    assert "missing_event" in lines[1]


def test_all_workers_are_told_of_together_and_after_a_restart(start_service: StartService) -> None:
    service = start_service(
        {"a.yaml": "key: a\nstatus: running\nvariants: [control, b]\ngoal: purchase_rate\n"}, RESONATE_WORKERS="2"
    )
    for _ in range(20):  # each on a connection of its own, so that both workers get some
        httpx.post(
            f"{service.url}/v1/track",
            json={"event": "x", "context": PYTHON},
            headers={"authorization": f"Bearer {PUBLISHABLE}", "connection": "close"},
        )

    def counted() -> bool:
        with service.client() as client:
            return client.get("/v1/events/rejected").json()["total"] == 20

    until(counted, "every refusal is told, whichever worker is asked")
    service.stop()
    service.start()
    with service.client() as client:
        found = client.get("/v1/events/rejected").json()
    assert [each["count"] for each in found["rejected"]] == [20]
    assert len(found["rejected"][0]["last"]) == 20


def test_which_events_come_is_told_with_their_properties_metrics_and_hints(start_service: StartService) -> None:
    service = start_service({"a.yaml": "key: a\nstatus: running\nvariants: [control, b]\ngoal: purchase_rate\n"})
    order = {"type": "track", "anonymousId": "v-1", "event": "Order Completed", "context": PYTHON}
    with service.client() as client:
        client.post(
            "/v1/batch",
            json={
                "batch": [
                    {**order, "properties": {"order_id": "o-1", "revenue": 5, "email": "ann@shop.example"}},
                    {**order, "anonymousId": "v-2", "properties": {"order_id": "o-2", "revenue": 7.5, "coupon": "x"}},
                    {"type": "track", "anonymousId": "v-1", "event": "Ordr Completd"},
                    {"type": "track", "anonymousId": "v-1", "event": "Long", "properties": {"text": "x" * 5_000}},
                    {"type": "page", "anonymousId": "v-1"},
                ]
            },
        )
        listed = {each["event"]: each for each in client.get("/v1/events").json()["events"]}
        rows = client.get("/v1/events", params={"event": "Order Completed"}).json()["rows"]

    completed = listed["Order Completed"]
    assert (completed["count"], completed["count_24h"], completed["libraries"]) == (2, 2, ["analytics-python"])
    properties = {each["name"]: (each["share"], each["kinds"]) for each in completed["properties"]}
    assert properties["revenue"] == (1.0, ["number"])
    assert properties["coupon"] == (0.5, ["text"])
    assert "purchase_rate" in completed["metrics"]
    assert completed["hint"] is None
    assert listed["page"]["hint"] is None
    assert (listed["Long"]["count"], listed["Long"]["properties"]) == (
        1,
        [],
    )  # of many letters: counted, not looked into
    assert listed["Ordr Completd"]["hint"]["code"] == "near_name"
    assert "Order Completed?" in listed["Ordr Completd"]["hint"]["message"]
    assert [row["value"] for row in rows] == [7.5, 5.0]
    assert not {"v-1", "v-2", "ann@shop.example"} & set(json.dumps(rows).replace('"', " ").split())


def test_a_path_of_another_vendors_client_is_told_too(own_worker: OneWorker) -> None:
    with own_worker.client() as client:
        assert client.post("/matomo.php", json={}).status_code == 404
        assert client.post("/nothing-of-anybody", json={}).status_code == 404
    causes = {(each["code"], each["dialect"]): each["count"] for each in told(own_worker)["rejected"]}
    assert causes == {("unknown_path", "other"): 1}


LONG = MARKED * 30
SPOILT = {
    "an id of many": {"userId": [MARKED]},
    "a long id": {"anonymousId": LONG},
    "an id with a control character": {"anonymousId": f"{MARKED}\x07"},
    "a number for a name": {"event": 98765432198765, "anonymousId": "v-1"},
    "another type": {"type": f"a {MARKED}", "anonymousId": "v-1"},
    "an order without its id": {"event": "Order Completed", "anonymousId": "v-1", "properties": {"revenue": MARKED}},
    "a large event": {"event": "x", "anonymousId": "v-1", "properties": {"note": MARKED * 3_000}},
    "a deep one": {"event": "x", "anonymousId": "v-1", "properties": {MARKED: json.loads("[" * 40 + "1" + "]" * 40)}},
    "an unknown consent": {"event": "x", "anonymousId": "v-1", "context": {"consent": {"resonate": MARKED}}},
}


def test_of_what_an_event_says_only_its_name_type_and_message_id_are_kept(own_worker: OneWorker) -> None:
    refused = {}
    for name, event in SPOILT.items():
        answer = send(own_worker, {"type": "track", "event": "x", "messageId": name, **event})
        refused[name] = [each["code"] for each in answer.get("rejected", ())]
    assert all(refused.values()), refused
    found = told(own_worker)
    for outcome in ("rejected", "repaired", "dropped"):
        for cause in found[outcome]:
            for last in cause["last"]:
                del last["type"], last["event"]
    assert MARKED not in json.dumps(found)
    assert "98765432198765" not in json.dumps(found)
    kept = (own_worker.settings.data / "refused-events.json").read_text()
    assert kept.count(MARKED) == kept.count(f"a {MARKED}"), "only the type that one event calls itself"


def test_of_many_invented_names_the_rest_is_one_line_and_an_odd_library_hides_no_row(
    start_service: StartService,
) -> None:
    service = start_service({"a.yaml": "key: a\nstatus: running\nvariants: [control, b]\ngoal: purchase_rate\n"})
    odd = {"type": "track", "anonymousId": "v-1", "event": "Odd"}
    events = [{**odd, "context": {"library": told}} for told in ("text", [1], {"name": 5}, 7)]
    events += [
        {**odd, "event": f"Invented {number}", "context": {"library": {"name": f"invented-{number}"}}}
        for number in range(600)
    ]
    with service.client() as client:
        assert "rejected" not in client.post("/v1/batch", json={"batch": events}).json()
        listed = client.get("/v1/events").json()["events"]
        rows = client.get("/v1/events", params={"event": "Odd"}).json()["rows"]
    assert (listed[0]["event"], listed[0]["count"], len(listed)) == ("Odd", 4, 501)
    assert (listed[-1]["event"], listed[-1]["count"], listed[-1]["count_24h"]) == ("other", 101, 101)
    assert {name for each in listed[1:-1] for name in each["libraries"]} == {"other"}
    assert [row["library"] for row in rows] == ["none", "none", "none", "none"]


def test_what_a_page_sends_is_told_too_and_a_value_of_nothing_is_a_value(start_service: StartService) -> None:
    service = start_service({"shop.yaml": "privacy: {default_consent: personal}\n"})
    with service.client(PUBLISHABLE_KEY) as page, service.client() as backend:
        page.post("/v1/track", json={"anonymousId": "v-1", "event": "Seen", "properties": {"value": 0}})
        [row] = backend.get("/v1/events", params={"event": "Seen"}).json()["rows"]
    assert (row["authority"], row["value"], "bot" in row) == ("page", 0.0, False)
