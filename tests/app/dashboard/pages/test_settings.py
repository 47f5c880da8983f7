"""Settings: what each may see of them, people added and changed on the page, and sessions ended there."""

import html
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers.one_worker import PUBLISHABLE, SECRET, OneWorker
from servers.patience import until
from servers.people import Visitor, people_of, sign_in_link, signed_in_visitor
from worlds.key_lists import entry, listing

from app.dashboard.pages.settings import MAY
from app.keys.audit import Audit, Wanted
from app.keys.file import read_keys
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
    assert "drafts of experiments" in MAY[PAGES["POST /dashboard/new/save"]]


@pytest.fixture
def listing_worker(tmp_path: Path) -> Iterator[OneWorker]:
    """A worker whose keys stand in a file besides."""
    (tmp_path / "keys.yaml").write_text("# ask Jana\n" + listing(entry("shop", "publishable"), entry("analyst")))
    with OneWorker(tmp_path, keys=tmp_path / "keys.yaml") as worker:
        yield worker


@pytest.fixture
def owner(listing_worker: OneWorker) -> Iterator[Visitor]:
    with signed_in_visitor(listing_worker.url, listing_worker.settings.data, "admin") as visitor:
        yield visitor


def shown_key(text: str) -> str:
    found = re.search(r'id="new-key" readonly size="70" value="([^"]+)"', text)
    assert found is not None, text
    return found[1]


def key_file(worker: OneWorker) -> Path:
    assert worker.settings.keys is not None
    return worker.settings.keys


def opens(worker: OneWorker, key: str, path: str = "/v1/keys") -> bool:
    with worker.client(key) as client:
        return client.get(path).status_code == 200


def test_a_key_is_shown_this_once_holds_at_once_and_does_what_it_was_made_for(
    listing_worker: OneWorker, owner: Visitor
) -> None:
    fields = {"name": "ops", "class": "secret", "scope-audit": "on", "reason": "the new dashboard"}
    made = owner.post(f"{SETTINGS}/new-key", **fields, expires="2099-01-01", site="sk")
    key = shown_key(made.text)
    assert key.startswith("sk_")
    assert opens(listing_worker, key)
    assert not opens(listing_worker, key, "/v1/operations")
    assert opens(listing_worker, SECRET, "/v1/operations")
    again = owner.get(SETTINGS).text
    assert key not in again
    row = again.partition('<th scope="row">ops</th>')[2].partition("</tr>")[0]
    assert "audit" in row
    assert "2099-01-01" in row
    [kept] = [each for each in read_keys(key_file(listing_worker).read_bytes()).keys if each.name == "ops"]
    assert (kept.scopes, kept.site) == (("audit",), "sk")
    assert key_file(listing_worker).read_text().startswith("# ask Jana\n")
    assert key not in key_file(listing_worker).read_text()
    [line] = Audit(listing_worker.settings.data).page(None, 1_000, Wanted(frozenset({"ops"})))[0]
    assert (line.act, line.actor.kind, line.actor.name) == ("key.new", "person", "admin@shop.example")
    assert (line.reason, bool(line.request_id)) == ("the new dashboard", True)
    assert key not in repr(line)


def test_a_form_that_makes_a_key_is_done_once_and_shows_it_to_nobody_again(
    listing_worker: OneWorker, owner: Visitor
) -> None:
    token = owner.form_token()
    first, second = (
        owner.post_as_is(f"{SETTINGS}/new-key", form_token=token, name="twice", reason="") for _ in range(2)
    )
    assert shown_key(first.text)
    assert (second.status_code, second.text) == (303, "")
    assert [each.name for each in read_keys(key_file(listing_worker).read_bytes()).keys].count("twice") == 1


def test_a_revoked_key_opens_nothing_any_more_and_who_did_it_is_kept(listing_worker: OneWorker, owner: Visitor) -> None:
    assert opens(listing_worker, "secret_analyst")
    answer = owner.post(f"{SETTINGS}/revoke-key", name="analyst", reason="left in June")
    assert (answer.status_code, answer.headers["location"]) == (303, SETTINGS)
    assert not opens(listing_worker, "secret_analyst")
    assert ">analyst</th>" not in owner.get(SETTINGS).text
    assert [each.name for each in read_keys(key_file(listing_worker).read_bytes()).keys] == ["shop"]
    line = Audit(listing_worker.settings.data).page(None, 1_000, Wanted(frozenset({"analyst"})))[0][-1]
    assert (line.act, line.actor.name, line.reason) == ("key.revoke", "admin@shop.example", "left in June")


def test_keys_of_the_settings_have_no_button(owner: Visitor) -> None:
    rows = owner.get(SETTINGS).text.partition('id="keys"')[2].partition("</tbody>")[0].split("<tr>")[2:]
    revocable = {bool(re.search("revoke-key", row)): row for row in rows}
    assert len(rows) == 4
    assert sum("revoke-key" in row for row in rows) == 2
    assert "of the service's settings" in html.unescape(revocable[False])
    name = html.unescape(revocable[False].partition('scope="row">')[2].partition("<")[0])
    answer = owner.post(f"{SETTINGS}/revoke-key", name=name)
    assert answer.status_code == 400
    assert f"there is no key {name}" in html.unescape(answer.text)


@pytest.mark.parametrize(
    ("action", "fields", "told"),
    [
        ("new-key", {"name": "shop"}, "there is a key shop already"),
        ("new-key", {"name": "a b"}, "a name has 1 to 64 letters"),
        ("new-key", {"name": '", class: secret}, {name: "x'}, "a name has 1 to 64 letters"),
        ("new-key", {"name": ""}, "it is missing"),
        ("new-key", {"name": "x", "class": "publishable", "scope-steer": "on"}, "steer is of secret keys"),
        ("new-key", {"name": "x", "scope-all": "on"}, "unknown scope"),
        ("new-key", {"name": "x", "expires": "soon"}, "it must be a day such as 2027-06-01"),
        ("new-key", {"name": "x", "expires": "2020-01-01"}, "2020-01-01 is over"),
        ("new-key", {"name": "x", "origins": "https://a.example"}, "a secret key is of no page"),
        ("revoke-key", {"name": "analyts"}, "did you mean analyst?"),
        ("revoke-key", {}, "there is no key"),
    ],
)
def test_a_key_that_cannot_be_is_said_and_nothing_is_changed(
    listing_worker: OneWorker, owner: Visitor, action: str, fields: dict[str, str], told: str
) -> None:
    before = key_file(listing_worker).read_bytes()
    answer = owner.post(f"{SETTINGS}/{action}", **fields)
    assert answer.status_code == 400
    assert told in html.unescape(answer.text)
    assert "new-key" not in re.findall(r'<input id="([^"]+)"', answer.text)
    assert key_file(listing_worker).read_bytes() == before


def test_an_audit_that_cannot_be_written_makes_no_key_and_keeps_none_in_force(
    listing_worker: OneWorker, owner: Visitor
) -> None:
    token = owner.form_token()
    before = key_file(listing_worker).read_bytes()
    folder = listing_worker.settings.data / "audit"
    folder.rename(folder.with_name("away"))
    folder.write_text("in the way")
    assert owner.post_as_is(f"{SETTINGS}/new-key", form_token=token, name="unseen").status_code == 503
    assert key_file(listing_worker).read_bytes() == before
    assert opens(listing_worker, "secret_analyst")
    assert owner.post_as_is(f"{SETTINGS}/revoke-key", form_token=token, name="analyst").status_code == 303
    assert not opens(listing_worker, "secret_analyst")
    folder.unlink()
    folder.with_name("away").rename(folder)
    audit = listing_worker.app.cold.state.resources.audit
    until(lambda: not audit.waits, "the line has followed")
    assert (
        Audit(listing_worker.settings.data).page(None, 1_000, Wanted(frozenset({"analyst"})))[0][-1].act == "key.revoke"
    )


def test_without_a_file_of_keys_the_page_says_which_setting_names_one(signed_in_as: SignedInAs) -> None:
    admin = signed_in_as("admin")
    assert "RESONATE_KEYS=keys.yaml" in admin.get(SETTINGS).text
    answer = admin.post(f"{SETTINGS}/new-key", name="x")
    assert answer.status_code == 400
    assert "RESONATE_KEYS names no file of keys" in answer.text
