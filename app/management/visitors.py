"""What is held about one visitor or user, and its erasure; who is logged in on a visitor."""

import asyncio
import json
from collections.abc import Awaitable, Sequence
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from starlette.convertors import PathConvertor, register_url_convertor

from app.analysis.queries import ErasureQuery, PersonKind, PersonQuery
from app.http.body import decode, told_id
from app.http.errors import Problem, retry_later, unreadable
from app.http.exchange import Exchange
from app.management.audit import REASON, Act, auditing, note, subject_of
from app.management.openapi import TEXT, json_body
from app.routes.dependencies import Asked, Secret, Worker, analysis_response
from app.worker.resources import Resources
from events.authority import WORDS
from events.privacy.journal import ErasureJournal, JournalUnusable
from events.store.availability import StoreUnavailable

router = APIRouter(tags=["Visitors"])

MOST_LINES: Final = 10_000  # of the journal in one answer


class VisitorConvertor(PathConvertor):
    """An id with whatever in it, but the address of its log-in."""

    regex = "(?!.*/proof$).*"


register_url_convertor("visitor", VisitorConvertor())
ONLY: Final = "Which users are meant, where several were seen with the id."
Identifier = Annotated[
    str, Path(max_length=1024, description="The id, percent-encoded.", examples=["v-1"], json_schema_extra=TEXT)
]
DryRun = Annotated[bool, Query(description="Erase nothing: answer 200 with whom and how much it would take.")]
Only = Annotated[list[Annotated[str, Query(json_schema_extra=TEXT)]] | None, Query(description=ONLY)]


def _body(required: str, members: dict[str, Any], example: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "required": [required], "additionalProperties": False, "properties": members}
    return json_body(schema, example)


ERASED: Final = "Erase by an id in the body, so that it reaches no log on the way"
BODY: Final = _body(
    "id",
    {
        "id": TEXT,
        "only": {"type": "array", "items": TEXT, "description": ONLY},
        "reason": REASON,
    },
    {"id": "v-1"},
)
WHO: Final[dict[str, Any]] = {
    "visitors": {"type": "array", "items": {"type": "string"}},
    "users": {"type": "array", "items": {"type": "string"}},
    "joined_by": {
        "type": "array",
        "description": "Why they are one person: who is believed most of those who said so, and when first.",
        "items": {
            "type": "object",
            "required": ["visitor", "user", "authority", "at"],
            "properties": {
                "visitor": {"type": "string"},
                "user": {"type": "string"},
                "authority": {"enum": list(WORDS[1:])},
                "at": {"type": "string", "format": "date-time"},
            },
        },
    },
    "claims": {
        "type": "array",
        "description": "Ids that pages alone say are of this person, in how many events. They are not followed.",
        "items": {
            "type": "object",
            "required": ["id", "events"],
            "properties": {"id": {"type": "string"}, "events": {"type": "integer"}},
        },
    },
}
COUNT: Final[dict[str, Any]] = {"type": "integer", "description": "How many events are held."}
ROWS: Final[dict[str, Any]] = {"type": "array", "items": {"type": "object"}, "description": "As in the export."}


def _told(description: str, kind: str = "application/json", **members: Any) -> dict[str, Any]:
    schema = {"type": "object", "required": [*WHO, *members], "properties": {**WHO, **members}}
    return {"description": description, "content": {kind: {"schema": schema}}}


SEVERAL: Final = _told(
    "`several_people`: more than one user was seen with the id; `only` says which of them are meant.",
    "application/problem+json",
    events=COUNT,
    code={"type": "string"},
    detail={"type": "string"},
)
TOLD: Final[dict[int | str, Any]] = {200: _told("All that is held.", events=ROWS), 409: SEVERAL}
GONE: Final[dict[int | str, Any]] = {
    200: _told("Whom and how much the erasure would take, with `dry_run`.", events=COUNT),
    202: _told("Erased: no answer has it from now on."),
    409: SEVERAL,
}


@router.get("/v1/visitors/{identifier:visitor}", summary="Everything that is held about a visitor", responses=TOLD)
async def visitor(identifier: Identifier, _: Secret, asked: Asked, worker: Worker, only: Only = None) -> Response:
    return await _told_of(asked, worker, PersonQuery("visitor", _checked(identifier), _each_checked(only)))


@router.get("/v1/users/{identifier:path}", summary="Everything that is held about a user", responses=TOLD)
async def user(identifier: Identifier, _: Secret, asked: Asked, worker: Worker, only: Only = None) -> Response:
    return await _told_of(asked, worker, PersonQuery("user", _checked(identifier), _each_checked(only)))


@router.delete("/v1/visitors", summary=ERASED, status_code=202, openapi_extra=BODY, responses=GONE)
async def erase_visitor_of_body(
    request: Request, _: Secret, asked: Asked, worker: Worker, dry_run: DryRun = False
) -> Response:
    return await _erased(asked, worker, "visitor", _named(await request.body()), dry_run)


@router.delete("/v1/users", summary=ERASED, status_code=202, openapi_extra=BODY, responses=GONE)
async def erase_user_of_body(
    request: Request, _: Secret, asked: Asked, worker: Worker, dry_run: DryRun = False
) -> Response:
    return await _erased(asked, worker, "user", _named(await request.body()), dry_run)


@router.delete(
    "/v1/visitors/{identifier:visitor}",
    summary="Erase a visitor, its user and that user's visitors",
    status_code=202,
    responses=GONE,
)
async def erase_visitor(
    identifier: Identifier, _: Secret, asked: Asked, worker: Worker, dry_run: DryRun = False
) -> Response:
    return await _erased(asked, worker, "visitor", Named(identifier), dry_run)


@router.delete(
    "/v1/users/{identifier:path}", summary="Erase a user and the user's visitors", status_code=202, responses=GONE
)
async def erase_user(
    identifier: Identifier, _: Secret, asked: Asked, worker: Worker, dry_run: DryRun = False
) -> Response:
    return await _erased(asked, worker, "user", Named(identifier), dry_run)


@router.get(
    "/v1/erasures",
    summary="The erasure journal behind a sequence number, line by line",
    responses={200: {"content": {"application/x-ndjson": {}}, "description": "The lines, to be kept elsewhere."}},
)
async def erasures(
    _: Secret,
    worker: Worker,
    after: Annotated[int, Query(ge=0, description="The last sequence number that is kept already.")] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_LINES)] = MOST_LINES,
) -> Response:
    path = worker.settings.erasure_journal
    if path is None:
        raise Problem(
            404, "no_erasure_journal", "this service keeps no journal; RESONATE_ERASURE_JOURNAL names its file"
        )
    try:
        lines = await asyncio.to_thread(ErasureJournal(path).lines, after)
    except JournalUnusable as error:
        raise retry_later(503, "erasure_journal_unusable", str(error), 60) from None
    body = b"".join(line + b"\n" for line in lines[:limit])
    return Response(body, headers={"cache-control": "no-store"}, media_type="application/x-ndjson")


async def _told_of(asked: Exchange, worker: Resources, query: PersonQuery) -> Response:
    """All that is held, or how much; nobody is told without a line in the audit."""
    answer = await _answer(asked, worker, query)
    await note(asked, worker, Act("access", subject_of(query.kind, query.id)))
    return answer


async def _erased(asked: Exchange, worker: Resources, kind: PersonKind, named: "Named", dry_run: bool) -> Response:
    identifier, users = _checked(named.id), _each_checked(named.only)
    if dry_run:
        return await _told_of(asked, worker, PersonQuery(kind, identifier, users, counted=True))
    async with auditing(asked, worker, Act("erase", subject_of(kind, identifier), reason=named.reason)):
        return await _answer(asked, worker, ErasureQuery(kind, identifier, users))


async def _answer(asked: Exchange, worker: Resources, query: PersonQuery | ErasureQuery) -> Response:
    answer = await analysis_response(asked, worker, query)
    if answer.status_code != 409:
        return answer
    detail = (
        "more than one user was seen with this id, as on a shared computer: `users` names them; say which are meant,"
        ' in DELETE by a body such as {"id": "v-1", "only": ["u-1"]}, in GET by ?only=u-1, which may be repeated'
    )
    raise Problem(409, "several_people", detail, members=msgspec.json.decode(answer.body, type=dict[str, Any]))


def _each_checked(identifiers: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if identifiers is None else tuple(_checked(each, "only") for each in identifiers)


def _checked(identifier: Any, name: str = "id") -> str:
    found = told_id(identifier, name)
    if found is None:
        raise Problem(400, "invalid_id", f"{name}: it is missing")
    return found


class Named(msgspec.Struct, frozen=True):
    """Who is to be erased: an id, of several users those who are meant, and why."""

    id: str
    only: list[str] | None = None
    reason: str | None = None


def _named(body: bytes) -> Named:
    """What a body says."""
    try:
        given: Any = json.loads(body.decode(), object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError):
        raise unreadable('the body must be JSON such as {"id": "v-1"}, with each member once') from None
    if (
        not isinstance(given, dict)
        or "id" not in given
        or set(given) - {"id", "only", "reason"}
        or not isinstance(given["id"], str)
        or not isinstance(given.get("reason", ""), str)
    ):
        detail = (
            "the body must be an object with the id as text, `id`, and maybe a list of users, `only`, and a `reason`"
        )
        raise Problem(400, "invalid_id", detail)
    only: Any = given.get("only", [])
    if not isinstance(only, list) or not all(isinstance(each, str) for each in only):
        raise Problem(400, "invalid_id", "only: it must be a list of user ids, each of them text")
    return Named(given["id"], only if "only" in given else None, given.get("reason"))


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member occurs twice")
    return members


LONGEST_HOURS: Final = 720
HOURS: Final = {"type": "number", "exclusiveMinimum": 0, "maximum": LONGEST_HOURS}
LOG_IN: Final = _body("user_id", {"user_id": TEXT, "hours": HOURS}, {"user_id": "u-1", "hours": 24})


class LogInBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is logged in on a visitor, and for how long."""

    user_id: str
    hours: float = 24.0


LOG_IN_DECODER: Final = msgspec.json.Decoder(LogInBody)


@router.post("/v1/visitors/{identifier:path}/proof", summary="Say who is logged in on a visitor", openapi_extra=LOG_IN)
async def log_in(identifier: Identifier, request: Request, _: Secret, worker: Worker) -> Response:
    """Pages of this visitor that name this user are answered for them, without a token. The latest log-in counts."""
    visitor_id, body = _checked(identifier), decode(await request.body(), LOG_IN_DECODER)
    user_id = _checked(body.user_id, "user_id")
    if not 0 < body.hours <= LONGEST_HOURS:
        raise Problem(400, "invalid_hours", f"hours: it must be more than 0 and at most {LONGEST_HOURS}")
    return await _known(worker.users.log_ins.begin(visitor_id, user_id, body.hours * 3_600))


@router.delete("/v1/visitors/{identifier:path}/proof", summary="Say that nobody is logged in on a visitor any more")
async def log_out(identifier: Identifier, _: Secret, worker: Worker) -> Response:
    return await _known(worker.users.log_ins.end(_checked(identifier)))


async def _known(telling: Awaitable[None]) -> Response:
    """Once the store has it, every worker knows. Raises Problem 503."""
    try:
        await telling
    except StoreUnavailable as unavailable:
        raise retry_later(503, unavailable.cause, str(unavailable), unavailable.retry_after_seconds) from None
    return Response(b'{"success":true}', media_type="application/json", headers={"cache-control": "no-store"})
