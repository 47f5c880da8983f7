"""People of a data directory: links that sign in once, roles, the last admin, and what the audit has of it all."""

import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.keys.audit import Actor, Audit, AuditLine, AuditUnusable, Wanted
from app.keys.scopes import ROLE_NAMES, ROLES, SCOPES
from app.people.file import By, LinkUsed, People, PeopleUnreadable, SignIn
from app.people.member import LINK_SECONDS, TWICE_SECONDS, PeopleRefused, email_of, role_of

NOW = 1_800_000_000.0
OPS = By(Actor("cli", "ops"), "she asked for it")


@pytest.fixture
def people(tmp_path: Path) -> People:
    return People(tmp_path / "people.json", Audit(tmp_path))


def acts(people: People) -> list[AuditLine]:
    return Audit(people.file.parent).page(None, 1_000, Wanted())[0]


def enter(people: People, token: str, now: float = NOW, form: str = "f", session: str = "s1", email: str = "") -> str:
    sign_in = SignIn(token, form, email)
    person = people.whose(sign_in, now)
    people.enter(sign_in, person, session, now)
    return person.email


def test_the_first_who_comes_is_an_admin_by_the_name_they_say(people: People) -> None:
    token = people.first_link(NOW)
    assert token is not None
    with pytest.raises(PeopleRefused, match="no e-mail address"):
        enter(people, token, email="nobody")
    assert enter(people, token, email=" ada@shop.example ") == "ada@shop.example"
    assert [(each.email, each.role) for each in people.known.people] == [("ada@shop.example", "admin")]
    assert people.first_link(NOW) is None
    assert [(line.act, line.actor.kind, line.actor.name) for line in acts(people)] == [
        ("person.add", "person", "ada@shop.example"), ("sign_in", "person", "ada@shop.example"),
    ]  # fmt: skip


def test_each_start_makes_the_first_link_anew_and_the_one_before_it_opens_nothing(people: People) -> None:
    earlier, later = people.first_link(NOW), people.first_link(NOW)
    assert earlier is not None
    assert later is not None
    with pytest.raises(LinkUsed):
        enter(people, earlier, email="ada@shop.example")
    assert enter(people, later, email="ada@shop.example") == "ada@shop.example"


def test_a_first_link_opens_nothing_once_somebody_was_added(people: People) -> None:
    token = people.first_link(NOW)
    assert token is not None
    people.add("ada@shop.example", "viewer", OPS, NOW)
    with pytest.raises(LinkUsed):
        enter(people, token, email="eve@else.example")


def used(people: People, token: str) -> float:
    enter(people, token)
    return NOW + 1


def over(people: People, token: str) -> float:
    return NOW + LINK_SECONDS


def replaced(people: People, token: str) -> float:
    people.link("ada@shop.example", OPS, NOW)
    return NOW + 1


def removed(people: People, token: str) -> float:
    people.add("bob@shop.example", "admin", OPS, NOW)
    people.remove("ada@shop.example", OPS)
    return NOW + 1


@pytest.mark.parametrize("spoilt", [used, over, replaced, removed])
def test_a_link_signs_in_once_within_the_hour_and_only_the_latest(
    people: People, spoilt: Callable[[People, str], float]
) -> None:
    _, token = people.add("ada@shop.example", "admin", OPS, NOW)
    later = spoilt(people, token)
    with pytest.raises(LinkUsed):
        enter(people, token, later, form="another form")
    with pytest.raises(LinkUsed):
        enter(people, token + "x", NOW)


def test_one_who_presses_the_button_twice_signs_in_once(people: People) -> None:
    _, token = people.add("ada@shop.example", "viewer", OPS, NOW)
    sign_in = SignIn(token, "the form")
    person = people.whose(sign_in, NOW)
    assert people.enter(sign_in, person, "s1", NOW) is None
    assert people.enter(sign_in, people.whose(sign_in, NOW + 1), "s2", NOW + 1) == "s1"
    assert [line.act for line in acts(people)] == ["person.add", "sign_in"]
    with pytest.raises(LinkUsed):
        people.whose(sign_in, NOW + TWICE_SECONDS)
    with pytest.raises(LinkUsed):
        people.whose(SignIn(token, ""), NOW + 1)


def test_of_many_who_send_one_link_at_once_one_is_let_in(people: People) -> None:
    _, token = people.add("ada@shop.example", "viewer", OPS, NOW)

    def attempt(place: int) -> bool:
        try:
            enter(people, token, form=f"form {place}")
        except LinkUsed:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(attempt, range(16))) == 1


def test_another_role_is_another_generation_and_no_other_change_is(people: People) -> None:
    person, _ = people.add("ada@shop.example", "admin", OPS, NOW)
    people.add("bob@shop.example", "admin", OPS, NOW)
    people.link("ADA@shop.example", OPS, NOW)
    assert people.known.by_id(person.id) == person
    changed = people.set_role("ada@SHOP.example", "editor", OPS)
    assert (changed.id, changed.role) == (person.id, "editor")
    assert changed.generation != person.generation
    assert [(line.act, line.before, line.after, line.reason) for line in acts(people)][-1] == (
        "person.role", {"role": "admin"}, {"role": "editor"}, "she asked for it",
    )  # fmt: skip


def test_the_last_admin_stays(people: People) -> None:
    people.add("ada@shop.example", "admin", OPS, NOW)
    people.add("bob@shop.example", "editor", OPS, NOW)
    for change in (
        lambda: people.remove("ada@shop.example", OPS),
        lambda: people.set_role("ada@shop.example", "viewer", OPS),
    ):
        with pytest.raises(PeopleRefused, match="is the only admin"):
            change()
    people.set_role("bob@shop.example", "admin", OPS)
    people.remove("ada@shop.example", OPS)
    assert [each.email for each in people.known.people] == ["bob@shop.example"]


def test_what_cannot_be_done_is_said_with_what_would_be_right(people: People) -> None:
    people.add("ada@shop.example", "viewer", OPS, NOW)
    with pytest.raises(PeopleRefused, match=r"did you mean ada@shop\.example"):
        people.link("adda@shop.example", OPS, NOW)
    with pytest.raises(PeopleRefused, match="is there already, as viewer"):
        people.add("Ada@Shop.example", "editor", OPS, NOW)
    with pytest.raises(PeopleRefused, match="is viewer already"):
        people.set_role("ada@shop.example", "viewer", OPS)
    with pytest.raises(PeopleRefused, match="did you mean editor"):
        role_of("editr")
    assert role_of(" Admin ") == "admin"


@pytest.mark.parametrize(
    "text", ["", "ada", "ada@", "@shop", "a b@c.d", "a@b\n@c", "<a@b>", "a@b\u202e", "a@" + "b" * 300]
)
def test_what_is_no_email_is_refused(text: str) -> None:
    with pytest.raises(PeopleRefused, match="no e-mail address"):
        email_of(text)


def test_a_change_that_the_audit_cannot_keep_is_not_done(people: People, tmp_path: Path) -> None:
    people.add("ada@shop.example", "admin", OPS, NOW)
    before = (tmp_path / "people.json").read_bytes()
    for path in (tmp_path / "audit").iterdir():
        path.unlink()
    (tmp_path / "audit").rmdir()
    (tmp_path / "audit").write_text("in the way")
    with pytest.raises(AuditUnusable):
        people.add("bob@shop.example", "viewer", OPS, NOW)
    assert (tmp_path / "people.json").read_bytes() == before


def test_the_file_is_for_its_user_alone_and_holds_no_token(people: People, tmp_path: Path) -> None:
    _, token = people.add("ada@shop.example", "admin", OPS, NOW)
    first = (tmp_path / "people.json").stat()
    enter(people, token)
    file = tmp_path / "people.json"
    assert stat.S_IMODE(first.st_mode) == stat.S_IMODE(file.stat().st_mode) == 0o600
    kept = file.read_text() + "".join(path.read_text() for path in (tmp_path / "audit").iterdir())
    assert token not in kept
    assert "ada@shop.example" in kept


def test_a_damaged_file_lets_nobody_in_and_is_left_as_it_is(people: People, tmp_path: Path) -> None:
    people.add("ada@shop.example", "admin", OPS, NOW)
    (tmp_path / "people.json").write_text('{"people": [{"id": 1')
    with pytest.raises(PeopleUnreadable, match=r"put it back from a backup"):
        _ = people.known
    with pytest.raises(PeopleUnreadable):
        people.first_link(NOW)
    assert (tmp_path / "people.json").read_text() == '{"people": [{"id": 1'


def test_two_who_look_at_one_file_see_each_others_changes(people: People, tmp_path: Path) -> None:
    other = People(tmp_path / "people.json", Audit(tmp_path))
    assert other.known.people == ()
    people.add("ada@shop.example", "viewer", OPS, NOW)
    assert [each.email for each in other.known.people] == ["ada@shop.example"]


def test_each_role_may_do_all_that_the_one_before_it_may_and_more() -> None:
    told = {
        "viewer": {"read_results"},
        "editor": {"read_results", "export"},
        "publisher": {"read_results", "export", "steer", "products"},
        "admin": {"read_results", "export", "steer", "products", "read_people", "erase", "audit", "people"},
    }
    assert {role: set(scopes) for role, scopes in ROLES.items()} == told
    assert list(ROLES) == list(ROLE_NAMES)
    assert ROLES["admin"] - {"people"} < set(SCOPES)
