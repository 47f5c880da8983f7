"""Forms: each route that changes something × {no session, another session's token, another origin, GET}, and twice."""

import hashlib
import random
import re
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode, urlsplit

import httpx
import pytest
from fastapi.routing import APIRoute
from servers.one_worker import OneWorker
from servers.people import TESTS, Visitor, people_of, signed_in_visitor

from app.dashboard.forms import PageRoute
from app.keys.audit import Audit, Wanted
from app.keys.scopes import OPEN, PAGES, Role
from app.main import ROUTERS, cold_routes

SignedInAs = Callable[[Role], Visitor]
SETTINGS = "/dashboard/settings"
POSTS = sorted(name.removeprefix("POST ") for name in PAGES if name.startswith("POST "))
FIELDS = {"email": "victim@shop.example", "role": "admin", "session": "0" * 16, "reason": "because of this test"}


def address(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "banner", path)


def state(worker: OneWorker) -> str:
    """All that a form may change, but for the sessions that tests begin."""
    audit = Audit(worker.settings.data).page(None, 10_000, Wanted())[0]
    people = (worker.settings.data / "people.json").read_bytes()
    overrides = sorted(str(path) for path in (worker.settings.data / "catalog").rglob("*override*"))
    return hashlib.sha256(people + repr((audit, overrides)).encode()).hexdigest()


def test_each_route_that_changes_something_is_listed_and_takes_forms_once() -> None:
    routes = {f"POST {path}" for method, path in cold_routes() if method == "POST" and path.startswith("/dashboard")}
    assert routes == {f"POST {path}" for path in POSTS} | {"POST /dashboard/sign-in"}
    taken = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    pages = [route for route in taken if route.path.startswith("/dashboard") and "POST" in (route.methods or ())]
    assert len(pages) == len(routes)
    assert all(isinstance(route, PageRoute) for route in pages)


@pytest.mark.parametrize("path", POSTS)
def test_a_form_of_nobody_is_led_to_sign_in_with_nothing_done(path: str, stranger: Visitor, worker: OneWorker) -> None:
    people_of(worker.settings.data).first_link(0)
    before = state(worker)
    answer = stranger.post_as_is(address(path), form_token="x", **FIELDS)
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard/sign-in")
    assert state(worker) == before


@pytest.mark.drawn(20)
@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("kind", ["another session's", "a made-up one", "none", "cut off"])
def test_a_form_of_another_session_is_refused_with_nothing_done(
    path: str, kind: str, signed_in_as: SignedInAs, worker: OneWorker
) -> None:
    admin, other = signed_in_as("admin"), signed_in_as("admin")
    own, foreign = admin.form_token(), other.form_token()
    fields = {"another session's": {"form_token": foreign}, "a made-up one": {"form_token": "name." + "0" * 64},
              "none": {}, "cut off": {"form_token": own[:-1]}}[kind]  # fmt: skip
    before = state(worker)
    answer = admin.post_as_is(address(path), **fields, **FIELDS)
    assert answer.status_code == 403
    assert "made for another session" in answer.text
    assert state(worker) == before
    assert admin.get(SETTINGS).status_code == 200


def senders(own: str) -> dict[str, dict[str, str]]:
    """What browsers and others say of where a form comes from, for pages that are not the service's own."""
    port = own.rpartition(":")[2]
    return {
        "another host": {"origin": "https://evil.example"},
        "another port": {"origin": f"http://127.0.0.1:{int(port) - 1}"},
        "another scheme": {"origin": own.replace("http://", "https://")},
        "another name of this machine": {"origin": f"http://localhost:{port}"},
        "a host that begins like it": {"origin": f"{own}.evil.example"},
        "null": {"origin": "null"},
        "empty": {"origin": ""},
        "an own referer and another origin": {"origin": "https://evil.example", "referer": f"{own}{SETTINGS}"},
        "a foreign referer alone": {"referer": "https://evil.example/?x=" + own},
        "nothing": {},
    }


@pytest.mark.drawn(25)
@pytest.mark.parametrize("path", [*POSTS, "/dashboard/sign-in"])
@pytest.mark.parametrize("sender", sorted(senders("http://127.0.0.1:1")))
def test_a_form_of_a_foreign_page_is_refused_with_nothing_done(
    path: str, sender: str, signed_in_as: SignedInAs, worker: OneWorker
) -> None:
    admin = signed_in_as("admin")
    before = state(worker)
    data = {"form_token": admin.form_token(), **FIELDS}
    answer = admin.client.post(address(path), data=data, headers=senders(worker.url)[sender])
    assert answer.status_code == 403
    assert "a page of this service alone" in answer.text
    assert state(worker) == before
    assert admin.get(SETTINGS).status_code == 200


@pytest.mark.drawn(6)
@pytest.mark.parametrize("path", POSTS)
def test_an_address_that_changes_something_is_not_looked_at(
    path: str, signed_in_as: SignedInAs, worker: OneWorker
) -> None:
    admin = signed_in_as("admin")
    before = state(worker)
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        query = {"form_token": admin.form_token(), **FIELDS}
        answer = admin.client.request(method, address(path), params=query, headers={"origin": worker.url})
        assert answer.status_code == 405, method
    assert state(worker) == before


def test_an_own_referer_stands_in_for_an_origin(signed_in_as: SignedInAs, worker: OneWorker) -> None:
    admin = signed_in_as("admin")
    data = {"form_token": admin.form_token(), "email": "referred@shop.example", "role": "viewer"}
    answer = admin.client.post(f"{SETTINGS}/add-person", data=data, headers={"referer": f"{worker.url}{SETTINGS}"})
    assert answer.status_code == 200
    people_of(worker.settings.data).known.by_email("referred@shop.example")


def test_a_form_that_is_sent_twice_is_done_once_and_the_second_sees_the_result(
    signed_in_as: SignedInAs, worker: OneWorker
) -> None:
    admin = signed_in_as("admin")
    fields = {"form_token": admin.form_token(), "email": "twice@shop.example", "role": "viewer"}
    first = admin.post_as_is(f"{SETTINGS}/add-person", **fields)
    second = admin.post_as_is(f"{SETTINGS}/add-person", **fields)
    assert first.status_code == 200
    assert (second.status_code, second.headers["location"]) == (303, SETTINGS)
    assert "twice@shop.example" in admin.get(SETTINGS).text
    lines = Audit(worker.settings.data).page(None, 10_000, Wanted(frozenset({"person:twice@shop.example"})))[0]
    assert [line.act for line in lines] == ["person.add"]


def test_of_many_clicks_at_once_one_is_done(signed_in_as: SignedInAs, worker: OneWorker) -> None:
    admin = signed_in_as("admin")
    fields = {"form_token": admin.form_token(), "email": f"clicks-{random.random()}@shop.example", "role": "viewer"}
    cookies = dict(admin.client.cookies)

    def click(_: int) -> int:
        with httpx.Client(base_url=worker.url, cookies=cookies, timeout=70) as browser:
            return browser.post(f"{SETTINGS}/add-person", data=fields, headers={"origin": worker.url}).status_code

    with ThreadPoolExecutor(6) as threads:
        found = sorted(threads.map(click, range(6)))
    assert found == [200, 303, 303, 303, 303, 303]


def test_a_form_that_is_still_arriving_when_its_person_is_removed_does_nothing(
    signed_in_as: SignedInAs, worker: OneWorker
) -> None:
    """The service asks for the body once it has seen the session, so the person is removed behind that."""
    people, _ = people_of(worker.settings.data), signed_in_as("admin")  # somebody who administers stays
    with signed_in_visitor(worker.url, worker.settings.data, "admin", "leaving@shop.example") as leaving:
        fields = {"form_token": leaving.form_token(), "email": "back-door@shop.example", "role": "admin"}
        cookies = "; ".join(f"{name}={value}" for name, value in leaving.client.cookies.items())
    body, place = urlencode(fields).encode(), urlsplit(worker.url)
    head = (
        f"POST {SETTINGS}/add-person HTTP/1.1\r\nHost: {place.netloc}\r\nOrigin: {worker.url}\r\nCookie: {cookies}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
        "Expect: 100-continue\r\n\r\n"
    )
    with socket.create_connection((place.hostname, place.port), timeout=70) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        people.remove("leaving@shop.example", TESTS)
        connection.sendall(body)
        answer = connection.recv(10_000).decode()
    assert answer.startswith("HTTP/1.1 303")
    assert "/dashboard/sign-in?said=ended" in answer
    assert "back-door@shop.example" not in [each.email for each in people.known.people]


def test_a_form_that_came_to_nothing_may_be_sent_again(signed_in_as: SignedInAs) -> None:
    admin = signed_in_as("admin")
    fields = {"form_token": admin.form_token(), "email": "nobody", "role": "viewer"}
    for _ in range(2):
        assert admin.post_as_is(f"{SETTINGS}/add-person", **fields).status_code == 400


def test_a_form_that_is_too_large_or_none_is_refused_in_words(signed_in_as: SignedInAs) -> None:
    admin = signed_in_as("admin")
    large = admin.post(f"{SETTINGS}/remove-person", email="x" * 1_000_000)
    assert large.status_code == 413
    assert "form may send 500,000 bytes" in large.text
    origin = {"origin": admin.url}
    many = "&".join(f"f{number}=1" for number in range(300))
    for content, kind, status in (
        (b"\xff=1", "application/x-www-form-urlencoded", 400),
        (many.encode(), "application/x-www-form-urlencoded", 400),
        (b"{}", "application/json", 415),
        (b"form_token=1", "text/plain", 415),
    ):
        headers = {**origin, "content-type": kind}
        assert admin.client.post(f"{SETTINGS}/link", content=content, headers=headers).status_code == status


def test_what_is_open_without_a_session_is_told_by_name() -> None:
    assert {path for path in OPEN if path.startswith("/dashboard")} == {
        "/dashboard/sign-in", "/dashboard/style.css", "/dashboard/script.js", "/dashboard/icon.svg",
    }  # fmt: skip
