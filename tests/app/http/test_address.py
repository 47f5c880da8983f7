"""The service knows its own address: configured, else as a trusted proxy says, else as it was asked."""

import logging
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from servers.one_worker import PUBLISHABLE, OneWorker
from servers.wire import said

from app.http.address import Address, Addresses, forwarded, without_prefix
from app.http.errors import Problem
from app.identity.cookies import Whereabouts
from app.limits.networks import Networks

PUBLIC = "https://shop.example/r/x7"
FORWARDED = {b"host": b"10.0.0.7:8000", b"x-forwarded-proto": b"https, http", b"x-forwarded-host": b"Shop.Example:443"}
SETTINGS = f"/v1/projects/{PUBLISHABLE}/settings"


def scope(headers: dict[bytes, bytes], path: str = "/") -> dict[str, Any]:
    return {"scheme": "http", "client": ("127.0.0.1", 4711), "headers": [*headers.items()], "path": path}


def addresses(public_url: str | None = None, *, trusted: bool = False) -> Addresses:
    return Addresses(public_url, Networks([ip_network("127.0.0.0/8")] if trusted else []))


@pytest.mark.parametrize(
    ("headers", "public_url", "trusted", "address"),
    [
        ({b"host": b"a.example:8000"}, None, False, Address("http", "a.example:8000")),
        ({b"host": b"[::1]:8000"}, None, False, Address("http", "[::1]:8000")),
        ({b"host": b"a.example"}, PUBLIC, False, Address("https", "shop.example/r/x7", True, True)),
        (FORWARDED, PUBLIC, True, Address("https", "shop.example/r/x7", True, True)),
        (FORWARDED, None, True, Address("https", "Shop.Example:443", is_sure=True)),
        (FORWARDED, None, False, Address("", "10.0.0.7:8000")),
        ({**FORWARDED, b"x-forwarded-prefix": b"/r/x7/"}, None, True,
         Address("https", "Shop.Example:443/r/x7", is_sure=True)),
        ({**FORWARDED, b"forwarded": b'for=1.2.3.4;host="b.example:8443";proto=HTTP, for=9.9.9.9;proto=https'}, None,
         True, Address("http", "b.example:8443", is_sure=True)),
        ({b"host": b"a.example", b"x-forwarded-for": b"1.2.3.4"}, None, True, Address("", "a.example")),
        ({b"host": b"a.example", b"via": b"1.1 cdn"}, None, False, Address("", "a.example")),
        ({**FORWARDED, b"x-forwarded-host": b'"><script>', b"x-forwarded-proto": b"javascript"}, None, True,
         Address("", "10.0.0.7:8000")),
        ({b"host": b"a.example", b"x-forwarded-proto": b"https", b"x-forwarded-prefix": b"/a?b"}, None, True,
         Address("https", "a.example")),
    ],
)  # fmt: skip
def test_the_address_is_the_configured_one_else_a_trusted_proxys_else_that_of_the_request(
    headers: dict[bytes, bytes], public_url: str | None, trusted: bool, address: Address
) -> None:
    assert addresses(public_url, trusted=trusted).of(scope(headers), headers) == address


@pytest.mark.parametrize("host", [b"", b"a b", b"a/b", b'a"b', b"a@b", "ä".encode()])
def test_what_can_be_no_host_stands_in_no_answer(host: bytes) -> None:
    headers = {b"host": host}
    with pytest.raises(Problem, match="names no Host"):
        addresses().of(scope(headers), headers)
    assert addresses(PUBLIC).of(scope(headers), headers).url == PUBLIC


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"proto=https;host=a.example", ("https", "a.example")),
        (b'for="[2001:db8::1]:47";proto="https" ; host="a.example"', ("https", "a.example")),
        (b"for=1.2.3.4, proto=https", ("", "")),
        (b"proto", ("", "")),
        (b'host="a.example', ("", "")),
        (b"PROTO=HTTPS", ("https", "")),
    ],
)
def test_rfc_7239_is_read_up_to_the_first_hop(text: bytes, found: tuple[str, str]) -> None:
    assert forwarded({b"forwarded": text})[:2] == found


@pytest.mark.parametrize(
    ("headers", "public_url", "trusted", "site"),
    [
        (
            {b"host": b"shop.example:8000"},
            None,
            False,
            Whereabouts(("http://shop.example:8000",), "shop.example", False),
        ),
        (FORWARDED, None, True, Whereabouts(("https://shop.example",), "shop.example", True)),
        (FORWARDED, None, False, Whereabouts(("http://10.0.0.7:8000",), "10.0.0.7", False)),
        ({b"host": b"shop.example"}, None, True, Whereabouts(("http://shop.example",), "shop.example", False)),
        (
            {b"host": b"10.0.0.7:8000"},
            PUBLIC,
            False,
            Whereabouts(("http://10.0.0.7:8000", "https://shop.example"), "shop.example", True),
        ),
        ({b"host": b"[::1]:8000"}, None, False, Whereabouts(("http://[::1]:8000",), "[::1]", False)),
        ({}, None, False, Whereabouts(("http://",), "", False)),
    ],
)
def test_where_a_browser_is_says_a_trusted_proxy_or_the_public_address(
    headers: dict[bytes, bytes], public_url: str | None, trusted: bool, site: Whereabouts
) -> None:
    assert addresses(public_url, trusted=trusted).place(scope(headers), headers) == site


def test_the_first_request_through_an_unknown_proxy_tells_what_to_set(caplog: pytest.LogCaptureFixture) -> None:
    asked = addresses()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            asked.of(scope(FORWARDED), FORWARDED)
    [told] = caplog.messages
    assert "RESONATE_PUBLIC_URL" in told
    assert "RESONATE_TRUSTED_PROXIES=127.0.0.1" in told


def test_an_address_that_is_not_configured_stands_in_no_answer_that_caches_keep(tmp_path: Path) -> None:
    """Behind a cache that ignores Host, one request would point a shop's events elsewhere."""
    with OneWorker(tmp_path, trusted_proxies=("127.0.0.0/8",)) as worker, worker.client(None) as client:
        for headers in ({"host": "evil.example"}, {"x-forwarded-host": "evil.example", "x-forwarded-proto": "https"}):
            for path in (SETTINGS, "/openapi.json"):
                answer = client.get(path, headers=headers)
                assert "evil.example" in answer.text
                assert answer.headers["cache-control"] == "no-store"
        unsure = client.get(SETTINGS, headers={"x-forwarded-for": "9.9.9.9"}).json()["integrations"]["Segment.io"]
        document = client.get("/openapi.json", headers={"x-forwarded-for": "9.9.9.9"}).json()
        sure = client.get(SETTINGS, headers={"x-forwarded-host": "a.example", "x-forwarded-proto": "https"}).json()
    assert "protocol" not in unsure
    assert document["servers"] == [{"url": worker.url.removeprefix("http:")}]
    assert sure["integrations"]["Segment.io"]["protocol"] == "https"


def test_two_hosts_or_none_are_refused(worker: OneWorker) -> None:
    for hosts in (b"", b"Host: a.example\r\nHost: b.example\r\n"):
        [answer] = said(worker, [[b"GET %b HTTP/1.1\r\n%b\r\n" % (SETTINGS.encode(), hosts)]])
        assert answer.startswith(b"HTTP/1.1 400 ")
    [old] = said(worker, [[b"GET %b HTTP/1.0\r\n\r\n" % SETTINGS.encode()]])
    assert old.startswith(b"HTTP/1.1 400 ")
    assert b"host_missing" in old


PATHS = (
    ("POST", "/ofrep/v1/evaluate/flags/banner", {"context": {"targetingKey": "v-1", "resonate.expose": False}}),
    ("POST", "/v1/track", {"anonymousId": "v-1", "event": "E"}),
    ("GET", f"/api/features/{PUBLISHABLE}", None),
    ("GET", SETTINGS, None),
    ("GET", "/docs", None),
    ("GET", "/docs.css", None),
    ("GET", "/healthz", None),
)


@pytest.mark.parametrize(
    ("settings", "headers"),
    [
        ({"public_url": PUBLIC}, {}),
        ({"public_url": "https://shop.example/r%20x"}, {}),
        ({"trusted_proxies": ("127.0.0.0/8",)}, {"x-forwarded-prefix": "/r/x7"}),
    ],
    ids=["configured", "escaped", "forwarded"],
)
def test_every_path_works_with_the_prefix_and_without(
    tmp_path: Path, settings: dict[str, Any], headers: dict[str, str]
) -> None:
    prefix = headers.get("x-forwarded-prefix") or settings["public_url"].removeprefix("https://shop.example")
    with OneWorker(tmp_path, **settings) as worker, worker.client(headers=headers) as client:
        for method, path, body in PATHS:
            answers = [client.request(method, f"{start}{path}", json=body) for start in ("", prefix)]
            assert [answer.status_code for answer in answers] == [200, 200], path
            assert answers[0].content == answers[1].content, path
        other = client.get("/elsewhere/healthz")
        twice = client.get(f"{prefix}{prefix}/healthz")
    assert (other.status_code, twice.status_code) == (404, 404)


@pytest.mark.parametrize("prefix", ["/r/x7", "/r x"])
def test_a_slash_of_an_id_is_one_behind_a_prefix_too(prefix: str) -> None:
    written = quote(prefix).encode() + b"/v1/recommendations/sku%2F"
    found = scope({}, f"{prefix}/v1/recommendations/sku/") | {"raw_path": written}
    assert without_prefix(found, prefix)
    assert found["path"] == "/v1/recommendations/sku/"
    assert found["raw_path"] == b"/v1/recommendations/sku%2F"


def test_a_stranger_names_no_prefix(worker: OneWorker) -> None:
    with worker.client(headers={"x-forwarded-prefix": "/r/x7"}) as client:
        assert client.get("/r/x7/healthz").status_code == 404
