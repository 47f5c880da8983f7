"""Settings: what each may see of them, people added and changed on the page, and sessions ended there."""

import html
import re
import time
from collections.abc import Callable

import pytest
from servers.one_worker import PUBLISHABLE, OneWorker
from servers.people import Visitor, people_of, sign_in_link

from app.dashboard.pages.settings import MAY
from app.keys.audit import Audit, Wanted
from app.keys.scopes import PAGES, Role

SignedInAs = Callable[[Role], Visitor]
SETTINGS = "/dashboard/settings"


def shown_link(text: str) -> str:
    found = re.search(r'readonly size="70" value="([^"]+)"', text)
    assert found is not None, text
    return html.unescape(found[1])


def session_of(visitor: Visitor) -> str:
    found = re.search(r'\(this one\).*?name="session" value="([0-9a-f]{16})"', visitor.get(SETTINGS).text, re.DOTALL)
    assert found is not None
    return found[1]


def test_everybody_sees_the_tag_with_the_shops_own_key(signed_in_as: SignedInAs, worker: OneWorker) -> None:
    text = html.unescape(signed_in_as("viewer").get(SETTINGS).text)
    assert f'<script async src="{worker.url}/resonate.js?key={PUBLISHABLE}"' in text
    assert "YOUR-PUBLISHABLE-KEY" not in text


def test_only_admins_see_people_and_keys_and_nobody_sees_a_key(signed_in_as: SignedInAs, worker: OneWorker) -> None:
    for role in ("viewer", "editor", "publisher"):
        text = signed_in_as(role).get(SETTINGS).text
        assert 'id="people"' not in text
        assert 'id="keys"' not in text
    text = signed_in_as("admin").get(SETTINGS).text
    assert 'id="people"' in text
    assert "viewer@shop.example" in text
    assert "secret-" in text
    assert worker.settings.secret_keys[0] not in text


def test_an_admin_adds_somebody_whose_link_is_shown_once(
    signed_in_as: SignedInAs, stranger: Visitor, worker: OneWorker
) -> None:
    admin = signed_in_as("admin")
    added = admin.post(f"{SETTINGS}/add-person", email="new@shop.example", role="editor")
    link = shown_link(added.text)
    assert stranger.open(link).status_code == 303
    assert "new@shop.example (editor)" in stranger.get(SETTINGS).text
    assert link not in admin.get(SETTINGS).text
    lines = Audit(worker.settings.data).page(None, 1_000, Wanted(frozenset({"person:new@shop.example"})))[0]
    assert [(line.act, line.actor.kind, line.actor.name) for line in lines] == [
        ("person.add", "person", "admin@shop.example"), ("sign_in", "person", "new@shop.example"),
    ]  # fmt: skip


def test_another_role_signs_out_everywhere_and_a_new_link_signs_in_with_it(signed_in_as: SignedInAs) -> None:
    admin, publisher = signed_in_as("admin"), signed_in_as("publisher")
    changed = admin.post(f"{SETTINGS}/role", email="publisher@shop.example", role="viewer", reason="on leave")
    assert (changed.status_code, changed.headers["location"]) == (303, SETTINGS)
    assert publisher.get(SETTINGS).headers["location"] == "/dashboard/sign-in?said=ended"
    assert "12 hours" in publisher.get("/dashboard/sign-in?said=ended").text
    link = shown_link(admin.post(f"{SETTINGS}/link", email="publisher@shop.example").text)
    publisher.open(link)
    assert "(viewer)" in publisher.get(SETTINGS).text
    admin.post(f"{SETTINGS}/role", email="publisher@shop.example", role="publisher")


def test_somebody_who_is_removed_is_led_to_sign_in(
    signed_in_as: SignedInAs, stranger: Visitor, worker: OneWorker
) -> None:
    stranger.open(sign_in_link(worker.url, worker.settings.data, "admin", "gone@shop.example"))
    admin = signed_in_as("admin")
    assert admin.post(f"{SETTINGS}/remove-person", email="gone@shop.example", reason="left").status_code == 303
    assert stranger.get(SETTINGS).headers["location"].startswith("/dashboard/sign-in")
    assert stranger.post_as_is(f"{SETTINGS}/add-person", email="x@shop.example", role="admin").status_code == 303
    assert "x@shop.example" not in [each.email for each in people_of(worker.settings.data).known.people]


@pytest.mark.parametrize(
    ("action", "fields", "told"),
    [
        ("add-person", {"email": "nobody", "role": "viewer"}, "is no e-mail address"),
        ("add-person", {"email": "a@b.example", "role": "owner"}, "there is no role"),
        ("add-person", {"email": "ADMIN@shop.example", "role": "viewer"}, "is there already"),
        ("link", {"email": "nobody@shop.example"}, "there is nobody with the e-mail"),
        ("role", {"email": "admin@shop.example", "role": "admin"}, "is admin already"),
        ("remove-person", {}, "there is nobody with the e-mail"),
    ],
)
def test_what_cannot_be_done_is_said_on_the_page(
    signed_in_as: SignedInAs, action: str, fields: dict[str, str], told: str
) -> None:
    answer = signed_in_as("admin").post(f"{SETTINGS}/{action}", **fields)
    assert answer.status_code == 400
    assert told in answer.text
    assert 'role="alert"' in answer.text


def test_one_ends_ones_own_sessions_and_an_admin_those_of_everybody(signed_in_as: SignedInAs) -> None:
    first, second, admin = signed_in_as("editor"), signed_in_as("editor"), signed_in_as("admin")
    ended = session_of(second)
    assert first.post(f"{SETTINGS}/end-session", session=ended).status_code == 303
    assert second.get(SETTINGS).status_code == 303
    assert first.post(f"{SETTINGS}/end-session", session=ended).status_code == 404
    of_admin = session_of(admin)
    refused = first.post(f"{SETTINGS}/end-session", session=of_admin)
    assert refused.status_code == 403
    assert "editor you may end your own sessions" in refused.text
    assert admin.get(SETTINGS).status_code == 200
    assert admin.post(f"{SETTINGS}/end-session", session=session_of(first)).status_code == 303
    assert first.get(SETTINGS).status_code == 303
    assert of_admin not in signed_in_as("viewer").get(SETTINGS).text


def test_an_open_link_is_told_with_its_end_and_a_used_one_is_not(signed_in_as: SignedInAs, worker: OneWorker) -> None:
    sign_in_link(worker.url, worker.settings.data, "viewer", "late@shop.example")
    row = signed_in_as("admin").get(SETTINGS).text.partition("late@shop.example</th>")[2].partition("</tr>")[0]
    assert time.strftime("%Y-%m", time.gmtime(time.time() + 3_600)) in row.partition("<form")[0].rpartition("<td>")[0]


def test_what_a_role_may_is_said_in_words_for_all_that_a_page_needs(signed_in_as: SignedInAs) -> None:
    assert set(MAY) == set(PAGES.values())
    text = signed_in_as("admin").get(SETTINGS).text
    assert "may read results and reports</dd>" in text
    assert all(said in text for said in MAY.values())
