"""Signing in by a link that holds once, and out again, against one real worker."""

from collections.abc import Callable

from servers.one_worker import OneWorker
from servers.people import Visitor, sign_in_link

from app.keys.scopes import Role

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
