"""Steering experiments without touching a file: start, pause, resume, stop and ship, and links that show a variant."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from msgspec import Meta
from msgspec.structs import replace

from app.analysis.queries import ResultsQuery
from app.http.body import decode
from app.http.errors import Problem, retry_later
from app.http.exchange import Exchange
from app.keys.audit import AuditLine, AuditUnusable
from app.management.audit import REASON, WHY, Act, Why, line_for, note, unkept
from app.management.openapi import json_body
from app.management.results import Key
from app.routes.dependencies import Asked, Secret, Worker, analysed_for
from app.routes.evaluation import LINK
from app.worker.resources import Resources
from experiments.catalog.catalog import NoSuchVariant, NothingToShow
from experiments.catalog.check import start_mistakes
from experiments.catalog.overrides import (
    WAITS_FOR_THE_AUDIT,
    ExperimentStopped,
    NothingToOverride,
    NoVariantToShip,
    Order,
    Override,
    OverrideRefused,
    order,
)
from kit.urls import with_parameter

router = APIRouter(tags=["Results"])

MOST_MISTAKES: Final = 5  # of the files, in one answer
DECISION_SECONDS: Final = 2.0


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
    override = await steered(worker, told, line, against)
    said = {"experiment": told.key, "status": override.status, "ordered_at": override.ordered_at.isoformat()}
    return JSONResponse(said, status_code=202)


async def ignored(worker: Resources, asker: str, told: Order) -> str | None:
    """What a ship goes against: the decision, or that it is not known yet; None where it is to ship this variant."""
    try:
        async with asyncio.timeout(DECISION_SECONDS):
            answer = await analysed_for(asker, worker, ResultsQuery(told.key))
    except (TimeoutError, Problem):
        return "the decision is not known"
    decision: dict[str, Any] = msgspec.json.decode(answer.body)["decision"]
    if (decision["action"], decision["variant"]) == ("ship", told.variant):
        return None
    return "; ".join(decision["because"][:MOST_MISTAKES]) or f"the decision is {decision['action']}"


async def steered(worker: Resources, told: Order, line: AuditLine, against: str | None = None) -> Override:
    """Carries an order out. Pause and stop are done whatever becomes of their line in the audit, which then follows.

    A start is checked first, as `resonate check` does. Raises Problem 404 or 409 with nothing done, 503 where what must
    wait for its line has none.
    """
    shipped = {} if told.variant is None else {"variant": told.variant, "ignored": against}

    def tell(before: str, after: str) -> None:
        kept = replace(line, before={"status": before}, after={"status": after, **shipped})
        if told.action in WAITS_FOR_THE_AUDIT:
            worker.audit.write(kept)
        elif not worker.audit.follow(kept):
            worker.telemetry.went_wrong("audit_not_kept")

    settings, catalog, now = worker.settings, worker.catalogs.catalog, datetime.now(UTC)
    if told.action == "start" and told.key in catalog.experiments:
        mistakes = await asyncio.to_thread(start_mistakes, settings.definitions, settings.data, told.key, now)
        if mistakes:
            more = f" (and {len(mistakes) - MOST_MISTAKES} more)" if len(mistakes) > MOST_MISTAKES else ""
            detail = f"the definition files have mistakes, mend them first: {'; '.join(mistakes[:MOST_MISTAKES])}{more}"
            raise Problem(409, "check_failed", detail)
    try:
        return await asyncio.to_thread(order, settings.data, catalog, told, now, tell)
    except AuditUnusable as error:
        raise unkept(error) from None
    except tuple(_REFUSED) as error:
        status, code = next(said for kind, said in _REFUSED.items() if isinstance(error, kind))
        raise Problem(status, code, str(error)) from None


_REFUSED: Final[dict[type[OverrideRefused], tuple[int, str]]] = {
    NothingToOverride: (404, "unknown_experiment"),
    NoVariantToShip: (404, "unknown_variant"),
    ExperimentStopped: (409, "experiment_stopped"),
    OverrideRefused: (409, "order_refused"),
}


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
    token, shown = previewed(worker, key, wanted.variant, wanted.days)
    await note(asked, worker, Act("preview", key, after=shown, reason=wanted.reason))
    url = with_parameter(wanted.url, LINK, token)
    told = {"token": token, "expires": shown["expires"], "url": url}
    return JSONResponse(told, 201, headers={"cache-control": "no-store"})


def previewed(worker: Resources, key: str, variant: str, days: float) -> tuple[str, dict[str, Any]]:
    """The token of a link, and what the audit says of it. Raises Problem 404, or 503 where none can be signed."""
    try:
        phase = worker.catalogs.catalog.previewable(key, variant).phase
        token, ends = worker.previews.make(key, phase, variant, days)
    except NoSuchVariant as error:
        raise Problem(404, "unknown_variant", f"variant: {error}") from None
    except NothingToShow as error:
        raise Problem(404, "unknown_experiment", str(error)) from None
    except OSError as error:
        raise retry_later(503, "preview_key_not_kept", f"no key can be kept for links: {error}", 60) from None
    return token, {"variant": variant, "phase": phase, "expires": datetime.fromtimestamp(ends, UTC).isoformat()}
