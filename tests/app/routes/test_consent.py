"""Consent through every door and in every way of saying it: what is stored of whom, and what is answered."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from servers.patience import until
from servers.service import PUBLISHABLE_KEY, SECRET_KEY, Service, running

from app.intake.paths import paths_of
from app.main import path_table

FILES = {
    "banner.yaml": "key: banner\nstatus: running\nvariants: [{key: control, weight: 0}, threshold]\n"
    "goal: purchase_rate\n",
    "shipped.yaml": "key: shipped\nstatus: stopped\ndecision: {outcome: shipped, variant: b}\nvariants: [a, b]\n"
    "goal: purchase_rate\n",
    "members.yaml": "key: members\nstatus: running\nunit: user\nvariants: [{key: a, weight: 0}, b]\n"
    "goal: purchase_rate\n",
    "shop.yaml": "privacy: {default_consent: personal, backend_consent: personal, "
    "consent_categories: {measure: Analytics, personal: Ads}}\n",
}
KINDS = ("track", "page", "screen", "identify", "group", "alias")
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"


def segment(kind: str, mark: str, more: dict[str, Any]) -> dict[str, Any]:
    """A call of Segment's of which every id, trait and query has this mark, but the visitor id."""
    told = {
        "url": f"https://shop.example/p/17?who={mark}#x", "referrer": f"//shop.example/q?a={mark}", "price": 4.5,
        "search": f"?a={mark}", "email": f"{mark}@x.example", "user_id": f"u-{mark}", "traits": {"plan": mark},
        "deep": [{"customer": {"id": f"u-{mark}"}}], "order_id": f"o-{kind}", "revenue": 10, "currency": "EUR",
        "products": [{"product_id": "p-1", "price": 5, "quantity": 2}],
    }  # fmt: skip
    context = {"page": {"url": f"/p?{mark}"}, "traits": {"email": mark}, "location": {"country": "SK"}, "ids": [mark]}
    consent = more.get("context", {})
    return {
        "type": kind, "event": "Order Completed", "messageId": f"m-{kind}", "anonymousId": "seen-1",
        "userId": f"u-{mark}", "previousId": "seen-1", "groupId": f"g-{mark}", "properties": told, "traits": told,
        "user_token": f"t-{mark}", "beside": mark,
        **{name: value for name, value in more.items() if name != "context"}, "context": {**context, **consent},
    }  # fmt: skip


def bodies(mark: str, event: dict[str, Any], asked: dict[str, Any], attributes: dict[str, Any]) -> dict[str, Any]:
    """What is posted to every door by its path, with what says the consent of an event, a request, and attributes."""
    beat = {"anonymousId": "seen-1", "userId": f"u-{mark}", "pageViewId": "pv-1", "seq": 1, "engagedMs": 5,
            "url": f"/p?who={mark}", **event}  # fmt: skip
    exposed = {"experimentId": "banner", "variationId": "threshold", "hashValue": "seen-1"}
    told = {"email": mark, "plan": mark, "device": "mobile", "user_id": f"u-{mark}", **attributes}
    growthbook = [
        {"event_name": "Seen", "device_id": "seen-1", "user_id": f"u-{mark}", "properties_json": {"email": mark},
         "context_json": told, "url": f"https://shop.example/?{mark}"},
        {"event_name": "Experiment Viewed", "user_id": f"u-{mark}", "properties_json": exposed, "context_json": told},
    ]  # fmt: skip
    page = {"visitor_id": "seen-1", "user_id": f"u-{mark}", "attributes": told, **asked}
    return {
        **{path: segment(kind, mark, event) for kind in KINDS for path in paths_of(kind)},
        **{path: {"batch": [segment(kind, mark, event) for kind in KINDS] + [{"type": "engagement", **beat}]}
           for path in paths_of("batch")},
        "/v1/engagement": beat,
        "/track": growthbook,
        "/mp/collect": {"client_id": "seen-1", "user_id": f"u-{mark}", "user_properties": {"plan": {"value": mark}},
                        "events": [{"name": "purchase", "params": {
                            "transaction_id": "o-track", "value": 3, "email": mark,
                            "page_location": f"https://shop.example/?who={mark}"}}], **asked},
        "/ofrep/v1/evaluate/flags/banner": {"context": {"targetingKey": "seen-1", **told}},
        "/ofrep/v1/evaluate/flags": {"context": {"targetingKey": "seen-1", **told}},
        "/v1/personalize": {**page, "experiments": ["banner", "shipped", "members"],
                            "recommendations": [{"slot": "a"}, {"slot": "b", "items": ["p-1"]}]},
        "/v1/recommendations": {"visitor_id": "seen-1", "user_id": f"u-{mark}", "strategy": "buy_again", **asked},
    }  # fmt: skip


NOWHERE: dict[str, Any] = {}
# how a mode may be said: headers, query, and in bodies: of events, of requests, among attributes
WAYS: dict[str, Any] = {
    "header": lambda word: ({"X-Resonate-Consent": word}, "", NOWHERE, NOWHERE, NOWHERE),
    "cookie": lambda word: ({"Cookie": f"a=b; resonate_consent={word}"}, "", NOWHERE, NOWHERE, NOWHERE),
    "query": lambda word: ({}, f"?consent={word}", NOWHERE, NOWHERE, NOWHERE),
    "body": lambda word: (
        {}, "", {"context": {"consent": {"resonate": word}}}, {"consent": word}, {"resonate.consent": word}
    ),
}  # fmt: skip


def knock(service: Service, key: str, word: str, way: str, mark: str) -> dict[str, Any]:
    """Posts everything everywhere, saying a mode in one way; the answers by path."""
    headers, query, event, asked, attributes = WAYS[way](word)
    answers: dict[str, Any] = {}
    with service.client(key, headers={"user-agent": AGENT}) as client:
        for path, body in bodies(mark, event, asked, attributes).items():
            answer = client.post(path + query, json=body, headers=headers)
            assert answer.status_code == (204 if path == "/mp/collect" else 200), (path, answer.text)
            answers[path] = answer.json() if answer.content else None
    return answers


def exported(service: Service) -> list[dict[str, Any]]:
    """Every row, once all are written."""

    def drained() -> list[dict[str, Any]] | None:
        with service.client() as backend:
            answer = backend.get("/v1/export/events", params={"limit": 10_000})
        done = answer.headers["x-resonate-pending"] == "0"
        return [json.loads(line) for line in answer.text.splitlines()] if done else None

    return until(drained, "all is exported") or []


def bytes_with(service: Service, mark: str) -> list[str]:
    """Where a mark stands: in files of the data directory, Parquet decoded too, and in the log of the processes."""
    found = ["log"] if mark in service.log_text() else []
    for path in (path for path in service.data.rglob("*") if path.is_file()):
        if mark.encode() in path.read_bytes():
            found.append(str(path))
        if path.suffix == ".parquet" and mark in json.dumps(pyarrow.parquet.read_table(path).to_pylist(), default=str):
            found.append(f"{path} decoded")
    return found


@pytest.fixture(scope="module")
def answers() -> dict[tuple[str, str], dict[str, Any]]:
    return {}


@pytest.fixture(scope="module")
def refused(
    tmp_path_factory: pytest.TempPathFactory, answers: dict[tuple[str, str], dict[str, Any]]
) -> Iterator[tuple[Service, list[dict[str, Any]], str]]:
    """A service to which everything was said by somebody who refuses, in every way, and one event of somebody else."""
    with running(tmp_path_factory.mktemp("refused"), FILES, RESONATE_WORKERS="1") as service:
        for key in (PUBLISHABLE_KEY, SECRET_KEY):
            for way in WAYS:
                answers[key, way] = knock(service, key, "none", way, "canary")
        with service.client(PUBLISHABLE_KEY) as page:
            assert page.post("/v1/track", json={"event": "Seen", "anonymousId": "other"}).json() == {"success": True}
            metrics = page.get("/metrics").text
        service.results("banner")
        rows = until(lambda: [row for row in exported(service) if row["type"] == "refused"], "the count is told")
        rows = exported(service)
        service.stop()
        yield service, rows, metrics


def test_every_door_that_stores_something_is_knocked_at() -> None:
    table = path_table()
    doors = {route.name for route in (*table.exact.values(), *table.below.values()) if route.method == "POST"}
    named = {path.replace("flags/banner", "flags/{key}") for path in bodies("x", {}, {}, {})}
    assert doors - named <= {"/v1/visitor", "/api/eval/{key}"}  # which store nothing


def test_who_refuses_leaves_no_byte_anywhere(refused: tuple[Service, list[dict[str, Any]], str]) -> None:
    service, rows, metrics = refused
    for mark in ("canary", "seen-1", "pv-1", "o-track"):
        assert bytes_with(service, mark) == []
        assert mark not in json.dumps(rows) + metrics
    assert bytes_with(service, "other") != []  # what is stored is found
    assert {row["type"] for row in rows} == {"track", "refused"}


def test_who_refuses_is_answered_control_or_what_was_shipped(
    refused: tuple[Service, list[dict[str, Any]], str], answers: dict[tuple[str, str], dict[str, Any]]
) -> None:
    for said in answers.values():
        for path in ("/v1/track", "/v1/a", "/v1/batch", "/v1/engagement", "/track"):
            assert said[path] == {"success": True}
        flag = said["/ofrep/v1/evaluate/flags/banner"]
        assert (flag["variant"], flag["metadata"]["exposure"], flag["metadata"]["user"]) == (
            "control", "refused", "absent"
        )  # fmt: skip
        bulk = {each["key"]: each["variant"] for each in said["/ofrep/v1/evaluate/flags"]["flags"]}
        assert bulk == {"banner": "control", "shipped": "b", "members": "a"}
        page = said["/v1/personalize"]
        assert {key: each["variant"] for key, each in page["experiments"].items()} == bulk
        assert {each["exposure"] for each in page["experiments"].values()} == {"refused"}
        assert "exposure_id" not in json.dumps(page)
        assert "visitor_id" not in page


def test_who_refuses_is_counted_by_experiment_and_day_and_of_no_arm(
    refused: tuple[Service, list[dict[str, Any]], str],
) -> None:
    _, rows, metrics = refused
    told = [row for row in rows if row["type"] == "refused"]
    counts: dict[str, float] = {}
    for row in told:
        counts[row["experiment"]] = counts.get(row["experiment"], 0) + row["value"]
        assert row.keys().isdisjoint({"variant", "user_id", "network", "properties", "context"})
        assert row["visitor_id"] == ""
        assert row["time"] % 3_600_000_000 == 0  # the day's beginning, not that of any answer
    asked = 2 * len(WAYS)
    assert counts == {"banner": 2.0 * asked, "members": 1.0 * asked}
    assert 'resonate_exposures_total{outcome="refused"}' in metrics


@pytest.fixture(scope="module")
def measured(
    tmp_path_factory: pytest.TempPathFactory, answers: dict[tuple[str, str], dict[str, Any]]
) -> Iterator[tuple[Service, list[dict[str, Any]]]]:
    with running(tmp_path_factory.mktemp("measured"), FILES, RESONATE_WORKERS="1") as service:
        for key in (PUBLISHABLE_KEY, SECRET_KEY):
            for way in WAYS:
                answers[key, f"{way} measured"] = knock(service, key, "measure", way, "canary")
        rows = exported(service)
        service.stop()
        yield service, rows


PROGRAMS = (  # what is known of the program that sent an event
    {"browser": "Chrome"},
    {"library": {"name": "growthbook"}},
    {"library": {"name": "ga4"}},
    {"browser": "Chrome", "library": {"name": "ga4"}},
)


def test_who_is_measured_is_stored_by_the_visitor_id_alone(measured: tuple[Service, list[dict[str, Any]]]) -> None:
    service, rows = measured
    assert bytes_with(service, "canary") == []
    assert bytes_with(service, "{h:") == []  # no history of purchases
    assert {(row["visitor_id"], row["consent"]) for row in rows} == {("seen-1", "measure")}
    assert {row["type"] for row in rows} == {"track", "page", "screen", "engagement", "exposure"}
    assert {row.get("url") for row in rows} == {None, "https://shop.example/p/17", "https://shop.example/", "/p"}
    programs = {json.dumps(row.get("context"), sort_keys=True) for row in rows}
    assert programs <= {"null", *(json.dumps(told) for told in PROGRAMS)}
    assert all("properties" not in row for row in rows if row["type"] == "exposure")
    order = next(row for row in rows if row["type"] == "track" and row["event"] == "Order Completed")
    assert (order["value"], order["currency"], order["order_id"], order["country"]) == (10, "EUR", "o-track", "SK")
    assert order["properties"] == {
        "url": "https://shop.example/p/17", "referrer": "//shop.example/q", "price": 4.5, "deep": [{}],
        "order_id": "o-track", "revenue": 10, "currency": "EUR",
        "products": [{"product_id": "p-1", "price": 5, "quantity": 2}],
    }  # fmt: skip


def test_who_is_measured_is_drawn_by_the_visitor_id_and_in_no_experiment_on_users(
    measured: tuple[Service, list[dict[str, Any]]], answers: dict[tuple[str, str], dict[str, Any]]
) -> None:
    said = [answer for (_, way), answer in answers.items() if way.endswith("measured")]
    assert len(said) == 2 * len(WAYS)
    for each in said:
        page = each["/v1/personalize"]["experiments"]
        assert (page["banner"]["variant"], page["banner"]["exposure"]) == ("threshold", "logged")
        assert (page["members"]["variant"], page["members"]["because"]) == ("a", "unit")
        assert each["/v1/personalize"]["user"] == "absent"
    assert {row["experiment"] for row in measured[1] if row["type"] == "exposure"} == {"banner"}


@pytest.fixture(scope="module")
def open_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("open"), FILES, RESONATE_WORKERS="1") as service:
        yield service


def test_another_word_is_400_naming_the_three_and_in_a_batch_one_event(open_shop: Service) -> None:
    with open_shop.client(PUBLISHABLE_KEY) as page:
        for path, body in bodies("x", {}, {"consent": "all"}, {"resonate.consent": "all"}).items():
            answer = page.post(f"{path}?consent=yes", json=body)
            assert answer.status_code == 400, path
            assert "none, measure or personal" in answer.text
            if "personalize" in path or "recommendations" in path or "ofrep" in path:
                assert page.post(path, json=body).status_code == 400, path
        seen = {"type": "track", "event": "Seen", "anonymousId": "kept"}
        events = [{**seen, "context": {"consent": {"resonate": word}}} for word in ("all", "measure")]
        [rejected] = page.post("/v1/batch", json={"batch": events}).json()["rejected"]
        assert (rejected["index"], rejected["code"]) == (0, "unknown_consent")
        whole = page.post("/v1/batch", json={"batch": events[1:], "consent": "yes"})
        assert whole.status_code == 400
    assert [row["consent"] for row in exported(open_shop) if row["visitor_id"] == "kept"] == ["measure"]


def test_the_strictest_of_request_batch_and_event_holds_and_categories_are_mapped(open_shop: Service) -> None:
    def event(visitor: str, **consent: Any) -> dict[str, Any]:
        return {"type": "track", "event": "Seen", "anonymousId": visitor, "context": {"consent": consent}}

    granted = {"Analytics": True, "Ads": True}
    events = [
        event("c-personal", categoryPreferences=granted),
        event("c-measure", categoryPreferences={"Analytics": True, "Ads": False}),
        event("c-none", categoryPreferences={"Analytics": False, "Ads": True}),
        event("c-own", categoryPreferences=granted, resonate="measure"),
        {"type": "track", "event": "Seen", "anonymousId": "c-silent"},
    ]
    with open_shop.client(PUBLISHABLE_KEY) as page:
        assert page.post("/v1/batch", json={"batch": events}).json() == {"success": True}
        limited = {"batch": [event("c-limited", resonate="personal")], "context": {"consent": {"resonate": "measure"}}}
        page.post("/v1/batch", json=limited)
        page.post("/v1/track", json=event("c-said", resonate="personal"), headers={"X-Resonate-Consent": "measure"})
        page.post("/v1/track", json={"event": "Seen", "anonymousId": "c-gpc"}, headers={"Sec-GPC": "1"})
    modes = {row["visitor_id"]: row["consent"] for row in exported(open_shop) if row["visitor_id"][:2] == "c-"}
    assert modes == {
        "c-personal": "personal", "c-measure": "measure", "c-own": "measure", "c-silent": "personal",
        "c-limited": "measure", "c-said": "measure", "c-gpc": "measure",
    }  # fmt: skip


def test_sdks_that_draw_themselves_get_nothing_to_draw_from(open_shop: Service) -> None:
    with open_shop.client(PUBLISHABLE_KEY) as page:

        def rules(query: str = "", **headers: str) -> tuple[dict[str, bool], str]:
            answer = page.get(f"/api/features/{PUBLISHABLE_KEY}{query}", headers=headers)
            features = answer.json()["features"]
            return {key: bool(each["rules"]) for key, each in features.items()}, answer.headers["cache-control"]

        everything, kept = rules()
        assert everything == {"banner": True, "shipped": True, "members": True}
        assert kept.startswith("public")
        assert rules("?consent=measure") == ({"banner": True, "shipped": True, "members": False}, kept)
        assert rules("?consent=none") == ({"banner": False, "shipped": True, "members": False}, kept)
        assert rules(**{"X-Resonate-Consent": "none"})[1] == "private, no-cache"


@pytest.mark.parametrize("consent", ["measure", "none"])
def test_an_order_without_a_visitor_id_has_no_user_id_either(open_shop: Service, consent: str) -> None:
    bought = {"order_id": f"b-{consent}", "total": 5}
    said = {"consent": {"resonate": consent}}
    order = {"event": "Order Completed", "userId": f"u-{consent}", "properties": bought, "context": said}
    with open_shop.client(SECRET_KEY) as backend, open_shop.client(PUBLISHABLE_KEY) as page:
        assert backend.post("/v1/track", json=order).json() == {"success": True}
        bought["order_id"] = f"p-{consent}"
        assert page.post("/v1/track", json=order).json() == {"success": True}
    rows = [row for row in exported(open_shop) if row.get("order_id") in (f"b-{consent}", f"p-{consent}")]
    assert [(row["visitor_id"], row.get("user_id"), row["authority"]) for row in rows] == (
        [("", None, "backend")] if consent == "measure" else []
    )


def test_a_public_service_says_that_nobody_has_chosen(tmp_path: Path) -> None:
    files = {name: text for name, text in FILES.items() if name != "shop.yaml"}
    public = {"RESONATE_WORKERS": "1", "RESONATE_PUBLIC_URL": "https://shop.example/r"}
    with running(tmp_path, files, **public) as service, service.client(PUBLISHABLE_KEY) as page:
        assert "consent_not_chosen" in page.get("/readyz").json()["degraded"]
        page.post("/v1/track", json={"event": "Seen", "anonymousId": "v", "userId": "u"})
        assert [(row["consent"], row.get("user_id")) for row in exported(service)] == [("measure", None)]
        (service.definitions / "shop.yaml").write_text("privacy: {default_consent: personal}\n")
        until(lambda: "consent_not_chosen" not in page.get("/readyz").json()["degraded"], "it is chosen")
    assert "nobody has chosen what holds for visitors" in service.log_text()
