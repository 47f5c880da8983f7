"""What browsers of other origins may do, on success and on failure."""

from collections.abc import Iterator

import pytest
from servers.one_worker import PUBLISHABLE, SECRET, OneWorker

ORIGIN = "https://shop.example"
PAGE_PATHS = [
    "/ofrep/v1/evaluate/flags",
    "/ofrep/v1/evaluate/flags/banner",
    "/v1/track",
    "/v1/b",
    "/v1/engagement",
]


@pytest.mark.parametrize("path", PAGE_PATHS)
@pytest.mark.parametrize("key", ["good", None])
def test_the_origin_is_echoed_with_credentials_on_every_answer(worker: OneWorker, path: str, key: str | None) -> None:
    with worker.client(**({} if key else {"key": None})) as client:
        answer = client.post(path, content=b"{}", headers={"origin": ORIGIN})
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert "Origin" in answer.headers["vary"]
    exposed = answer.headers["access-control-expose-headers"].lower()
    assert all(name in exposed for name in ("etag", "retry-after", "x-sse-support"))


@pytest.mark.parametrize("path", [*PAGE_PATHS, "/sourceConfig/", "/v1/projects/pk_x/settings", "/v1/recommendations"])
def test_a_preflight_needs_no_key_and_allows_what_clients_send(worker: OneWorker, path: str) -> None:
    asked = {
        "origin": ORIGIN,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type",
    }
    with worker.client(None) as client:
        answer = client.options(path, headers=asked)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert int(answer.headers["access-control-max-age"]) >= 600
    allowed = answer.headers["access-control-allow-headers"].split(", ")
    assert {"authorization", "content-type", "if-none-match", "x-api-key", "x-retry-count", "anonymousid", "sentat",
            "idempotency-key"} <= set(allowed)  # fmt: skip


COOKIE_PATHS = ["/v1/personalize", "/v1/recommendations", "/v1/visitor"]


@pytest.mark.parametrize("path", COOKIE_PATHS)
def test_where_the_cookie_counts_credentials_are_for_pages_that_a_key_lists(worker: OneWorker, path: str) -> None:
    asked = {"origin": ORIGIN, "access-control-request-method": "POST"}
    with worker.client() as client:
        for answer in (client.post(path, json={}, headers=asked), client.options(path, headers=asked)):
            assert answer.headers["access-control-allow-origin"] == ORIGIN
            assert "access-control-allow-credentials" not in answer.headers
            assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize("path", COOKIE_PATHS)
def test_a_page_that_a_key_lists_may_send_credentials(listing: OneWorker, path: str) -> None:
    asked = {"origin": ORIGIN, "access-control-request-method": "POST"}
    with listing.client() as client:
        for answer in (client.post(path, json={}, headers=asked), client.options(path, headers=asked)):
            assert answer.headers["access-control-allow-credentials"] == "true"


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneWorker]:
    keys = (f"{PUBLISHABLE}@{ORIGIN}", "pk_for_everybody")
    with OneWorker(tmp_path_factory.mktemp("listing"), publishable_keys=keys) as running:
        yield running


def test_what_every_page_may_read_names_one_origin_on_the_answer_and_on_its_preflight(worker: OneWorker) -> None:
    path, asked = f"/api/features/{PUBLISHABLE}", {"origin": ORIGIN, "access-control-request-method": "GET"}
    with worker.client(None) as client:
        for answer in (client.get(path, headers=asked), client.options(path, headers=asked)):
            assert answer.headers.get_list("access-control-allow-origin") == ["*"]
            assert "access-control-allow-credentials" not in answer.headers
            assert "etag" in answer.headers["access-control-expose-headers"].lower()
    assert "if-none-match" in answer.headers["access-control-allow-headers"]


def test_a_refusal_is_never_kept_by_a_cache(worker: OneWorker) -> None:
    with worker.client(None) as client:
        for path in ("/nothing/here", "/v1/recommendations/x", "/v1/experiments", "/v1/track"):
            assert client.get(path).headers.get_list("cache-control") == ["no-store"]


def test_secret_routes_have_no_page_headers_at_all(worker: OneWorker) -> None:
    with worker.client(SECRET) as client:
        answer = client.get("/v1/results", headers={"origin": ORIGIN})
        preflight = client.options("/v1/results", headers={"origin": ORIGIN})
    assert not any(name.startswith("access-control") for name in (*answer.headers, *preflight.headers))


def test_an_origin_that_could_break_a_header_is_not_echoed(worker: OneWorker) -> None:
    with worker.client() as client:
        answer = client.post("/v1/track", json={"anonymousId": "v", "event": "E"}, headers={"origin": "x" * 400})
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


def test_request_id_and_trace_are_passed_on_when_they_are_harmless(worker: OneWorker) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with worker.client(SECRET) as client:
        for path in ("/v1/personalize", "/v1/metrics"):
            method = "POST" if path == "/v1/personalize" else "GET"
            good = client.request(method, path, headers={"x-request-id": "abc-1", "traceparent": trace})
            bad = client.request(method, path, headers={"x-request-id": "a b", "traceparent": "nonsense"})
            assert (good.headers["x-request-id"], good.headers["traceparent"]) == ("abc-1", trace)
            assert bad.headers["x-request-id"] != "a b"
            assert "traceparent" not in bad.headers
