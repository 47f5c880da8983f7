"""Steering experiments without touching a file: start, pause, resume, stop and ship, and links that show a variant."""

from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from msgspec import Meta

from app.http.body import decode
from app.http.exchange import Exchange
from app.management.audit import REASON, WHY, Act, Why, line_for, note
from app.management.openapi import json_body
from app.management.results import Key
from app.routes.dependencies import Asked, Secret, Worker
from app.steering.orders import ignored, previewed, steered
from app.worker.resources import Resources
from experiments.catalog.overrides import Order

router = APIRouter(tags=["Results"])


class ShipBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is shipped, and why."""

    variant: Annotated[str, Meta(max_length=100)]
    reason: str | None = None


SHIP_DECODER: Final = msgspec.json.Decoder(ShipBody)
SHIPPED: Final = json_body(
    {
        "type": "object",
        "required": ["variant"],
        "additionalProperties": False,
        "properties": {
            "variant": {"type": "string", "maxLength": 100, "description": "What everybody sees from now on."},
            "reason": REASON,
        },
    },
    {"variant": "threshold", "reason": "it won, and support likes it"},
)


@router.post(
    "/v1/experiments/{key}/start",
    summary="Start a draft whose files pass the check, live within 2 s",
    status_code=202,
    openapi_extra=WHY,
)
async def start(key: Key, _: Secret, asked: Asked, worker: Worker, reason: Why) -> JSONResponse:
    """It outranks the file until the file says `status: running`."""
    return await _ordered(asked, worker, Order(key, "start"), reason)


@router.post(
    "/v1/experiments/{key}/pause", summary="Control for everyone, live within 2 s", status_code=202, openapi_extra=WHY
)
async def pause(key: Key, _: Secret, asked: Asked, worker: Worker, reason: Why) -> JSONResponse:
    return await _ordered(asked, worker, Order(key, "pause"), reason)


@router.post(
    "/v1/experiments/{key}/resume",
    summary="Assign again after a pause, live within 2 s",
    status_code=202,
    openapi_extra=WHY,
)
async def resume(key: Key, _: Secret, asked: Asked, worker: Worker, reason: Why) -> JSONResponse:
    return await _ordered(asked, worker, Order(key, "resume"), reason)


@router.post("/v1/experiments/{key}/stop", summary="Stop for good, live within 2 s", status_code=202, openapi_extra=WHY)
async def stop(key: Key, _: Secret, asked: Asked, worker: Worker, reason: Why) -> JSONResponse:
    return await _ordered(asked, worker, Order(key, "stop"), reason)


@router.post(
    "/v1/experiments/{key}/ship",
    summary="Stop for good, and show one variant to everybody",
    status_code=202,
    openapi_extra=SHIPPED,
)
async def ship(key: Key, request: Request, _: Secret, asked: Asked, worker: Worker) -> JSONResponse:
    """It outranks the file until the file says `status: stopped` and `decision: {outcome: shipped, variant: …}`.
    Against the decision it is done too, and the audit says what it ignored.
    """
    wanted = decode(await request.body(), SHIP_DECODER)
    return await _ordered(asked, worker, Order(key, "ship", wanted.variant), wanted.reason)


async def _ordered(asked: Exchange, worker: Resources, told: Order, reason: str | None) -> JSONResponse:
    line = line_for(asked, Act(told.action, told.key, reason=reason))  # a reason that cannot be kept is refused first
    against: str | None = None
    if told.action == "ship":
        against = await ignored(worker, line.actor.name, told)
    answer = await steered(worker, told, line, against)
    said = {
        "experiment": told.key,
        "status": answer.status,
        "ordered_at": answer.ordered_at.isoformat(),
        "kept": answer.kept,
    }
    return JSONResponse(said, status_code=202)


LINKED: Final = json_body(
    {
        "type": "object",
        "required": ["variant"],
        "additionalProperties": False,
        "properties": {
            "variant": {"type": "string", "maxLength": 100, "description": "The variant that is shown."},
            "days": {"type": "number", "minimum": 0.01, "maximum": 30, "default": 7},
            "url": {"type": "string", "maxLength": 2_000, "description": "The page to be looked at."},
            "reason": REASON,
        },
    },
    {"variant": "threshold", "days": 7, "url": "https://shop.example/"},
)


class PreviewBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a link is to show, for how long, and on which page."""

    variant: Annotated[str, Meta(max_length=100)]
    days: Annotated[float, Meta(ge=0.01, le=30)] = 7.0
    url: Annotated[str, Meta(max_length=2_000)] = ""
    reason: str | None = None


PREVIEW_DECODER: Final = msgspec.json.Decoder(PreviewBody)


@router.post(
    "/v1/experiments/{key}/preview",
    summary="A link that shows one variant, a draft's too",
    status_code=201,
    openapi_extra=LINKED,
)
async def preview_link(key: Key, request: Request, _: Secret, asked: Asked, worker: Worker) -> JSONResponse:
    """Whoever opens the link sees this variant in this phase, and is never counted. `url` is the page with the token; a
    page that passes `resonate_preview` on to the service shows it.
    """
    wanted = decode(await request.body(), PREVIEW_DECODER)
    link = previewed(worker, key, wanted.variant, wanted.days, wanted.url)
    await note(asked, worker, Act("preview", key, after=link.shown, reason=wanted.reason))
    told = {"token": link.token, "expires": link.shown["expires"], "url": link.url}
    return JSONResponse(told, 201, headers={"cache-control": "no-store"})
