"""Where one signs in, by a link that holds once, and out again."""

import asyncio
import secrets
import time
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.dashboard.forms import PageRoute, check_page, form_fields, posted
from app.dashboard.rendering import PAGE_HEADERS, page
from app.dashboard.signed_in import Door, SignedIn, door_of, known_people, session_at, store_away
from app.http.admission import admit_stranger
from app.http.errors import retry_later
from app.keys.audit import Actor, AuditUnusable, line_of
from app.limits.budgets import ONE_TRY
from app.management.audit import unkept
from app.people.file import LinkUsed, People, PeopleUnreadable, SignIn
from app.people.links import UNSAFE, SessionCookie
from app.people.member import PeopleRefused, TeamMember
from app.people.sessions import LONGEST_SESSION_SECONDS, Session
from app.routes.dependencies import Asked, Worker
from app.worker.resources import Resources
from events.store.availability import StoreUnavailable
from kit.time import now_seconds

router = APIRouter(include_in_schema=False, route_class=PageRoute)

TEMPLATE: Final = "sign_in.html"
SAID: Final = {
    "ended": "Your session has ended. Sessions end 12 hours after they were used last, 30 days after they began, and"
    " when an admin ends them or gives you another role.",
    "out": "You are signed out.",
}
TOO_MANY: Final = "too many attempts to sign in from this address; {} a minute may be made, try again in {} s"
LONGEST_TOKEN: Final = 100


@router.get("/dashboard/sign-in")
async def sign_in_page(request: Request, asked: Asked, worker: Worker, token: str = "", said: str = "") -> HTMLResponse:
    """The button of a link, which uses nothing up: what looks at links in e-mails must not sign in by them."""
    admit_stranger(asked, worker.access)
    door = door_of(request)
    if door.cookie is None:
        return page(request, None, TEMPLATE, 403, state="unsafe", message=UNSAFE)
    if token:
        return _button(request, worker, token[:LONGEST_TOKEN])
    found = await session_at(door, worker)
    message = SAID.get(said, "") if found is None else f"You are signed in as {found.member.email}."
    return page(request, None, TEMPLATE, state="in" if found else "out", message=message)


@router.post("/dashboard/sign-in")
async def sign_in(request: Request, asked: Asked, worker: Worker) -> Response:
    """Uses a link up, and begins a session. A link that holds no more, or never did, is answered in one wording."""
    admit_stranger(asked, worker.access)
    door = door_of(request)
    if door.cookie is None:
        return page(request, None, TEMPLATE, 403, state="unsafe", message=UNSAFE)
    check_page(request, door)
    now = time.monotonic()
    network, per_minute = (
        worker.access.networks.of(asked.scope, asked.headers, now),
        worker.settings.sign_ins_per_minute,
    )
    tries = worker.access.budgets.tries(network, per_minute)
    spent = tries.spent(now)
    if spent is not None:
        wait = spent.wait_seconds
        raise retry_later(429, "too_many_sign_ins", TOO_MANY.format(per_minute, wait), wait)
    tries.charge(now, ONE_TRY)
    fields = await form_fields(request)
    asks = SignIn(fields.get("token", ""), fields.get("form", ""), fields.get("email", ""), asked.request_id.decode())
    browser = asked.headers.get(b"user-agent", b"").decode("latin-1")
    try:
        held = await _entered(worker, asks, browser)
    except LinkUsed:
        return page(request, None, TEMPLATE, 403, state="used", message="")
    except PeopleRefused as refused:
        return _button(request, worker, asks.token, str(refused), 400)
    return _let_in(door, door.cookie, held)


@router.post("/dashboard/sign-out")
async def sign_out(request: Request, signed: SignedIn, asked: Asked, worker: Worker) -> Response:
    """Ends this session. It waits for no audit: the line follows where it cannot be written now."""
    await posted(request, signed)
    door = door_of(request)
    try:
        await worker.sessions.end(signed.session)
    except StoreUnavailable as away:
        raise store_away(away) from None
    line = line_of(
        Actor("person", signed.email), "sign_out", f"person:{signed.email}", ({"session": signed.session}, None), None,
        asked.request_id.decode(),
    )  # fmt: skip
    await asyncio.to_thread(worker.audit.follow, line)
    response = RedirectResponse(f"{door.root}/dashboard/sign-in?said=out", 303, PAGE_HEADERS)
    if door.cookie is not None:
        response.headers["set-cookie"] = door.cookie.set("", 0)
    return response


async def _entered(worker: Resources, asks: SignIn, browser: str) -> str:
    """The token of a session, which begins before the link is used up: a store that is away costs nobody a link.

    Raises LinkUsed, PeopleRefused, Problem 503.
    """
    people, now = worker.people, now_seconds()
    known_people(worker)
    member = people.whose(asks, now)
    try:
        token, session = await worker.sessions.begin(member, browser, now)
    except StoreUnavailable as away:
        raise store_away(away) from None
    try:
        former = await asyncio.to_thread(_used_up, people, asks, member, session, now)
    except BaseException:
        await _end(worker, session.id)
        raise
    if former is not None:
        await _end(worker, former)
    return token


def _used_up(people: People, asks: SignIn, member: TeamMember, session: Session, now: float) -> str | None:
    """Raises LinkUsed, Problem 503."""
    try:
        return people.enter(asks, member, session.id, now)
    except AuditUnusable as error:
        raise unkept(error) from None
    except PeopleUnreadable as error:
        raise retry_later(503, "people_unreadable", str(error), 60) from None
    except OSError as error:
        raise retry_later(503, "people_not_kept", f"who may sign in cannot be kept: {error.strerror}", 5) from None


async def _end(worker: Resources, session: str) -> None:
    try:
        await worker.sessions.end(session)
    except StoreUnavailable as away:
        raise store_away(away) from None


def _button(request: Request, worker: Resources, token: str, message: str = "", status: int = 200) -> HTMLResponse:
    """Asks whoever opened a link to press a button; the first of all also for their e-mail address."""
    first = not known_people(worker).people
    form = secrets.token_urlsafe(16)
    return page(request, None, TEMPLATE, status, state="button", message=message, token=token, first=first, form=form)


def _let_in(door: Door, cookie: SessionCookie, token: str) -> Response:
    headers = {**PAGE_HEADERS, "set-cookie": cookie.set(token, LONGEST_SESSION_SECONDS)}
    return RedirectResponse(f"{door.root}/dashboard", 303, headers)
