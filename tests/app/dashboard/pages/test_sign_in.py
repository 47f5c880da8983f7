"""Signing in by a link that holds once, and out again, against one real worker."""

import time
from collections.abc import Callable

from servers.one_worker import OneWorker
from servers.people import TESTS, Visitor, people_of, sign_in_link

from app.keys.audit import Audit, Wanted
from app.keys.scopes import Role
from app.people.links import sign_in_address

SignedInAs = Callable[[Role], Visitor]


def test_a_link_signs_in_by_its_button_and_looking_at_it_uses_nothing_up(worker: OneWorker, stranger: Visitor) -> None:
    link = sign_in_link(worker.url, worker.settings.data, "viewer")
    for _ in range(3):
        looked = stranger.get(link)
        assert looked.status_code == 200
        assert "set-cookie" not in looked.headers
    assert stranger.get("/dashboard/settings").status_code == 303
    entered = stranger.open(link)
    assert (entered.status_code, entered.headers["location"]) == (303, "/dashboard")
    page = stranger.get("/dashboard/settings")
    assert page.status_code == 200
    assert "Signed in as viewer@shop.example (viewer)" in page.text


def test_somebody_without_a_session_is_told_nothing(stranger: Visitor) -> None:
    answer = stranger.get("/dashboard/settings")
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard/sign-in")
    assert "banner" not in answer.text


def test_who_signs_out_is_a_stranger_in_this_browser_and_nowhere_else(signed_in_as: SignedInAs) -> None:
    here, there = signed_in_as("editor"), signed_in_as("editor")
    left = here.post("/dashboard/sign-out", page="/dashboard/settings")
    assert (left.status_code, left.headers["location"]) == (303, "/dashboard/sign-in?said=out")
    assert here.get("/dashboard/settings").status_code == 303
    assert there.get("/dashboard/settings").status_code == 200


def spoilt(worker: OneWorker) -> dict[str, str]:
    """Links that sign nobody in, each for another reason."""
    url, data = worker.url, worker.settings.data
    used, replaced = sign_in_link(url, data, "viewer", "used@shop.example"), ""
    with Visitor(url) as first:
        assert first.open(used).status_code == 303
    replaced = sign_in_link(url, data, "viewer", "replaced@shop.example")
    sign_in_link(url, data, "viewer", "replaced@shop.example")
    _, over = people_of(data).add("over@shop.example", "viewer", TESTS, time.time() - 3_601)
    people_of(data).add("keeps@shop.example", "admin", TESTS, time.time())
    removed = sign_in_link(url, data, "viewer", "removed@shop.example")
    people_of(data).remove("removed@shop.example", TESTS)
    return {
        "used": used, "replaced": replaced, "over": sign_in_address(url, over), "removed": removed,
        "made up": sign_in_address(url, "x" * 43), "cut off": used[:-3], "empty": sign_in_address(url, ""),
        "hostile": sign_in_address(url, '"><script>alert(1)</script>\x00é'),
    }  # fmt: skip


def test_a_link_that_signs_nobody_in_is_answered_in_one_wording(worker: OneWorker) -> None:
    told: dict[str, str] = {}
    for kind, link in spoilt(worker).items():
        with Visitor(worker.url) as visitor:
            answer = visitor.client.post(
                "/dashboard/sign-in",
                data={"token": link.partition("token=")[2], "form": "another form"},
                headers={"origin": worker.url},
            )
            assert answer.status_code == 403, kind
            assert "set-cookie" not in answer.headers, kind
            told[kind] = answer.text
    assert len(set(told.values())) == 1
    assert "This link signs nobody in" in told["used"]


def test_one_who_clicks_twice_is_signed_in_once(worker: OneWorker, stranger: Visitor) -> None:
    link = sign_in_link(worker.url, worker.settings.data, "viewer", "clicks@shop.example")
    with Visitor(worker.url) as lost:  # the answer of the first click, which the browser drops
        assert lost.open(link).status_code == 303
        assert stranger.open(link).status_code == 303
        assert stranger.get("/dashboard/settings").text.count("clicks@shop.example</th>") == 1
        assert lost.get("/dashboard/settings").status_code == 303


def test_the_token_of_a_link_stands_in_its_form_as_text(stranger: Visitor) -> None:
    page = stranger.get("/dashboard/sign-in", params={"token": '"><img src=x onerror=alert(1)>' + "y" * 5_000})
    assert page.status_code == 200
    assert "<img" not in page.text
    assert len(page.text) < 5_000


def test_who_is_signed_in_is_told_so_and_who_is_not_how_to(signed_in_as: SignedInAs, stranger: Visitor) -> None:
    assert "You are signed in as viewer@shop.example" in signed_in_as("viewer").get("/dashboard/sign-in").text
    assert "resonate people link EMAIL" in stranger.get("/dashboard/sign-in").text


def test_every_page_has_the_headers_of_pages(signed_in_as: SignedInAs, stranger: Visitor) -> None:
    for answer in (stranger.get("/dashboard/sign-in"), signed_in_as("viewer").get("/dashboard/settings")):
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["cache-control"] == "private, no-store"
        assert answer.headers["referrer-policy"] == "same-origin"


def test_a_session_that_has_ended_says_so_and_its_cookie_goes(worker: OneWorker, stranger: Visitor) -> None:
    stranger.open(sign_in_link(worker.url, worker.settings.data, "viewer", "idle@shop.example"))
    resources = worker.app.cold.state.resources
    [found] = [
        each
        for each in worker.run(resources.sessions.listed(resources.people.known, time.time()))
        if each.member.email == "idle@shop.example"
    ]
    assert worker.run(resources.sessions.end(found.session.id))
    answer = stranger.get("/dashboard/settings")
    assert answer.headers["location"] == "/dashboard/sign-in?said=ended"
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert not stranger.client.cookies
    assert "Your session has ended" in stranger.get(answer.headers["location"]).text


def test_the_cookie_opens_pages_alone(signed_in_as: SignedInAs) -> None:
    admin = signed_in_as("admin")
    for path in ("/v1/experiments", "/v1/keys", "/v1/audit", "/v1/export/events", "/v1/results"):
        assert admin.get(path).status_code == 401, path


def test_the_cookie_is_out_of_the_reach_of_scripts_and_of_other_sites(worker: OneWorker, stranger: Visitor) -> None:
    answer = stranger.open(sign_in_link(worker.url, worker.settings.data, "viewer", "cookie@shop.example"))
    name, _, rest = answer.headers["set-cookie"].partition("=")
    assert name == f"resonate_{worker.url.rpartition(':')[2]}"
    parts = {part.strip() for part in rest.split(";")[1:]}
    assert parts == {"Path=/", f"Max-Age={30 * 86_400}", "HttpOnly", "SameSite=Lax"}
    assert len(rest.split(";")[0]) == 43


def test_signing_in_and_out_is_in_the_audit_by_who_it_was(worker: OneWorker, stranger: Visitor) -> None:
    stranger.open(sign_in_link(worker.url, worker.settings.data, "editor", "told@shop.example"))
    stranger.post("/dashboard/sign-out")
    lines = Audit(worker.settings.data).page(None, 10_000, Wanted(frozenset({"person:told@shop.example"})))[0]
    assert [(line.act, line.actor.kind, line.actor.name) for line in lines[1:]] == [
        ("sign_in", "person", "told@shop.example"), ("sign_out", "person", "told@shop.example"),
    ]  # fmt: skip
    assert lines[1].after == lines[2].before
