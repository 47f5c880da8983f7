"""Who is signed in: sessions in the store, by the digests of what browsers hold, and forms that were answered.

A session ends 12 hours after it was used last, 30 days after it began, when it is ended, and when its person is removed
or given another role: then the file of people does not know its generation any more, whatever the store does.
"""

import hmac
import logging
import secrets
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec

from app.people.member import PeopleList, TeamMember, new_token, token_digest
from events.store.availability import StoreUnavailable
from events.store.connection import Connection
from events.store.keys import SESSIONS
from kit.time import DAY_SECONDS

logger = logging.getLogger(__name__)

IDLE_SESSION_SECONDS: Final = 12 * 3_600
LONGEST_SESSION_SECONDS: Final = 30 * DAY_SECONDS
NOTED_SECONDS: Final = 60  # a use is noted no more often
ANSWER_KEPT_SECONDS: Final = 600
MANY: Final = 1_000  # of all that is kept: what is over goes with the next form, not only with the next sign-in
LONGEST_TOKEN: Final = 64
LONGEST_BROWSER: Final = 160
SEEN: Final = "seen:"
POST: Final = "post:"


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A browser in which somebody is signed in, since `began` (epoch seconds). `id` may be shown: it opens nothing."""

    id: str
    person: str
    generation: str
    began: float
    browser: str


class SignedInSession(NamedTuple):
    """A session that holds, whose it is, and when it was used last (epoch seconds)."""

    session: Session
    member: TeamMember
    seen: float


class Sessions:
    """The sessions of the people of one data directory. Every method raises StoreUnavailable."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def begin(self, person: TeamMember, browser: str, now: float) -> tuple[str, Session]:
        """A new session, and the token that a browser is to hold; what is over goes."""
        token, session = new_token(), Session(
            id=secrets.token_hex(8), person=person.id, generation=person.generation, began=now,
            browser="".join(letter for letter in browser if letter.isprintable())[:LONGEST_BROWSER],
        )  # fmt: skip
        await self._drop_over(now)
        digest = token_digest(token)
        written = [(digest, msgspec.json.encode(session).decode()), (f"{SEEN}{digest}", f"{now:.3f}")]
        await self._connection.ask_many([("HSET", SESSIONS, *pair) for pair in written])
        return token, session

    async def find(self, token: str, people: PeopleList, now: float) -> SignedInSession | None:
        """The session whose token a browser holds; that it was used is noted. None for one that does not hold."""
        if not token or len(token) > LONGEST_TOKEN or not token.isascii():
            return None
        digest = token_digest(token)
        [told] = await self._connection.ask_many([("HMGET", SESSIONS, digest, f"{SEEN}{digest}")])
        found = _holding(told[0], told[1], people, now)
        if found is not None and now - found.seen > NOTED_SECONDS:
            try:
                await self._connection.ask_many([("HSET", SESSIONS, f"{SEEN}{digest}", f"{now:.3f}")])
            except StoreUnavailable as full:  # it can still be read: nobody is turned away for that
                logger.info("the use of a session is not noted: %s", full.cause)
        return found

    async def listed(self, people: PeopleList, now: float) -> Sequence[SignedInSession]:
        """All that hold, the one that was used last first."""
        kept = await self._all()
        found = [
            _holding(value, kept.get(SEEN.encode() + name), people, now)
            for name, value in kept.items()
            if not name.startswith((SEEN.encode(), POST.encode()))
        ]
        return sorted([each for each in found if each is not None], key=lambda each: -each.seen)

    async def end(self, identifier: str) -> bool:
        """Ends the session with this id, in every worker at once; whether there was one."""
        for name, value in (await self._all()).items():
            session = None if name.startswith((SEEN.encode(), POST.encode())) else _session(value)
            if session is not None and hmac.compare_digest(session.id.encode(), identifier.encode()):
                await self._connection.ask_many([("HDEL", SESSIONS, name.decode(), f"{SEEN}{name.decode()}")])
                return True
        return False

    async def claim(self, form: str, now: float) -> str | None:
        """None for who sends a form first, and is to say by `answered` where that led; else where it led, if known."""
        field = f"{POST}{form}"
        first, kept, many = await self._connection.ask_many(
            [("HSETNX", SESSIONS, field, f"{now:.3f} "), ("HGET", SESSIONS, field), ("HLEN", SESSIONS)]
        )
        if many > MANY:
            await self._drop_over(now)
        return None if first else kept.decode().partition(" ")[2]

    async def answered(self, form: str, place: str, now: float) -> None:
        """Notes where the answer to a form led; whoever sends the same again is led there."""
        await self._connection.ask_many([("HSET", SESSIONS, f"{POST}{form}", f"{now:.3f} {place}")])

    async def forget(self, form: str) -> None:
        """What a form asked for was not done: it may be sent again."""
        await self._connection.ask_many([("HDEL", SESSIONS, f"{POST}{form}")])

    async def _drop_over(self, now: float) -> None:
        over = [name.decode() for name, value in (await self._all()).items() if _is_over(name, value, now)]
        if over:
            await self._connection.ask_many([("HDEL", SESSIONS, *over)])

    async def _all(self) -> Mapping[bytes, bytes]:
        [told] = await self._connection.ask_many([("HGETALL", SESSIONS)])
        return told


def form_token(session_token: str, name: str) -> str:
    """What a form must send that a session rendered: `name` is the form's own, the rest nobody else can make."""
    mark = hmac.new(session_token.encode(), name.encode(), sha256).hexdigest()
    return f"{name}.{mark}"


def is_form_token(session_token: str, given: str) -> bool:
    """Whether this session rendered it."""
    name, _, _ = given.partition(".")
    return given.isascii() and hmac.compare_digest(form_token(session_token, name), given)


def _session(value: bytes) -> Session | None:
    try:
        return msgspec.json.decode(value, type=Session)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _seconds(value: bytes | None) -> float:
    try:
        return float((value or b"0").partition(b" ")[0])
    except ValueError:
        return 0.0


def _holding(value: bytes | None, seen: bytes | None, people: PeopleList, now: float) -> SignedInSession | None:
    session = None if value is None else _session(value)
    person = None if session is None else people.by_id(session.person)
    if session is None or person is None or person.generation != session.generation:
        return None
    last = _seconds(seen)
    holds = now < last + IDLE_SESSION_SECONDS and now < session.began + LONGEST_SESSION_SECONDS
    return SignedInSession(session, person, last) if holds else None


def _is_over(name: bytes, value: bytes, now: float) -> bool:
    """Whether what stands under a name may go: a use or an answer that is old, a session that began long ago."""
    if name.startswith(POST.encode()):
        return now > _seconds(value) + ANSWER_KEPT_SECONDS
    if name.startswith(SEEN.encode()):
        return now > _seconds(value) + LONGEST_SESSION_SECONDS
    session: Any = _session(value)
    return session is None or now > session.began + LONGEST_SESSION_SECONDS
