"""The clients that people have already, unchanged, against a real worker."""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import growthbook
import growthbook.plugins
import httpx
import pytest
import rudderstack.analytics.client as rudderstack
import segment.analytics.client as segment
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import ErrorCode
from servers.one_worker import PUBLISHABLE, SECRET, OneWorker, records
from servers.patience import until

VISITORS = [f"client-{number}" for number in range(40)]


@pytest.fixture
def openfeature(worker: OneWorker) -> Iterator[Any]:
    provider = OFREPProvider(base_url=worker.url, headers_factory=lambda: {"Authorization": f"Bearer {SECRET}"})
    api.set_provider(provider)
    yield api.get_client()
    api.shutdown()


def ours(worker: OneWorker, visitor: str) -> str:
    with worker.client() as client:
        body = {"visitor_id": visitor, "experiments": ["banner"], "expose": False}
        return client.post("/v1/personalize", json=body).json()["experiments"]["banner"]["variant"]


def test_openfeature_evaluates_with_variant_reason_and_exposure(worker: OneWorker, openfeature: Any) -> None:
    for visitor in VISITORS[:8]:
        context = EvaluationContext(targeting_key=visitor, attributes={"device": "mobile"})
        details = openfeature.get_object_details("banner", {"banner": "default"}, context)
        assert details.variant == ours(worker, visitor)
        assert details.reason == "SPLIT"
        assert details.flag_metadata["exposure"] == "logged"
        assert [r["variant"] for r in records(worker, visitor_id=visitor, type="exposure")] == [details.variant]


def test_openfeature_reads_text_and_falls_back_to_its_default(openfeature: Any) -> None:
    context = EvaluationContext(targeting_key="client-text", attributes={"device": "mobile"})
    assert openfeature.get_string_value("mobile-only", "default", context) in ("one", "two")
    unknown = openfeature.get_string_details("nope", "default", context)
    assert (unknown.value, unknown.error_code) == ("default", ErrorCode.FLAG_NOT_FOUND)
    nobody = openfeature.get_string_details("mobile-only", "default", EvaluationContext())
    assert (nobody.value, nobody.error_code) == ("default", ErrorCode.TARGETING_KEY_MISSING)


@pytest.mark.parametrize("zipped", [False, True])
def test_segments_client_sends_every_kind_of_call(worker: OneWorker, zipped: bool) -> None:
    visitor, errors = f"segment-{zipped}", list[Any]()
    client = segment.Client(PUBLISHABLE, host=worker.url, gzip=zipped, on_error=lambda *error: errors.append(error))
    client.identify(user_id="u-1", anonymous_id=visitor, traits={"plan": "gold"})
    client.track(anonymous_id=visitor, event="Order Completed", properties={"order_id": f"o-{zipped}", "revenue": 12.5})
    client.page(anonymous_id=visitor, name="Home", properties={"url": "https://shop.example/"})
    client.screen(anonymous_id=visitor, name="Cart")
    client.group(user_id="u-1", anonymous_id=visitor, group_id="g-1")
    client.alias(previous_id=visitor, user_id="u-1")
    client.flush()
    client.join()
    assert errors == []
    kinds = sorted(record["type"] for record in records(worker, visitor_id=visitor))
    assert kinds == ["alias", "group", "identify", "page", "screen", "track"]
    (order,) = records(worker, visitor_id=visitor, event="Order Completed")
    assert (order["value"], order["order_id"]) == (12.5, f"o-{zipped}")
    assert abs(order["time"] / 1e6 - time.time()) < 30


def test_rudderstacks_client_sends_gzip_and_is_content(worker: OneWorker) -> None:
    errors: list[Any] = []
    client = rudderstack.Client(PUBLISHABLE, host=worker.url, on_error=lambda *error: errors.append(error))
    client.track(anonymous_id="rudder-1", event="Checkout Started", properties={"order_id": "r-1"})
    client.flush()
    client.join()
    assert errors == []
    assert [record["order_id"] for record in records(worker, visitor_id="rudder-1")] == ["r-1"]


def payload(worker: OneWorker) -> dict[str, Any]:
    return httpx.get(f"{worker.url}/api/features/{PUBLISHABLE}").json()["features"]


def test_growthbooks_sdk_computes_the_variant_that_we_assign(worker: OneWorker) -> None:
    features = payload(worker)
    seen: list[Any] = []
    for visitor in VISITORS:
        told: list[Any] = []
        sdk = growthbook.GrowthBook(
            attributes={"id": visitor},
            features=features,
            on_experiment_viewed=lambda experiment, result, told=told, **_: told.append(result.key),
        )
        sdk.eval_feature("banner")
        assert told == [ours(worker, visitor)]
        seen += told
    assert len(set(seen)) == 2


def test_growthbooks_sdk_loads_the_payload_by_itself_and_reports_exposures(worker: OneWorker) -> None:
    plugin = growthbook.plugins.growthbook_tracking_plugin(ingestor_host=worker.url, batch_size=1)
    sdk = growthbook.GrowthBook(
        api_host=worker.url, client_key=PUBLISHABLE, attributes={"id": "gb-1"}, plugins=[plugin]
    )
    sdk.load_features()
    assert sdk.is_on("banner")
    found = until(lambda: records(worker, visitor_id="gb-1", type="exposure"), "the exposure is reported")
    assert [(each["variant"], each["exposure_source"], each.get("forged")) for each in found] == [
        (ours(worker, "gb-1"), "growthbook", None)
    ]
    sdk.destroy()


def test_the_payload_has_an_etag_a_life_and_a_plain_error(worker: OneWorker) -> None:
    with worker.client(None) as client:
        first = client.get(f"/api/features/{PUBLISHABLE}")
        again = client.get(f"/api/features/{PUBLISHABLE}", headers={"if-none-match": first.headers["etag"]})
        unknown = client.get("/api/features/pk_unknown")
        secret = client.get(f"/api/features/{SECRET}")
    assert first.headers["cache-control"] == "public, max-age=30, stale-while-revalidate=3600, stale-if-error=36000"
    assert first.headers["access-control-allow-origin"] == "*"
    assert set(first.json()) == {"status", "features", "dateUpdated"}
    assert (again.status_code, again.content) == (304, b"")
    for refused in (unknown, secret):
        assert (refused.status_code, refused.json()["status"]) == (400, 400)


def test_the_browser_sdks_get_the_settings_without_which_they_do_not_start(worker: OneWorker) -> None:
    with worker.client(None) as client:
        ajs = client.get(f"/v1/projects/{PUBLISHABLE}/settings", headers={"origin": "https://shop.example"})
        rudder = client.get("/sourceConfig/", params={"writeKey": PUBLISHABLE, "p": "npm", "v": "3.0.0"})
    assert ajs.json()["integrations"]["Segment.io"]["apiKey"] == PUBLISHABLE
    assert ajs.json()["integrations"]["Segment.io"]["apiHost"] == worker.url.removeprefix("http://") + "/v1"
    assert ajs.headers["cache-control"] == "no-store"  # it repeats the Host of whoever asks
    assert ajs.headers["access-control-allow-origin"] == "https://shop.example"
    assert rudder.json()["source"]["enabled"] is True


def test_a_public_address_is_told_whatever_host_was_asked_and_may_be_cached(tmp_path: Path) -> None:
    with OneWorker(tmp_path, public_url="https://shop.example/r/x7") as shop, shop.client(None) as client:
        answer = client.get(f"/v1/projects/{PUBLISHABLE}/settings", headers={"host": "evil.example"})
    told = answer.json()["integrations"]["Segment.io"]
    assert (told["protocol"], told["apiHost"]) == ("https", "shop.example/r/x7/v1")
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert "evil.example" not in answer.text


def test_growthbooks_sdk_that_is_given_digests_meets_the_audience_by_addresses(tmp_path: Path) -> None:
    people, salt = ["a@shop.example", "b@shop.example"], "a salt of ours"
    files = {
        "shop.yaml": f"secure_attributes: [email]\nsecure_salt: {salt}\n",
        "staff.yaml": "key: staff\nstatus: running\nvariants: [a, b]\ngoal: purchase_rate\n"
        f"audience: {{where: {{email: {{$in: [{people[0]}]}}}}}}\n",
        "backend.yaml": "key: backend\nstatus: running\ndelivery: server\nvariants: [a, b]\ngoal: purchase_rate\n",
    }
    with OneWorker(tmp_path, files) as shop, shop.client() as client:
        features = payload(shop)
        for address in people:
            body = {"visitor_id": "v-1", "attributes": {"email": address}, "expose": False}
            answers = client.post("/v1/personalize", json=body).json()["experiments"]
            digest = hashlib.sha256((salt + address).encode()).hexdigest()
            sdk = growthbook.GrowthBook(attributes={"id": "v-1", "email": digest}, features=features)
            ran = sdk.eval_feature("staff").experimentResult
            assert (ran is not None) == answers["staff"]["in_experiment"] == (address == people[0])
            assert ran is None or ran.key == answers["staff"]["variant"]
    assert list(features) == ["staff"]
    assert answers["backend"]["reason"] == "SPLIT"
    assert "@" not in str(features)
