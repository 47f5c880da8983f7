"""`POST /v1/personalize/batch`: what to write to each of many people, for e-mail and chat; it never exposes anybody."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from app.http.access import Grant
from app.http.body import decode, decompressed, told_people
from app.http.errors import Problem
from app.http.exchange import Exchange
from app.routes.dependencies import Asked, Secret, Worker
from app.routes.evaluation import NOBODY, SITE_ATTRIBUTE, Stems, knowable
from app.routes.personalize import DECODER, PageView, checked_attributes, page_view, personalize_stem
from app.routes.visitor import Asking
from app.worker.resources import Resources
from events.consent import NONE, PERSONAL
from events.dialects.validation import CONSENT_ATTRIBUTE

router = APIRouter(tags=["Assignment"])

MAX_RECIPIENTS: Final = 10_000
MAX_BATCH_BYTES: Final = 16 * 1024 * 1024
AT_ONCE: Final = 16  # recipients between two turns of all other requests
NDJSON: Final = "application/x-ndjson"
BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": f"NDJSON: one body of /v1/personalize a line, at most {MAX_RECIPIENTS:,} of them and 16 MB, "
        "with a visitor_id, a user_id or both.",
        "content": {NDJSON: {"schema": {"type": "string"}, "example": '{"visitor_id": "v-1", "user_id": "u-1"}\n'}},
    },
    "responses": {
        "200": {
            "description": "A line for each recipient, in their order, with its `index`: what to show, or an `error`.",
            "content": {NDJSON: {"schema": {"type": "string"}, "example": '{"index":0,"visitor_id":"v-1"}\n'}},
        }
    },
}
STEMS: Final = Stems(personalize_stem)


@router.post("/v1/personalize/batch", summary="Messages and products for many recipients", openapi_extra=BODY)
async def personalize_batch(request: Request, asked: Asked, grant: Secret, worker: Worker) -> StreamingResponse:
    pieces = [piece async for piece in request.stream()]
    body = b"".join(pieces)
    encoding = asked.headers.get(b"content-encoding", b"").strip().lower()
    if encoding in (b"gzip", b"x-gzip"):
        body = decompressed(body, MAX_BATCH_BYTES)
    elif encoding not in (b"", b"identity"):
        raise Problem(415, "encoding_not_supported", "Content-Encoding may be gzip or absent")
    lines = [line for line in body.split(b"\n") if not line.isspace() and line]
    if len(lines) > MAX_RECIPIENTS:
        detail = f"the batch has {len(lines)} recipients, it may have {MAX_RECIPIENTS}; send the others in another one"
        raise Problem(413, "batch_too_large", detail)
    return StreamingResponse(_answers(asked, worker, grant, lines), media_type=NDJSON)


async def _answers(
    exchange: Exchange, resources: Resources, grant: Grant, lines: Sequence[bytes]
) -> AsyncIterator[bytes]:
    for start in range(0, len(lines), AT_ONCE):
        some = range(start, min(start + AT_ONCE, len(lines)))
        told = await asyncio.gather(*(_answer(exchange, resources, grant, index, lines[index]) for index in some))
        yield b"".join(told)
        await asyncio.sleep(0)


async def _answer(exchange: Exchange, resources: Resources, grant: Grant, index: int, line: bytes) -> bytes:
    """One line of the answer. What is wrong with a recipient is said in its line, and concerns no other."""
    try:
        who, view = _recipient(exchange, resources, grant, line)
    except Problem as problem:
        said = {"index": index, "error": {"code": problem.code, "message": problem.detail}}
        return msgspec.json.encode(said) + b"\n"
    found = await resources.recommender.lists(list(view.lists.values())) if view.lists else []
    shown = b"},".join(STEMS.of(view.visible, each) for each in view.assignments)
    return b'{"index":%d,%b"experiments":{%b},"recommendations":%b%b}\n' % (
        index,
        b"".join(b'"%b":%b,' % (name.encode(), msgspec.json.encode(value)) for name, value in who.items()),
        shown + b"}" if shown else b"",
        msgspec.json.encode(dict(zip(view.lists, found, strict=True))),
        view.asking.told + (view.errors if view.unknown else b""),
    )


def _recipient(
    exchange: Exchange, resources: Resources, grant: Grant, line: bytes
) -> tuple[dict[str, str | int], PageView]:
    """Who a line is about, and what they are shown. Raises Problem."""
    body = decode(line, DECODER)
    if body.expose:
        detail = "expose: a message that is written is not seen; send `Experiment Viewed` when it is opened or clicked"
        raise Problem(400, "never_exposes", detail)
    told = told_people(body.visitor_id, body.user_id)
    ids = {"visitor_id": told.visitor_id, "user_id": told.user_id}
    who = {name: getattr(body, name) for name, given in ids.items() if given is not None}  # as their sender writes it
    if not who:
        raise Problem(400, "missing_id", "visitor_id or user_id is required")
    attributes, _ = checked_attributes(body, told)
    consent = resources.consent_of(exchange, body.consent, attributes.pop(CONSENT_ATTRIBUTE, None))
    if consent is not PERSONAL:
        attributes = knowable(attributes, consent)
    if grant.site is not None:
        attributes = {**attributes, SITE_ATTRIBUTE: grant.site}
    asking = Asking(NOBODY if consent is NONE else told.visitor_id, told=told.repaired, consent=consent)
    unexposed = msgspec.structs.replace(body, expose=False)
    return who, page_view(exchange, resources, grant, asking, unexposed, attributes)
