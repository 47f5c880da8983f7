"""What a form sends: read once, from a page of our own, by who is signed in, and done once however often it is sent."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi import Request, Response
from fastapi.routing import APIRoute

from app.dashboard.rendering import PAGE_HEADERS
from app.dashboard.signed_in import Door, Signed, door_of, session_at, to_sign_in
from app.http.body import MAX_BODY
from app.http.errors import Problem
from app.people.links import origin_of
from app.people.sessions import is_form_token
from app.routes.dependencies import exchange_of, resources_of
from events.store.availability import StoreUnavailable
from kit.time import now_seconds

logger = logging.getLogger(__name__)

FORM_TOKEN: Final = "form_token"
MOST_FIELDS: Final = 200
FORM_TYPE: Final = "application/x-www-form-urlencoded"
FOREIGN: Final = (
    "a form is taken from a page of this service alone, at {}, and this one comes from {}; nothing was done. Open the"
    " page there and send it again"
)
NOT_THIS_SESSION: Final = (
    "this form was made for another session, perhaps before you signed in anew; nothing was done. Open the page again"
)
UNDER_WAY: Final = "what this form asks for is still under way, since it was sent before; look at the page again"
WAIT_SECONDS: Final = 0.1
MOST_WAITS: Final = 50


async def posted(request: Request, signed: Signed) -> Mapping[str, str]:
    """The fields of a form, whose route is a `PageRoute`. Raises Problem as `sent` does, and leads to its result who
    sent the same before.
    """
    fields = await sent(request)
    said = "\n".join((signed.session, request.url.path, (await request.body()).decode("latin-1")))
    await _claim(request, sha256(said.encode()).hexdigest())
    return fields


async def sent(request: Request) -> Mapping[str, str]:
    """The fields of a form that may be sent again and again, because it changes nothing.

    Raises Problem 403 where it is not one of our pages that sends it, or not this session's, 413 where it is too large,
    and leads to the page where one signs in whose session has ended meanwhile.
    """
    door = door_of(request)
    check_page(request, door)
    fields = await form_fields(request)
    if not is_form_token(door.token, fields.pop(FORM_TOKEN, "")):
        raise Problem(403, "form_of_another_session", NOT_THIS_SESSION)
    if await session_at(door, resources_of(request)) is None:  # it may have ended while the form was arriving
        raise to_sign_in(door, "ended")
    return fields


def check_page(request: Request, door: Door) -> None:
    """Raises Problem 403 where another page than one of our own sends a form, or where that cannot be told."""
    headers = exchange_of(request).headers
    own, sent = origin_of(door.url), headers.get(b"origin")
    origin = origin_of((headers.get(b"referer", b"") if sent is None else sent).decode("latin-1"))
    if not own or origin != own:
        raise Problem(403, "foreign_form", FOREIGN.format(own or door.url, origin or "no address that it tells"))


async def form_fields(request: Request) -> dict[str, str]:
    """What stands in a form, the last where a field comes twice. Raises Problem 400, 413 or 415."""
    kind = exchange_of(request).headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind != FORM_TYPE.encode():
        raise Problem(415, "form_expected", f"this address takes what a form sends, {FORM_TYPE}")
    body = await request.body()
    if len(body) > MAX_BODY:
        raise Problem(413, "form_too_large", f"a form may send {MAX_BODY:,} bytes, this one has {len(body):,}")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        told = f"what was sent is no form: it is not UTF-8, or it has more than {MOST_FIELDS} fields"
        raise Problem(400, "unreadable_form", told) from None
    return dict(pairs)


class PageRoute(APIRoute):
    """A route of pages: each answer has the headers of pages, and where a form led is noted, which is done once."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with what it says of the form that it took."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                response = await handle(request)
            except BaseException:
                await _settle(request, None)
                raise
            for name, value in PAGE_HEADERS.items():
                response.headers.setdefault(name, value)
            done = response.status_code < 400
            await _settle(request, response.headers.get("location", _page_of(request)) if done else None)
            return response

        return handled


async def _claim(request: Request, form: str) -> None:
    """Notes that a form is being answered. Raises Problem 303 or 409 where it was sent before.

    A store that has no room for the note must not keep anybody from stopping an experiment: then nothing is noted.
    """
    sessions = resources_of(request).sessions
    try:
        place = await sessions.claim(form, now_seconds())
        for _ in range(MOST_WAITS):
            if place != "":
                break
            await asyncio.sleep(WAIT_SECONDS)
            place = await sessions.claim(form, now_seconds())
    except StoreUnavailable as unavailable:
        logger.warning("a form is answered without a note of it: %s", unavailable.cause)
        return
    if place is None:
        request.state.form = form
        return
    if place == "":
        raise Problem(409, "form_under_way", UNDER_WAY)
    raise Problem(303, "form_sent_before", "this form was sent before", headers={"Location": place})


async def _settle(request: Request, place: str | None) -> None:
    """Notes where a form led, or that it may be sent again; a store that is away leaves it for an hour."""
    form: str | None = getattr(request.state, "form", None)
    if form is None:
        return
    sessions = resources_of(request).sessions
    try:
        if place is None:
            await sessions.forget(form)
        else:
            await sessions.answered(form, place, now_seconds())
    except StoreUnavailable as unavailable:
        logger.warning("where a form led is not noted: %s", unavailable.cause)


def _page_of(request: Request) -> str:
    """The page that a form most likely stands on: the address above that of its route."""
    return f"{door_of(request).root}{request.url.path.rpartition('/')[0]}"
