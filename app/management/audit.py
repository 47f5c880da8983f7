"""Which keys there are, who did what, and what every route that steers calls before it does: `auditing` and `note`."""

import asyncio
import csv
import io
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from app.http.body import decode
from app.http.errors import Problem, retry_later
from app.http.exchange import Exchange
from app.keys.audit import LONGEST_REASON, Actor, AuditLine, AuditUnusable, Wanted, line_of
from app.keys.scopes import SCOPES
from app.keys.uses import read_uses
from app.management.openapi import json_body
from app.routes.dependencies import Secret, Worker
from app.worker.resources import Resources
from events.deletes.tombstones import PersonKind, exact_digest
from kit.values import spreadsheet_text

router = APIRouter(tags=["Operations"])

NEVER_STORED: Final = {"cache-control": "no-store"}
COLUMNS: Final = AuditLine.__struct_fields__
RETRY_SECONDS: Final = 2
REASON_HEADER: Final = b"x-resonate-reason"


class WhyBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why somebody steers, for whoever reads the audit."""

    reason: str | None = None


WHY_DECODER: Final = msgspec.json.Decoder(WhyBody)
REASON: Final[dict[str, Any]] = {"type": "string", "maxLength": LONGEST_REASON, "description": "For the audit."}
WHY: Final = json_body(
    {"type": "object", "properties": {"reason": REASON}, "additionalProperties": False},
    {"reason": "checkout is broken on phones"},
)
WHY["requestBody"]["required"] = False


async def why(request: Request) -> str | None:
    """The reason that a request gives, by which the body of its route may be empty. Raises Problem 400."""
    body = await request.body()
    return decode(body, WHY_DECODER).reason if body else None


Why = Annotated[str | None, Depends(why)]


class Act(NamedTuple):
    """What a request does: the act, whom or what to, and what was before and is after it."""

    name: str
    subject: str
    before: Any = None
    after: Any = None
    reason: str | None = None


def subject_of(kind: PersonKind, identifier: str) -> str:
    """Whom an act is about, by the digest that the erasure journal has too."""
    return f"{kind}:{exact_digest(identifier)}"


def line_for(asked: Exchange, act: Act) -> AuditLine:
    """The line of an act of this request; `X-Resonate-Reason` stands in for its reason. Raises Problem 400."""
    reason = act.reason or asked.headers.get(REASON_HEADER, b"").decode("utf-8", "replace") or None
    if reason is not None and len(reason) > LONGEST_REASON:
        raise Problem(400, "invalid_reason", f"reason: it may have {LONGEST_REASON} characters")
    actor = Actor("person", asked.person) if asked.person else Actor("key", asked.grant.name if asked.grant else "")
    return line_of(actor, act.name, act.subject, (act.before, act.after), reason, asked.request_id.decode())


async def note(asked: Exchange, worker: Resources, act: Act) -> None:
    """Keeps the line of an act that is about to be done, or answered. Raises Problem 503: then it must not be."""
    await _kept(worker, line_for(asked, act))


@asynccontextmanager
async def auditing(asked: Exchange, worker: Resources, act: Act) -> AsyncGenerator[None]:
    """What happens inside is in the audit before it begins, and once more with why where it came to nothing.

    Raises Problem 503 with nothing done.
    """
    line = line_for(asked, act)
    await _kept(worker, line)
    try:
        yield
    except Exception as error:
        failed = error.code if isinstance(error, Problem) else type(error).__name__
        await asyncio.to_thread(worker.audit.follow, msgspec.structs.replace(line, failed=failed))
        raise


def unkept(error: AuditUnusable) -> Problem:
    """503: an act is not done, because nobody could learn of it."""
    return retry_later(503, "audit_not_kept", str(error), RETRY_SECONDS)


async def _kept(worker: Resources, line: AuditLine) -> None:
    try:
        await asyncio.to_thread(worker.audit.write, line)
    except AuditUnusable as error:
        worker.telemetry.went_wrong("audit_not_kept")
        raise unkept(error) from None


KEY: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["name", "class", "scopes"],
    "properties": {
        "name": {"type": "string"},
        "class": {"enum": ["publishable", "secret"]},
        "scopes": {"type": "array", "items": {"enum": list(SCOPES)}},
        "site": {"type": "string"},
        "expires": {"type": "string", "format": "date-time"},
        "last_used": {
            "type": "object",
            "description": "The minute, and a number of the network that tells the networks of one shop day apart.",
            "properties": {
                "minute": {"type": "string", "format": "date-time"},
                "network": {"type": ["string", "null"]},
            },
        },
    },
}
LISTED: Final[dict[str, Any]] = {
    "type": "object", "required": ["keys"], "properties": {"keys": {"type": "array", "items": KEY}},
}  # fmt: skip
TOLD: Final[dict[int | str, Any]] = {
    200: {"description": "All of them.", "content": {"application/json": {"schema": LISTED}}}
}


@router.get("/v1/keys", summary="All keys: name, class, scopes, expiry, last use; never a key", responses=TOLD)
async def all_keys(_: Secret, worker: Worker) -> Response:
    uses = await asyncio.to_thread(read_uses, worker.settings.data)
    listed = [
        grant.told | ({"last_used": uses[grant.name].told} if grant.name in uses else {})
        for grant in worker.access.keys.grants
    ]
    return Response(msgspec.json.encode({"keys": listed}), headers=NEVER_STORED, media_type="application/json")


CURSOR: Final = "^[0-9]{4}-[0-9]{2}:[0-9]{1,15}$"
OF_THIS: Final = "Of this alone: an experiment, a key, `visitor:v-1`."
LINES: Final[dict[int | str, Any]] = {
    200: {
        "description": "Lines, the oldest first, and `next`, the cursor behind them; in CSV it is a header.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["lines", "next"],
                    "properties": {
                        "lines": {"type": "array", "items": {"type": "object"}},
                        "next": {"type": "string"},
                    },
                }
            },
            "text/csv": {},
        },
    }
}


@router.get("/v1/audit", summary="Who steered what, when and why, line by line", responses=LINES)
async def audit(
    _: Secret,
    worker: Worker,
    cursor: Annotated[str | None, Query(pattern=CURSOR, description="`next` of the page before.")] = None,
    subject: Annotated[str | None, Query(min_length=1, max_length=1_030, description=OF_THIS)] = None,
    actor: Annotated[str | None, Query(min_length=1, max_length=100, description="By this name alone.")] = None,
    form: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> Response:
    try:
        lines, behind = await asyncio.to_thread(worker.audit.page, cursor, limit, wanted_of(subject, actor))
    except ValueError as error:
        raise Problem(400, "invalid_cursor", f"cursor: {error}") from None
    if form == "json":
        body = msgspec.json.encode({"lines": lines, "next": behind})
        return Response(body, headers=NEVER_STORED, media_type="application/json")
    return Response(as_csv(lines), headers=NEVER_STORED | {"x-resonate-next-cursor": behind}, media_type="text/csv")


def wanted_of(subject: str | None, actor: str | None) -> Wanted:
    """Lines of a subject, a person by the id too, and by the name of an actor; None asks for any."""
    if subject is None:
        return Wanted(actor=actor)
    kind, _separator, identifier = subject.partition(":")
    digests = [subject_of(each, identifier) for each in ("visitor", "user") if each == kind and identifier]
    return Wanted(frozenset([subject, *digests]), actor)


def as_csv(lines: list[AuditLine]) -> str:
    """A row per line; what is no text is JSON, and nothing begins like a formula of a spreadsheet."""
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerow(["at", "id", "actor_kind", "actor", *COLUMNS[3:]])
    for line in lines:
        values = (line.at, line.id, line.actor.kind, line.actor.name, *(getattr(line, name) for name in COLUMNS[3:]))
        table.writerow([_cell(value) for value in values])
    return written.getvalue()


def _cell(value: Any) -> str:
    text = "" if value is None else value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return spreadsheet_text(text)
