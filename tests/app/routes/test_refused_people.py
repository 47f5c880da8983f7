"""Of an event that is refused nothing is known of who refuses, and nothing any more of who was erased."""

import copy
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from servers.one_worker import SECRET, OneWorker
from servers.service import running

DEEP: dict[str, Any] = {}
for _ in range(40):
    DEEP = {"a": DEEP}
WRONG: dict[str, dict[str, Any]] = {
    "no order id": {"event": "Order Completed"},
    "too deep": {"event": "x", "properties": DEEP},
    "too large": {"event": "x", "properties": {"a": "x" * 40_000}},
    "no name": {"event": ""},
    "no id": {"event": "x", "anonymousId": [], "userId": {}},
}
MARK = "mark-of-somebody"


def segment(wrong: dict[str, Any], place: str, word: str) -> tuple[str, Any, dict[str, Any]]:
    event = {"type": "track", "anonymousId": MARK, "userId": f"{MARK}-u", "messageId": f"m-{MARK}", **wrong}
    body: dict[str, Any] = {"batch": [event]}
    ask: dict[str, Any] = {}
    match place:
        case "event":
            event["consent"] = word
        case "event's context":
            event["context"] = {"consent": {"resonate": word}}
        case "batch":
            body["consent"] = word
        case "batch's context":
            body["context"] = {"consent": {"resonate": word}}
        case _:
            ask = of_request(place, word)
    return "/v1/batch", body, ask


def single(wrong: dict[str, Any], place: str, word: str) -> tuple[str, Any, dict[str, Any]]:
    _, body, ask = segment(wrong, place, word)
    return "/v1/track", body["batch"][0], ask


def growthbook(wrong: dict[str, Any], place: str, word: str) -> tuple[str, Any, dict[str, Any]]:
    event: dict[str, Any] = {"event_name": wrong.get("event"), "device_id": MARK, "user_id": MARK, "uuid": f"m-{MARK}"}
    event["device_id"], event["user_id"] = wrong.get("anonymousId", MARK), wrong.get("userId", f"{MARK}-u")
    event["properties_json"] = wrong.get("properties", {})
    ask: dict[str, Any] = {}
    said = {"resonate.consent": word, "other": 1}
    match place:
        case "attributes":
            event["attributes"] = said
        case "attributes as text":
            event["attributes"] = json.dumps(said)
        case "context":
            event["context_json"] = said
        case "context as text":
            event["context_json"] = json.dumps(said)
        case _:
            ask = of_request(place, word)
    return "/track", [event], ask


def ga4(wrong: dict[str, Any], place: str, word: str) -> tuple[str, Any, dict[str, Any]]:
    names = {"Order Completed": "purchase", "x": "x", "": ""}
    body: dict[str, Any] = {"client_id": wrong.get("anonymousId", MARK), "user_id": wrong.get("userId", f"{MARK}-u")}
    body["events"] = [{"name": names[wrong["event"]], "params": wrong.get("properties", {})}]
    ask: dict[str, Any] = {}
    match place:
        case "body":
            body["consent"] = word
        case "body's object":
            body["consent"] = {"resonate": word}
        case "Google's words":
            body["consent"] = {"analytics_storage": "DENIED"} if word == "none" else {}
        case _:
            ask = of_request(place, word)
    return "/mp/collect?debug=1", body, ask


def of_request(place: str, word: str) -> dict[str, Any]:
    match place:
        case "header":
            return {"headers": {"x-resonate-consent": word}}
        case "query":
            return {"params": {"consent": word}}
        case "cookie":
            return {"headers": {"cookie": f"resonate_consent={word}"}}
        case _:
            raise AssertionError(place)


EVERYWHERE = ("header", "query", "cookie")
PLACES = {
    segment: ("event", "event's context", "batch", "batch's context", *EVERYWHERE),
    single: ("event", "event's context", *EVERYWHERE),
    growthbook: ("attributes", "attributes as text", "context", "context as text", *EVERYWHERE),
    ga4: ("body", "body's object", "Google's words", *EVERYWHERE),
}
CASES = [(dialect, place) for dialect, places in PLACES.items() for place in places]


def counts(client: httpx.Client) -> dict[str, float]:
    lines = [line for line in client.get("/metrics").text.splitlines() if line.startswith("resonate_events_total{")]
    return {line.split('"')[1]: float(line.split()[-1]) for line in lines}


def listed(worker: OneWorker) -> dict[str, Any]:
    with worker.client(SECRET) as client:
        return client.get("/v1/events/rejected").json()


@pytest.mark.drawn(25)
@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(("dialect", "place"), CASES, ids=[f"{dialect.__name__}: {place}" for dialect, place in CASES])
def test_a_refused_event_of_who_refuses_leaves_nothing_but_a_count(
    worker: OneWorker, dialect: Any, place: str, wrong: str
) -> None:
    outcomes: dict[str, tuple[dict[str, Any], dict[str, float], bool]] = {}
    for word in ("personal", "none"):
        path, body, ask = dialect(copy.deepcopy(WRONG[wrong]), place, word)
        with worker.client() as client:
            params = {"debug": "1", **ask.pop("params", {})}
            before, told_before = counts(client), listed(worker)
            answer = client.post(path.partition("?")[0], json=body, params=params, **ask)
            assert answer.status_code == 200, answer.text
            after = counts(client)
        changed = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}
        outcomes[word] = answer.json(), changed, listed(worker) == told_before
    assert "rejected" in outcomes["personal"][0]
    assert outcomes["personal"][1:] == ({"rejected": 1.0}, False)
    assert outcomes["none"] == ({"success": True}, {"refused": 1.0}, True)


def test_nothing_of_a_refused_event_of_who_was_erased_is_left(tmp_path: Path) -> None:
    wrong = {"type": "track", "event": ""}
    batch = [
        {**wrong, "anonymousId": MARK, "messageId": "refused-of-the-visitor"},
        {**wrong, "userId": f"{MARK}-u", "messageId": "refused-of-the-user"},
        {**wrong, "anonymousId": True, "messageId": f"refused-{MARK}-9"},
        {**wrong, "anonymousId": MARK, "event": "x", "timestamp": [], "messageId": "repaired-of-the-visitor"},
        {**wrong, "anonymousId": "somebody-else", "messageId": "refused-of-somebody"},
    ]
    gone = [b"-of-the-visitor", b"-of-the-user", MARK.encode()]
    with running(tmp_path, {}, RESONATE_WORKERS="2") as service, service.client() as client:
        known = {"type": "identify", "anonymousId": MARK, "userId": f"{MARK}-u", "messageId": "stored"}
        client.post("/v1/batch", json={"batch": [known, *batch]}).raise_for_status()
        before = client.get("/v1/events/rejected").json()
        assert client.delete(f"/v1/visitors/{MARK}").status_code == 202
        after = client.get("/v1/events/rejected").json()
        written = (service.data / "refused-events.json").read_bytes()
    assert [each in json.dumps(before).encode() for each in gone] == [True, True, True]
    assert [each in json.dumps(after).encode() + written for each in gone] == [False, False, False]
    assert "refused-of-somebody" in json.dumps(after)
    assert [after["total"], sum(each["count"] for each in after["repaired"])] == [4, 1]
