"""Exposures that clients report: one a day for each unit and variant, and right by the id that was hashed."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from servers.one_worker import SECRET, OneWorker, records
from worlds.user_agents import MACHINES, PEOPLE

EXPERIMENT_VIEWED = "Experiment Viewed"


def variant_of(client: httpx.Client, visitor: str, key: str = "banner", **more: Any) -> str:
    body = {"visitor_id": visitor, "experiments": [key], "expose": False, **more}
    return client.post("/v1/personalize", json=body).json()["experiments"][key]["variant"]


def another(variant: str) -> str:
    return {"control": "threshold", "threshold": "control"}[variant]


def viewed(client: httpx.Client, visitor: str, variant: Any, key: str = "banner", **properties: Any) -> dict[str, Any]:
    said = {"experiment_id": key, "variation_id": variant, **properties}
    event = {"anonymousId": visitor, "event": EXPERIMENT_VIEWED, "properties": said}
    return client.post("/v1/track", json=event).json()


def ingested(client: httpx.Client, *events: dict[str, Any]) -> dict[str, Any]:
    answer = client.post("/track", json=list(events) if len(events) != 1 else events[0])
    assert answer.status_code == 200, answer.text
    return answer.json()


def logged(visitor: str, variant: Any, **fields: Any) -> dict[str, Any]:
    """As GrowthBook's plug-in for browsers sends it."""
    properties = {"experimentId": "banner", "variationId": variant, "hashAttribute": "id", "hashValue": visitor}
    return {"event_name": EXPERIMENT_VIEWED, "properties_json": properties, "device_id": visitor,
            "context_json": {"url": f"/{uuid4().hex}"}, **fields}  # fmt: skip


@pytest.mark.parametrize("dialect", ["segment", "growthbook"])
def test_an_exposure_that_is_told_again_is_one_and_no_conflict(worker: OneWorker, dialect: str) -> None:
    visitor = uuid4().hex
    with worker.client() as client:
        variant = variant_of(client, visitor)
        before = client.get("/metrics").text
        for page in range(3):
            if dialect == "segment":
                viewed(client, visitor, variant, page=page)
            else:
                ingested(client, logged(visitor, variant))
        after = client.get("/metrics").text
    [row] = records(worker, visitor_id=visitor, type="exposure")
    assert row["message_id"].startswith("exposure:")
    conflicts = [[line for line in text.splitlines() if "message_conflicts" in line] for text in (before, after)]
    assert conflicts[0] == conflicts[1]


def test_an_exposure_that_the_service_makes_again_is_one_and_the_same_that_clients_report(worker: OneWorker) -> None:
    visitor = uuid4().hex
    body = {"visitor_id": visitor, "experiments": ["banner"]}
    with worker.client() as client:
        flag = [
            client.post(
                "/ofrep/v1/evaluate/flags/banner", json={"context": {"targetingKey": visitor, "page": uuid4().hex}}
            ).json()
            for _ in range(3)
        ]
        shown = [client.post("/v1/personalize", json=body).json()["experiments"]["banner"] for _ in range(3)]
        viewed(client, visitor, flag[0]["variant"])
        ingested(client, logged(visitor, flag[0]["variant"]))
    told = [each["metadata"] for each in flag] + shown
    [row] = records(worker, visitor_id=visitor, type="exposure")
    assert {(each["exposure"], each["exposure_id"]) for each in told} == {("logged", row["message_id"])}
    assert row["exposure_source"] == "ofrep"


def test_an_exposure_of_another_user_or_by_a_machine_takes_the_place_of_none(worker: OneWorker) -> None:
    visitor = uuid4().hex
    context, person = {"targetingKey": visitor}, min(PEOPLE)
    with worker.client() as client:
        for agent, more in ((MACHINES[0], {}), (person, {}), (person, {"user_id": "u-1"}), (person, {})):
            answer = client.post(
                "/ofrep/v1/evaluate/flags/banner", json={"context": context | more}, headers={"user-agent": agent}
            )
            assert answer.json()["metadata"]["exposure"] == "logged"
    rows = records(worker, visitor_id=visitor, type="exposure")
    assert sorted((row.get("bot", False), row.get("user_id", "")) for row in rows) == [
        (False, ""), (False, "u-1"), (True, "")
    ]  # fmt: skip


def test_another_variant_another_user_and_another_sender_are_other_exposures(worker: OneWorker) -> None:
    visitor = uuid4().hex
    with worker.client() as page, worker.client(SECRET) as backend:
        for variant in ("control", "threshold"):
            viewed(page, visitor, variant)
        viewed(backend, visitor, "control")
        viewed(page, uuid4().hex, "control")
        said = {"experiment_id": "banner", "variation_id": "control"}
        event = {"anonymousId": visitor, "userId": "u-1", "event": EXPERIMENT_VIEWED, "properties": said}
        page.post("/v1/track", json=event)
    assert len(records(worker, visitor_id=visitor, type="exposure")) == 4


def test_a_test_of_the_way_takes_the_place_of_no_exposure(worker: OneWorker) -> None:
    visitor = uuid4().hex
    with worker.client() as client:
        variant = variant_of(client, visitor)
        viewed(client, visitor, variant, resonate_test=True)
        viewed(client, visitor, variant)
    rows = records(worker, visitor_id=visitor, type="exposure")
    assert sorted(row.get("quarantined", False) for row in rows) == [False, True]


def test_exposures_of_two_days_are_two_and_their_own_id_is_kept(worker: OneWorker) -> None:
    visitor = uuid4().hex
    with worker.client() as client:
        for moment, message_id in (("2026-01-20T09:00:00Z", None), ("2026-01-20T11:00:00Z", None),
                                   ("2026-01-21T09:00:00Z", None), ("2026-01-21T09:00:00Z", "own")):  # fmt: skip
            said = {"experiment_id": "banner", "variation_id": "control"}
            event = {"anonymousId": visitor, "event": EXPERIMENT_VIEWED, "properties": said, "timestamp": moment}
            client.post("/v1/track", json={**event, "messageId": message_id and f"{visitor}-{message_id}"})
    assert len(records(worker, visitor_id=visitor)) == 3
    assert len(records(worker, message_id=f"{visitor}-own")) == 1


@pytest.mark.parametrize("name", ["hashValue", "hash_value"])
@pytest.mark.parametrize("hashed", ["hashed-by-the-sdk", 12345])
def test_an_exposure_is_judged_by_the_id_that_was_hashed_and_counts_for_its_own(
    worker: OneWorker, name: str, hashed: Any
) -> None:
    visitor = uuid4().hex
    with worker.client() as client:
        drawn = variant_of(client, str(hashed))
        while variant_of(client, visitor) == drawn:
            visitor = uuid4().hex
        viewed(client, visitor, drawn, **{name: hashed})
        viewed(client, visitor, another(drawn), **{name: hashed})
        viewed(client, visitor, another(drawn), **{name: visitor})
    right, wrong, own = records(worker, visitor_id=visitor, type="exposure")[:3]
    assert (right["variant"], right.get("forged"), right["context"]["hashed_id"]) == (drawn, None, str(hashed))
    assert (wrong["variant"], wrong["forged"]) == (another(drawn), True)
    assert (own.get("forged"), "hashed_id" in own.get("context", {})) == (None, False)
    assert right.get("user_id") is None


def test_a_user_whose_id_was_hashed_is_the_unit_of_an_experiment_on_users(worker: OneWorker) -> None:
    visitor, user = uuid4().hex, uuid4().hex
    with worker.client() as client:
        drawn = variant_of(client, visitor, "members", user_id=user)
        said = {"experiment_id": "members", "variation_id": drawn, "hashAttribute": "user_id", "hashValue": user}
        event = {"anonymousId": visitor, "userId": user, "event": EXPERIMENT_VIEWED, "properties": said}
        client.post("/v1/track", json=event)
    [row] = records(worker, visitor_id=visitor, type="exposure")
    assert (row.get("forged"), "hashed_id" in row.get("context", {})) == (None, False)


def test_nothing_of_a_second_id_is_stored_of_who_is_measured(worker: OneWorker) -> None:
    visitor = uuid4().hex
    with worker.client(headers={"x-resonate-consent": "measure"}) as client:
        drawn = variant_of(client, "hashed-elsewhere")
        viewed(client, visitor, drawn, hashValue="hashed-elsewhere")
    [row] = records(worker, visitor_id=visitor, type="exposure")
    assert (row.get("forged"), row["variant"]) == (None, drawn)
    assert "hashed-elsewhere" not in str(row)


@pytest.mark.parametrize("spelling", ["experimentId", "experiment_id", "experiment_key"])
@pytest.mark.parametrize("variation", ["variationId", "variation_id", "variation_key", "variationKey"])
@pytest.mark.parametrize("told", [1, "1", "threshold"])
def test_growthbooks_words_are_understood_in_every_spelling(
    worker: OneWorker, spelling: str, variation: str, told: Any
) -> None:
    visitor = uuid4().hex
    properties = {spelling: "banner", variation: told, "hashValue": visitor}
    with worker.client() as client:
        assert ingested(client, {"event_name": EXPERIMENT_VIEWED, "properties": properties}) == {"success": True}
    [row] = records(worker, visitor_id=visitor)
    assert (row["experiment"], row["variant"]) == ("banner", "threshold")


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("names", [("properties_json", "context_json"), ("properties", "attributes")])
@pytest.mark.parametrize(
    ("attributes", "more", "found"),
    [
        ({"id": 12345}, {"device_id": "d"}, "12345"),
        ({"company": "acme"}, {"device_id": "d"}, "acme"),
        ({}, {"device_id": "d-1", "user_id": "u"}, "d-1"),
        ({"id": "null"}, {"user_id": "u-1"}, "u-1"),
    ],
)  # fmt: skip
def test_without_a_hashed_value_the_unit_is_what_the_sdk_would_have_hashed(
    worker: OneWorker, names: tuple[str, str], attributes: dict[str, Any], more: dict[str, Any], found: str, text: bool
) -> None:
    by = "company" if "company" in attributes else "id"
    properties = {"experimentId": "banner", "variationId": 0, "hashAttribute": by}
    inside = {names[0]: properties, names[1]: attributes}
    if text:
        inside = {name: json.dumps(value) for name, value in inside.items()}
    before = len(records(worker, visitor_id=found, type="exposure"))
    with worker.client() as client:
        ingested(client, {"event_name": EXPERIMENT_VIEWED, "uuid": uuid4().hex, **inside, **more})
    assert len(records(worker, visitor_id=found, type="exposure")) == before + 1


def test_an_event_that_the_sdk_logs_is_worth_what_it_says(worker: OneWorker) -> None:
    order = {"order_id": 450789469, "revenue": "12.5"}
    visitor = uuid4().hex
    with worker.client() as client:
        ingested(client, {"event_name": "purchase", "device_id": visitor, "properties": order})
    [row] = records(worker, visitor_id=visitor)
    assert (row["event"], row["order_id"], row["value"]) == ("Order Completed", "450789469", 12.5)
    assert row["context"] == {"library": {"name": "growthbook"}, "event_name": "purchase"}


def test_evaluations_of_features_are_dropped_and_counted(worker: OneWorker) -> None:
    visitor = uuid4().hex
    event = {"event_name": "Feature Evaluated", "device_id": visitor, "properties": {"feature": "f"}}
    with worker.client() as client:
        before = dropped(client)
        assert ingested(client, event, event) == {"success": True}
        assert client.post("/v1/track", json={"anonymousId": visitor, "event": "Feature Evaluated"}).status_code == 200
        assert dropped(client) - before == 3
    assert records(worker, visitor_id=visitor) == []


def dropped(client: httpx.Client) -> int:
    lines = client.get("/metrics").text.splitlines()
    return int(next(line.split()[-1] for line in lines if line.startswith('resonate_events_total{outcome="dropped"}')))


AGENTS = [*list(PEOPLE.values())[::12], *MACHINES[::12]]


@pytest.mark.parametrize("agent", AGENTS)
def test_a_user_agent_is_of_one_class_at_every_door(worker: OneWorker, agent: str) -> None:
    classes: dict[str, set[bool]] = {}
    with worker.client(headers={"user-agent": agent}) as page, worker.client(SECRET) as backend:
        for name, client, told in (("page", page, {}), ("backend", backend, {"userAgent": agent})):
            visitor = uuid4().hex
            event = {"anonymousId": visitor, "context": told}
            for path, body in {
                "/v1/track": {**event, "event": "E"},
                "/v1/page": event,
                "/rudder/v1/screen": event,
                "/v1/engagement": {**event, "pageViewId": visitor, "seq": 1, "engagedMs": 5},
                "/v1/batch": {"batch": [{**event, "type": "identify", "userId": "u"}]},
                "/track": [{"event_name": "E", "device_id": visitor, "attributes": told}],
                "/ofrep/v1/evaluate/flags/banner": {"context": {"targetingKey": visitor, **told}},
                "/v1/personalize": {"visitor_id": f"{visitor}-2", "experiments": ["banner"], "attributes": told},
            }.items():
                assert client.post(path, json=body).status_code == 200
            rows = [*records(worker, visitor_id=visitor), *records(worker, visitor_id=f"{visitor}-2")]
            assert len(rows) == 8
            classes[name] = {row.get("bot", False) for row in rows}
    assert set.union(*classes.values()) == {agent in MACHINES}
