"""Whom a page is answered for that names no visitor: its own browser's cookie, and nobody else's."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from servers.one_worker import DEFINITIONS, PUBLISHABLE, SECRET, OneWorker, records
from servers.service import PUBLISHABLE_KEY, running

SHOP, FOREIGN = "https://shop.example", "https://evil.example"
LISTED, EVERYBODY = "pk_listed_0123456789", PUBLISHABLE
PATHS = ["/v1/personalize", "/v1/recommendations", "/v1/visitor"]


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneWorker]:
    keys = (f"{LISTED}@{SHOP}", EVERYBODY)
    with OneWorker(tmp_path_factory.mktemp("visitors"), publishable_keys=keys) as started:
        yield started


def ask(worker: OneWorker, path: str, body: Any = None, key: str = LISTED, **headers: str) -> httpx.Response:
    """One request without a jar; `_` in names of headers stands for `-`."""
    with worker.client(key) as client:
        answer = client.post(
            path, json={} if body is None else body, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
    assert answer.status_code == 200, answer.text
    return answer


def issued_id(worker: OneWorker) -> str:
    return str(ask(worker, "/v1/visitor").json()["visitor_id"])


@pytest.mark.parametrize("path", PATHS)
def test_who_names_nobody_and_has_no_cookie_is_issued_an_id(worker: OneWorker, path: str) -> None:
    answer = ask(worker, path, origin=SHOP)
    visitor = answer.json()["visitor_id"]
    assert visitor.startswith("v1.")
    assert answer.headers["set-cookie"].startswith(f"resonate_id={visitor}; Path=/; SameSite=Lax; Max-Age=34")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("origin", [{}, {"origin": SHOP}, {"origin": "http://api.example", "host": "api.example"}])
def test_the_cookie_counts_without_an_origin_with_the_own_and_with_a_listed_one(
    worker: OneWorker, path: str, origin: dict[str, str]
) -> None:
    visitor = issued_id(worker)
    key = LISTED if origin.get("origin") == SHOP else EVERYBODY
    answer = ask(worker, path, None, key, cookie=f"x=y; resonate_id={visitor}", **origin)
    assert answer.json()["visitor_id"] == visitor


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("origin", [FOREIGN, SHOP, "null", "http://api.example.evil.example", "https://api.example"])
def test_a_page_that_no_key_lists_gets_nobody_by_the_cookie_and_leaves_it_alone(
    worker: OneWorker, path: str, origin: str
) -> None:
    visitor = issued_id(worker)
    headers = {"cookie": f"resonate_id={visitor}", "origin": origin, "host": "api.example"}
    answer = ask(worker, path, None, EVERYBODY, **headers)
    assert answer.json()["visitor_id"] not in (visitor, None)
    refused = ask(worker, path, None, EVERYBODY, x_resonate_consent="none", **headers)
    assert "set-cookie" not in {*answer.headers, *refused.headers}
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("path", PATHS[:2])
def test_who_is_named_is_asked_about_whatever_the_cookie_says(worker: OneWorker, path: str) -> None:
    answer = ask(worker, path, {"visitor_id": "v-named"}, cookie=f"resonate_id={issued_id(worker)}")
    assert "visitor_id" not in answer.json()
    assert "set-cookie" not in answer.headers


def test_the_row_of_an_exposure_says_whether_the_id_was_issued(worker: OneWorker) -> None:
    visitor = ask(worker, "/v1/personalize", {"experiments": ["banner"]}).json()["visitor_id"]
    ask(worker, "/v1/personalize", {"experiments": ["banner"], "visitor_id": "v-own"})
    ask(worker, "/ofrep/v1/evaluate/flags/banner", {"context": {"targetingKey": visitor}})
    ask(worker, "/v1/track", {"anonymousId": visitor, "event": "E"}, SECRET)
    forged = visitor[:-1] + ("A" if visitor[-1] != "A" else "B")
    ask(worker, "/v1/track", {"anonymousId": forged, "event": "E"})
    # what OFREP showed is the exposure that was there, once
    told = [(record["type"], record.get("issued")) for record in records(worker, visitor_id=visitor)]
    assert told == [("exposure", True), ("track", True)]
    assert [record.get("issued") for record in records(worker, visitor_id="v-own")] == [None]
    assert [record.get("issued") for record in records(worker, visitor_id=forged)] == [None]


def test_the_cookies_visitor_keeps_the_variant(worker: OneWorker) -> None:
    first = ask(worker, "/v1/personalize").json()
    cookie = f"resonate_id={first['visitor_id']}"
    named = ask(worker, "/v1/personalize", {"visitor_id": first["visitor_id"]}).json()
    assert ask(worker, "/v1/personalize", cookie=cookie).json()["experiments"] == first["experiments"]
    assert named["experiments"] == first["experiments"]


def test_a_refused_page_view_sets_no_cookie(worker: OneWorker) -> None:
    with worker.client(LISTED) as client:
        answer = client.post("/v1/personalize", json={"recommendations": [{"slot": "a", "limit": 0}]})
    assert (answer.status_code, "set-cookie" in answer.headers) == (400, False)


TRACKED = {"anonymousId": "v-1", "event": "E"}
OTHERS = {
    "/v1/track": TRACKED,
    "/v1/batch": {"batch": [{"type": "track", **TRACKED}]},
    "/track": [],
    "/ofrep/v1/evaluate/flags/banner": {"context": {"targetingKey": "v-1"}},
    "/ofrep/v1/evaluate/flags": {"context": {"targetingKey": "v-1"}},
}


@pytest.mark.parametrize("path", [*PATHS, *OTHERS])
def test_who_refuses_has_no_id_and_loses_the_cookie_once(worker: OneWorker, path: str) -> None:
    body, cookie = OTHERS.get(path, {}), f"resonate_id={issued_id(worker)}"
    answer = ask(worker, path, body, cookie=cookie, x_resonate_consent="none")
    assert answer.json().get("visitor_id") is None
    assert answer.headers.get_list("set-cookie") == ["resonate_id=; Path=/; SameSite=Lax; Max-Age=0"]
    assert "set-cookie" not in ask(worker, path, body, x_resonate_consent="none").headers
    assert "set-cookie" not in ask(worker, path, body, EVERYBODY, cookie=cookie, x_resonate_consent="none",
                                   origin=FOREIGN).headers  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_who_is_measured_keeps_one_cookie_and_who_is_known_has_its_end_moved_once_a_day(
    worker: OneWorker, path: str
) -> None:
    cookie = f"resonate_id={issued_id(worker)}-made-by-the-page"
    measured = [ask(worker, path, cookie=cookie, x_resonate_consent="measure") for _ in range(2)]
    known = [ask(worker, path, cookie=f"{cookie}-{path[-3:]}", x_resonate_consent="personal") for _ in range(3)]
    assert ["set-cookie" in answer.headers for answer in measured] == [False, False]
    assert ["set-cookie" in answer.headers for answer in known] == [True, False, False]


def test_an_id_that_the_caller_kept_is_set_again(worker: OneWorker) -> None:
    answer = ask(worker, "/v1/visitor", {"visitor_id": "kept; by a page"})
    assert answer.json()["visitor_id"] == "kept; by a page"
    assert answer.headers["set-cookie"].startswith("resonate_id=kept%3B%20by%20a%20page; ")
    assert answer.json()["expires"].endswith("T00:00:00Z")


@pytest.mark.parametrize(
    "body", [{"visitor_id": " "}, {"visitor_id": "null"}, {"visitor_id": 7.5}, {"consent": "maybe"}]
)
def test_what_can_be_no_id_or_no_consent_is_refused(worker: OneWorker, body: dict[str, Any]) -> None:
    with worker.client(LISTED) as client:
        answer = client.post("/v1/visitor", json=body)
    assert (answer.status_code, "set-cookie" in answer.headers) == (400, False)


@pytest.mark.parametrize(
    "cookie",
    ["resonate_id", "resonate_id=", ";;;=", "resonate_id=%", "resonate_id=%7f", "é", "resonate_id=" + "a" * 9000],
)
def test_no_cookie_makes_a_request_fail(worker: OneWorker, cookie: str) -> None:
    for path in PATHS:
        with worker.client(LISTED) as client:
            answer = client.post(path, json={}, headers={"cookie": cookie.encode()})
        assert answer.status_code == 200
        assert len(answer.json()["visitor_id"]) < 300


def test_an_issued_visitor_reaches_export_and_conditions_and_outlives_a_restart(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    files = {
        "banner.yaml": DEFINITIONS["banner.yaml"].replace("goal: purchase_rate", "goals: [orders_issued, orders_own]"),
        "metrics.yaml": "orders_issued: {type: proportion, event: Order Completed, where: {issued: true}}\n"
        "orders_own: {type: proportion, event: Order Completed, where: {issued: {$ne: true}}}\n",
    }
    with running(tmp_path_factory.mktemp("issued"), files, RESONATE_WORKERS="1") as service:
        with service.client(PUBLISHABLE_KEY) as client:
            visitor = client.post("/v1/personalize", json={"experiments": ["banner"]}).json()["visitor_id"]
        service.stop()
        service.start()
        with service.client(PUBLISHABLE_KEY) as client:
            client.post("/v1/personalize", json={"experiments": ["banner"], "visitor_id": "own"})
            for each in (visitor, "own"):
                order = {"order_id": f"o-{each}", "revenue": 5, "currency": "EUR"}
                client.post("/v1/track", json={"anonymousId": each, "event": "Order Completed", "properties": order})
        metrics = service.results("banner")["metrics"]
        with service.client() as client:
            rows = [json.loads(line) for line in client.get("/v1/export/events").text.splitlines()]
    assert {(row["visitor_id"], row["issued"]) for row in rows} == {(visitor, True), ("own", False)}
    assert [sum(round((arm["value"] or 0) * arm["units"]) for arm in metric["arms"]) for metric in metrics] == [1, 1]


def test_a_domain_that_the_host_is_no_part_of_is_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    files = {
        **DEFINITIONS,
        "shop.yaml": "cookie_domain: .shop.example\nvisitors: {cookie: vid, http_only: true, days: 30}\n",
    }
    with OneWorker(tmp_path_factory.mktemp("domains"), files) as started:
        inside = ask(started, "/v1/visitor", None, PUBLISHABLE, host="api.shop.example:8000")
        with started.client() as client:
            before = client.get("/readyz").json()["degraded"]
        outside = ask(started, "/v1/visitor", None, PUBLISHABLE, host="elsewhere.example")
        with started.client() as client:
            after = client.get("/readyz").json()["degraded"]
    assert "; Domain=shop.example; HttpOnly" in inside.headers["set-cookie"]
    assert ("Domain" in outside.headers["set-cookie"], outside.headers["set-cookie"][:4]) == (False, "vid=")
    assert (before, after) == ([], ["cookie_domain"])


def test_only_who_came_by_https_has_a_secure_cookie(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = {"public_url": "https://shop.example/r/x7"}
    with OneWorker(tmp_path_factory.mktemp("public"), **settings) as started:
        own = ask(started, "/v1/visitor", None, PUBLISHABLE, origin="https://shop.example", x_forwarded_proto="http")
        visitor = own.json()["visitor_id"]
        again = ask(started, "/v1/visitor", None, PUBLISHABLE, origin=SHOP, cookie=f"resonate_id={visitor}")
    assert "; Secure" in own.headers["set-cookie"]
    assert again.json()["visitor_id"] == visitor
    with OneWorker(tmp_path_factory.mktemp("proxied"), trusted_proxies=("127.0.0.0/8",)) as started:
        safe = ask(started, "/v1/visitor", None, PUBLISHABLE, host="a.example", origin="https://a.example",
                   x_forwarded_proto="https")  # fmt: skip
        plain = ask(started, "/v1/visitor", None, PUBLISHABLE)
    assert ["; Secure" in answer.headers["set-cookie"] for answer in (safe, plain)] == [True, False]


def test_an_answer_that_takes_a_cookie_away_is_nobody_elses(tmp_path: Path) -> None:
    """By whatever it was refused: a shop that allows nothing, or one event among others that says so itself."""
    refusing = "timezone: Europe/Berlin\ncurrency: EUR\nprivacy: {default_consent: none}\n"
    cookie = {"cookie": "resonate_id=abc"}
    with OneWorker(tmp_path / "none", {**DEFINITIONS, "shop.yaml": refusing}) as worker, worker.client() as page:
        payload = page.get(f"/api/features/{PUBLISHABLE}", headers=cookie)
        assert payload.headers["set-cookie"].startswith("resonate_id=;")
        assert payload.headers["cache-control"].startswith("private")
        assert page.get(f"/api/features/{PUBLISHABLE}").headers["cache-control"].startswith("public")
        silent = page.post("/v1/track", json={"anonymousId": "v", "event": "E"}, headers=cookie)
        assert silent.headers["set-cookie"].startswith("resonate_id=;")
    with OneWorker(tmp_path / "all") as worker, worker.client() as page:
        own = {"anonymousId": "v", "event": "E", "context": {"consent": {"resonate": "none"}}}
        batch = page.post("/v1/batch", json={"batch": [own, {"type": "track"} | own]}, headers=cookie)
        assert batch.headers.get_list("set-cookie")[0].startswith("resonate_id=;")
        assert len(batch.headers.get_list("set-cookie")) == 1
        assert records(worker) == []
