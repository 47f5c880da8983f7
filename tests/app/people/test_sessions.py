"""Sessions in a real store: how long they hold, what ends them, and that no token is kept."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.keys.audit import Actor, Audit
from app.people.file import By, People
from app.people.member import TeamMember, token_digest
from app.people.sessions import (
    ANSWER_KEPT_SECONDS,
    IDLE_SESSION_SECONDS,
    LONGEST_SESSION_SECONDS,
    MANY,
    Sessions,
    form_token,
    is_form_token,
)
from events.store.availability import StoreUnavailable
from events.store.connection import Connection, connect
from events.store.embedded import EmbeddedStore
from events.store.keys import SESSIONS

pytestmark = pytest.mark.anyio
NOW = 1_800_000_000.0
OPS = By(Actor("cli", "ops"))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    embedded = EmbeddedStore(tmp_path_factory.mktemp("sessions"))
    embedded.start()
    yield embedded
    embedded.stop()


@pytest.fixture
async def connection(store: EmbeddedStore) -> AsyncIterator[Connection]:
    opened = await connect(None, store.socket, data=store.data)
    await opened.client.delete(SESSIONS)
    yield opened
    await opened.close()


@pytest.fixture
def sessions(connection: Connection) -> Sessions:
    return Sessions(connection)


@pytest.fixture
def people(tmp_path: Path) -> People:
    people = People(tmp_path / "people.json", Audit(tmp_path))
    people.add("root@shop.example", "admin", OPS, NOW)
    return people


@pytest.fixture
def ada(people: People) -> TeamMember:
    return people.add("ada@shop.example", "editor", OPS, NOW)[0]


async def test_a_session_holds_twelve_hours_from_a_use(sessions: Sessions, people: People, ada: TeamMember) -> None:
    token, session = await sessions.begin(ada, "Firefox", NOW)
    for used in (NOW + IDLE_SESSION_SECONDS - 1, NOW + 2 * IDLE_SESSION_SECONDS - 2):
        found = await sessions.find(token, people.known, used)
        assert found is not None
        assert found.session == session
        assert found.member == ada
    assert await sessions.find(token, people.known, NOW + 3 * IDLE_SESSION_SECONDS) is None


async def test_a_session_holds_thirty_days_at_most(sessions: Sessions, people: People, ada: TeamMember) -> None:
    token, _ = await sessions.begin(ada, "Firefox", NOW)
    now = NOW
    while now < NOW + LONGEST_SESSION_SECONDS - IDLE_SESSION_SECONDS:
        now += IDLE_SESSION_SECONDS / 2
        assert await sessions.find(token, people.known, now) is not None
    assert await sessions.find(token, people.known, NOW + LONGEST_SESSION_SECONDS - 1) is not None
    assert await sessions.find(token, people.known, NOW + LONGEST_SESSION_SECONDS) is None


async def test_another_role_and_removal_end_it_whatever_the_store_does(
    sessions: Sessions, people: People, ada: TeamMember
) -> None:
    token, _ = await sessions.begin(ada, "Firefox", NOW)
    changed = people.set_role(ada.email, "viewer", OPS)
    assert await sessions.find(token, people.known, NOW) is None
    token, _ = await sessions.begin(changed, "Firefox", NOW)
    assert await sessions.find(token, people.known, NOW) is not None
    people.remove(ada.email, OPS)
    assert await sessions.find(token, people.known, NOW) is None
    assert await sessions.listed(people.known, NOW) == []


async def test_an_ended_session_stays_ended_while_another_request_notes_its_use(
    sessions: Sessions, people: People, ada: TeamMember, connection: Connection
) -> None:
    token, session = await sessions.begin(ada, "Firefox", NOW)
    kept, _ = await sessions.begin(ada, "Safari", NOW)
    assert await sessions.end(session.id)
    await connection.ask_many([("HSET", SESSIONS, f"seen:{token_digest(token)}", str(NOW + 1))])
    assert await sessions.find(token, people.known, NOW + 2) is None
    assert await sessions.find(kept, people.known, NOW + 2) is not None
    assert not await sessions.end(session.id)


async def test_the_list_says_who_where_and_since_when_and_no_token_is_kept(
    sessions: Sessions, people: People, ada: TeamMember, connection: Connection
) -> None:
    first, _ = await sessions.begin(ada, "Firefox \u202e" + "x" * 400, NOW)
    second, _ = await sessions.begin(ada, "Safari", NOW + 5)
    listed = await sessions.listed(people.known, NOW + 10)
    assert [(each.session.browser[:7], each.seen) for each in listed] == [("Safari", NOW + 5), ("Firefox", NOW)]
    assert len(listed[1].session.browser) <= 160
    assert "\u202e" not in listed[1].session.browser
    stored = await connection.client.hgetall(SESSIONS)
    kept = repr(stored)
    assert first not in kept
    assert second not in kept


async def test_a_sign_in_clears_away_what_is_over(sessions: Sessions, ada: TeamMember, connection: Connection) -> None:
    await sessions.begin(ada, "Firefox", NOW)
    await sessions.claim("a form", NOW)
    await sessions.begin(ada, "Firefox", NOW + LONGEST_SESSION_SECONDS + 1)
    assert len(await connection.client.hgetall(SESSIONS)) == 2


@pytest.mark.parametrize("token", ["", "x", "é", "x" * 5_000, "seen:", "*"])
async def test_what_is_no_token_finds_nothing(sessions: Sessions, people: People, token: str) -> None:
    assert await sessions.find(token, people.known, NOW) is None


async def test_a_form_is_claimed_once_and_says_where_it_led(sessions: Sessions) -> None:
    assert await sessions.claim("a form", NOW) is None
    assert await sessions.claim("a form", NOW) == ""
    await sessions.answered("a form", "/dashboard/experiments/hero", NOW)
    assert await sessions.claim("a form", NOW) == "/dashboard/experiments/hero"
    assert await sessions.claim("another form", NOW) is None
    await sessions.forget("a form")
    assert await sessions.claim("a form", NOW) is None


async def test_answers_to_forms_are_kept_for_minutes_and_do_not_pile_up(
    sessions: Sessions, people: People, ada: TeamMember, connection: Connection
) -> None:
    token, _ = await sessions.begin(ada, "Firefox", NOW)
    for number in range(MANY):
        await sessions.claim(f"form {number}", NOW)
    assert await sessions.claim("form 7", NOW + 1) == ""
    await sessions.claim("a later form", NOW + ANSWER_KEPT_SECONDS + 1)
    assert len(await connection.client.hgetall(SESSIONS)) == 3
    assert await sessions.find(token, people.known, NOW) is not None


async def test_a_store_that_is_away_is_said_to_be(sessions: Sessions, people: People, tmp_path: Path) -> None:
    nowhere = await connect(None, tmp_path / "no.sock", data=tmp_path)
    away = Sessions(nowhere)
    with pytest.raises(StoreUnavailable):
        await away.find("x" * 43, people.known, NOW)
    await nowhere.close()


async def test_a_form_is_of_one_session_and_of_one_name() -> None:
    token = form_token("session", "name")
    assert is_form_token("session", token)
    for given in (form_token("other", "name"), token[:-1], "name", "", ".", "other" + token[4:], token + "é", "\ud800"):
        assert not is_form_token("session", given), given
