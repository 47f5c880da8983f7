"""Who is signed in, as a dependency of every page: what they may do, and the token of their forms."""

import contextlib
import secrets
import time
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import Depends, Request

from app.http.admission import admit_stranger, used_up
from app.http.cold import EXCHANGE
from app.http.errors import Problem, retry_later
from app.http.exchange import Exchange
from app.keys.scopes import ROLES, PersonScope
from app.people.file import PeopleUnreadable
from app.people.links import SIGN_IN, SessionCookie, session_cookie
from app.people.member import PeopleList, token_digest
from app.people.sessions import SignedInSession, form_token
from app.routes.dependencies import exchange_of, resources_of
from app.worker.resources import Resources
from events.store.availability import StoreUnavailable
from kit.time import now_seconds

STORE_AWAY: Final = (
    "who is signed in cannot be looked up now, because the store of the service does not answer ({}). Visitors of the"
    " shop are served all the same; try again in a moment, and look at /readyz"
)


@dataclass(frozen=True, slots=True)
class Signed:
    """A person with a session. `form_token` stands in each of their forms, in the field `form_token`, and is bound to
    the session, whose `session` is a name that opens nothing.
    """

    email: str
    role: str
    scopes: frozenset[PersonScope]
    form_token: str
    session: str = ""

    def may(self, scope: PersonScope) -> bool:
        """Whether their role has this scope."""
        return scope in self.scopes


@dataclass(frozen=True, slots=True)
class Door:
    """Where a browser stands: the address of the service as it sees it, and its cookie; None where none is safe."""

    url: str
    cookie: SessionCookie | None
    token: str  # that the browser holds

    @property
    def root(self) -> str:
        """What paths of this service begin with."""
        return urlsplit(self.url).path


def door_of(request: Request) -> Door:
    """Where the browser of a request stands. Raises Problem 400 for a request without a usable `Host`."""
    exchange: Exchange = request.scope["state"][EXCHANGE]
    url = resources_of(request).addresses.of(exchange.scope, exchange.headers).url
    cookie = session_cookie(url)
    return Door(url, cookie, "" if cookie is None else cookie.read(exchange.headers.get(b"cookie", b"")))


async def session_at(door: Door, worker: Resources) -> SignedInSession | None:
    """The session that a browser holds, if it still does. Raises Problem 503 where nobody can tell."""
    people = known_people(worker)
    if not door.token:
        return None
    try:
        return await worker.sessions.find(door.token, people, now_seconds())
    except StoreUnavailable as away:
        raise store_away(away) from None


def known_people(worker: Resources) -> PeopleList:
    """All of them. Raises Problem 503 where their file is damaged: then nobody is let in."""
    try:
        return worker.people.known
    except PeopleUnreadable as error:
        raise retry_later(503, "people_unreadable", str(error), 60) from None


def store_away(away: StoreUnavailable) -> Problem:
    """503: sessions are in the store."""
    return retry_later(503, "sessions_unavailable", STORE_AWAY.format(away.cause), away.retry_after_seconds)


async def signed_in(request: Request) -> Signed:
    """Who asks for a page. Raises Problem 403 where their role may not see it, and leads who has no session to the page
    where one signs in.
    """
    exchange, worker, door = exchange_of(request), resources_of(request), door_of(request)
    found = await session_at(door, worker)
    if found is None:
        admit_stranger(exchange, worker.access)
        raise to_sign_in(door, "ended" if door.token else "")
    tab = worker.access.budgets.tab(bytes.fromhex(token_digest(door.token)), "", secret=True)
    spent = tab.spent(time.monotonic())
    if spent is not None:
        raise used_up(exchange, spent[1], "this session")
    member, needs = found.member, exchange.needs
    exchange.tab, exchange.person = tab, member.email
    signed = request.state.signed = _signed(door, found)  # a refusal, too, is a page that leads on
    if needs not in member.scopes:
        able = ", ".join(role for role, scopes in ROLES.items() if needs in scopes)
        told = f"{member.email} is signed in as {member.role}, who may not do this ({needs}); it takes: {able}"
        raise Problem(403, "role_may_not", told)
    return signed


async def note_who_asks(request: Request) -> None:
    """Notes who asks for what is no page, where somebody is signed in: a stranger is told of no experiment."""
    with contextlib.suppress(Problem):
        door = door_of(request)
        found = await session_at(door, resources_of(request))
        if found is not None:
            request.state.signed = _signed(door, found)


def _signed(door: Door, found: SignedInSession) -> Signed:
    member, form = found.member, form_token(door.token, secrets.token_urlsafe(12))
    return Signed(member.email, member.role, member.scopes, form, found.session.id)


def to_sign_in(door: Door, said: str) -> Problem:
    """303: leads to the page where one signs in, which says why."""
    place = f"{door.root}{SIGN_IN}{f'?said={said}' if said else ''}"
    headers = {"Location": place, "Cache-Control": "no-store"}
    if said and door.cookie is not None:
        headers["Set-Cookie"] = door.cookie.set("", 0)
    return Problem(303, "sign_in", "sign in first", headers=headers)


SignedIn = Annotated[Signed, Depends(signed_in)]
