"""Query parameters that a route does not know: refused to a secret key, else ignored, counted and named on request."""

from typing import Any

import httpx
import pytest
from servers.one_worker import PUBLISHABLE, SECRET, OneWorker

OWN = {  # routes of ours that a publishable key may call, and a request that is answered 200
    "/v1/personalize": ("POST", {"visitor_id": "v-1"}),
    "/v1/recommendations": ("POST", {}),
    "/v1/recommendations/{product_id}": ("GET", None),
}
LENIENT = {  # of clients that put there what they like
    "/v1/track": {"anonymousId": "v-1", "event": "E"},
    "/v1/b": {"batch": []},
    "/v1/engagement": {"anonymousId": "v-1", "pageViewId": "pv", "seq": 1, "engagedMs": 1},
    "/ofrep/v1/evaluate/flags": {"context": {"targetingKey": "v-1"}},
    "/track": [],
}
NAMES = "x-resonate-unknown-parameters"
COUNTER = "resonate_unknown_parameters_total"


@pytest.fixture(scope="module")
def document(worker: OneWorker) -> dict[str, Any]:
    with worker.client(None) as client:
        return client.get("/openapi.json").json()["paths"]


def address(path: str) -> str:
    for name, value in {"key": "banner", "identifier": "v-1", "product_id": "sku-17"}.items():
        path = path.replace(f"{{{name}}}", value)
    return path


def declared(operation: dict[str, Any]) -> list[str]:
    return [each["name"] for each in operation.get("parameters", []) if each["in"] == "query"]


def secret_operations(worker: OneWorker, document: dict[str, Any]) -> list[tuple[str, str, list[str]]]:
    """(method, address, declared parameters) of each route of /v1 that says no to a publishable key."""
    found: list[tuple[str, str, list[str]]] = []
    with worker.client(PUBLISHABLE) as client:
        for path, operations in document.items():
            for method, operation in operations.items() if path.startswith("/v1/") else ():
                answer = client.request(method, address(path))
                if b"secret_key_required" in answer.content:  # a picture is no JSON
                    found.append((method, address(path), declared(operation)))
    return found


def counted(client: httpx.Client) -> int:
    lines = client.get("/metrics").text.splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{COUNTER} "))


def test_every_route_of_a_secret_key_refuses_a_misspelt_parameter(worker: OneWorker, document: dict[str, Any]) -> None:
    operations = secret_operations(worker, document)
    assert len(operations) >= 20
    with worker.client(SECRET) as client:
        for method, path, known in operations:
            for name, meant in [("nonsense", None), *((f"{name}x", name) for name in known if len(name) > 2)]:
                answer = client.request(method, path, params={name: "1"})
                assert (answer.status_code, answer.json()["code"]) == (400, "unknown_parameter"), (method, path, name)
                assert f"unknown query parameter '{name}'" in answer.json()["detail"]
                assert meant is None or f"did you mean '{meant}'?" in answer.json()["detail"], (path, name)


def test_every_route_of_a_secret_key_knows_what_it_declares(worker: OneWorker, document: dict[str, Any]) -> None:
    asked = 0
    with worker.client(SECRET) as client:
        for method, path, known in secret_operations(worker, document):
            for name in known:
                answer = client.request(method, path, params={name: "1"})
                assert answer.status_code < 400 or answer.json()["code"] != "unknown_parameter", (path, name)
                asked += 1
    assert asked >= 30


def test_the_sentence_says_what_was_meant_or_what_there_is(worker: OneWorker) -> None:
    with worker.client(SECRET) as client:
        meant = client.get("/v1/experiments/banner/results?form=csv").json()["detail"]
        several = client.get("/v1/export/events?limits=1&nonsense=").json()["detail"]
        none = client.get("/v1/metrics?fresh").json()["detail"]
    assert meant == "unknown query parameter 'form'; did you mean 'format'?"
    assert several == (
        "unknown query parameter 'limits'; did you mean 'limit'?; "
        "unknown query parameter 'nonsense'; this address takes cursor, limit"
    )
    assert none == "unknown query parameter 'fresh'; this address takes none"


def test_a_key_is_asked_for_before_anything_is_said_of_the_query(worker: OneWorker) -> None:
    with worker.client(None) as client:
        assert client.get("/v1/metrics?nonsense=1").json()["code"] == "unauthorized"
        assert client.get(f"/v1/metrics?key={SECRET}").json()["code"] == "secret_key_in_address"


@pytest.mark.parametrize("path", OWN)
def test_a_page_with_a_cache_buster_is_answered_and_the_parameter_counted(worker: OneWorker, path: str) -> None:
    method, body = OWN[path]
    with worker.client(PUBLISHABLE) as client:
        before = counted(client)
        quiet = client.request(method, address(path), params={"_": "1", "_cb%0d%0aX": "2"}, json=body)
        told = client.request(method, address(path), params={"_": "1", "\r\nX-A": "2", "debug": "1"}, json=body)
        assert (quiet.status_code, told.status_code) == (200, 200)
        assert NAMES not in quiet.headers
        assert told.headers[NAMES] == "_, %0D%0AX-A"
        assert NAMES in told.headers["access-control-expose-headers"]
        assert counted(client) - before == 4


@pytest.mark.parametrize("path", OWN)
def test_what_a_publishable_route_declares_is_never_named(
    worker: OneWorker, document: dict[str, Any], path: str
) -> None:
    method, body = OWN[path]
    known = [*declared(document[path][method.lower()]), "writeKey", "client_key", "key"]
    assert "debug" in known
    values = {"limit": "5", "strategy": "popular", "key": PUBLISHABLE}
    with worker.client(None) as client:
        query = {name: values.get(name, "1") for name in known if name not in ("writeKey", "client_key")}
        answer = client.request(method, address(path), params=query, json=body)
        assert (answer.status_code, answer.headers.get(NAMES)) == (200, None)


@pytest.mark.parametrize("path", LENIENT)
def test_dialects_of_others_take_what_their_clients_send(worker: OneWorker, path: str) -> None:
    with worker.client(PUBLISHABLE) as client:
        before = counted(client)
        answer = client.post(path, params={"nonsense": "1", "debug": "1"}, json=LENIENT[path])
        assert (answer.status_code, answer.headers.get(NAMES)) == (200, None), answer.text
        assert counted(client) == before


def test_an_address_full_of_parameters_is_no_fault_of_the_service(worker: OneWorker) -> None:
    full = "&".join(f"p{number}" for number in range(300))
    with worker.client(None) as client:
        page = client.get(f"/v1/recommendations/sku-17?key={PUBLISHABLE}&{full}")
        forced = client.post(
            f"/v1/personalize?key={PUBLISHABLE}&resonate_force=banner:b&{full}", json=OWN["/v1/personalize"][1]
        )
    assert (page.status_code, forced.status_code) == (200, 200)
