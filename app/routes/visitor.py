"""Whom a request of a page is about that names no visitor, and `POST /v1/visitor`, which sets the cookie."""

from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, Final

import msgspec

from app.http.admission import admit
from app.http.body import decode, told_id
from app.http.errors import Headers, Problem
from app.http.exchange import NEVER_STORED, Exchange, HttpAnswer
from app.identity.consent import PARAMETER
from app.identity.recognition import Recognised
from app.worker.resources import Resources
from events.consent import Consent
from kit.time import DAY_US, iso, moment_of


class VisitorBody(msgspec.Struct, frozen=True):
    """The request body; null is the same as absent."""

    visitor_id: Any = None
    # the day (UTC) on which the browser first held this id, as in 2026-01-20
    since: Annotated[str, msgspec.Meta(extra_json_schema={"format": "date"})] | None = None
    consent: Any = None  # its words are checked where those of headers and cookies are


DECODER: Final = msgspec.json.Decoder(VisitorBody)


@dataclass(frozen=True, slots=True)
class Asking:
    """Whom an answer is for. `told` are the members that say which id was left out, and who the visitor is to whoever
    named none, with a comma before each, `headers` what the browser is told; of one that `is_new` nothing is known yet.
    `consent` is the mode that holds.
    """

    visitor_id: str | None
    is_new: bool = False
    told: bytes = b""
    headers: Headers = field(default_factory=list[tuple[bytes, bytes]])
    consent: Consent = Consent.PERSONAL


def asking(exchange: Exchange, resources: Resources, named: str | None, mode: Consent, repaired: bytes = b"") -> Asking:
    """The visitor of a request that names this one, or none: then it is the cookie's, else a new one.

    `repaired` is told beside it.
    """
    if named is not None and mode is not Consent.NONE:
        return Asking(named, told=repaired, consent=mode)
    found = recognised(exchange, resources, named, mode)
    if found.visitor_id is None:
        return Asking(None, told=repaired, consent=mode)
    told = repaired + b',"visitor_id":' + msgspec.json.encode(found.visitor_id)
    return Asking(found.visitor_id, found.is_new, told, found.headers, mode)


def recognised(
    exchange: Exchange, resources: Resources, named: str | None, mode: Consent, since: int | None = None
) -> Recognised:
    """By the cookie too, where the page may use it."""
    place = resources.cookie_place(exchange)
    return resources.recognition.recognise(mode, named, exchange.headers.get(b"cookie"), place, since)


def know_visitor(exchange: Exchange, resources: Resources, raw: bytes) -> HttpAnswer:
    """`POST /v1/visitor`: an id for a browser, or the one that it kept, in the cookie."""
    admit(exchange, resources.access, (PARAMETER,))
    body = decode(raw, DECODER)
    named = told_id(body.visitor_id, "visitor_id")
    since = None if body.since is None else day_told(body.since)
    mode = resources.consent_of(exchange, body.consent)
    found = recognised(exchange, resources, named, mode, since if named is not None else None)
    expires = None if found.ends is None else iso(moment_of(found.ends * DAY_US))
    answer = msgspec.json.encode({"visitor_id": found.visitor_id, "expires": expires})
    return HttpAnswer(200, answer, headers=[*found.headers, NEVER_STORED])


def day_told(text: str) -> int:
    """A day as a number from 1970. Raises Problem 400."""
    try:
        return (date.fromisoformat(text) - date(1970, 1, 1)).days
    except ValueError:
        raise Problem(400, "invalid_time", "since: it must be a day such as 2026-01-20") from None
