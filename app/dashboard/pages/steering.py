"""What one may do to an experiment from its page: forms with a reason, which the audit keeps with the person."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from app.dashboard.forms import PageRoute, posted
from app.dashboard.pages.experiment import Key, PageLook, shown_experiment
from app.dashboard.rendering import page, root_of
from app.dashboard.signed_in import Signed, SignedIn
from app.http.errors import Problem
from app.keys.audit import LONGEST_REASON, Actor, AuditUnusable, line_of
from app.management.audit import unkept
from app.routes.dependencies import Asked, Worker, exchange_of
from app.steering.orders import ignored, previewed, steered
from app.worker.resources import Resources
from experiments.catalog.overrides import Action, Order

router = APIRouter(include_in_schema=False, route_class=PageRoute)

SHORTEST_REASON: Final = 3
MOST_DAYS: Final = 30
REASON_ASKED: Final = (
    f"Say why, in {SHORTEST_REASON} to {LONGEST_REASON} characters: whoever reads the audit wants to know."
)
BESIDE: Final[Mapping[str, str]] = {  # the field that each refusal is of
    "reason_needed": "reason",
    "against_the_decision": "ignoring",
    "unknown_variant": "variant",
    "invalid_days": "days",
    "invalid_url": "url",
}
AGAINST: Final = "That goes against the decision: {}. Tick the box to ship it all the same."


@router.post("/dashboard/experiments/{key}/start")
async def start(key: Key, request: Request, signed: SignedIn, worker: Worker) -> Response:
    """A draft begins, once its files pass the check."""
    return await _told(key, "start", request, signed, worker)


@router.post("/dashboard/experiments/{key}/pause")
async def pause(key: Key, request: Request, signed: SignedIn, worker: Worker) -> Response:
    """Control for everyone."""
    return await _told(key, "pause", request, signed, worker)


@router.post("/dashboard/experiments/{key}/resume")
async def resume(key: Key, request: Request, signed: SignedIn, worker: Worker) -> Response:
    """It assigns again."""
    return await _told(key, "resume", request, signed, worker)


@router.post("/dashboard/experiments/{key}/stop")
async def stop(key: Key, request: Request, signed: SignedIn, worker: Worker) -> Response:
    """The phase is over."""
    return await _told(key, "stop", request, signed, worker)


@router.post("/dashboard/experiments/{key}/ship")
async def ship(key: Key, request: Request, signed: SignedIn, worker: Worker) -> Response:
    """The phase is over, and everybody sees one variant."""
    return await _told(key, "ship", request, signed, worker)


async def _told(key: str, action: Action, request: Request, signed: Signed, worker: Resources) -> Response:
    """Carries an order out and leads back to the page; what is refused is shown there, with what was written."""
    fields = await posted(request, signed)
    told = Order(key, action, fields.get("variant", "") if action == "ship" else None)
    try:
        reason, against = _reason(fields), None
        if action == "ship":
            against = await ignored(worker, signed.email, told)
            if against is not None and fields.get("ignoring") != "yes":
                raise Problem(409, "against_the_decision", AGAINST.format(against.rstrip(".")))
        request_id = exchange_of(request).request_id.decode()
        actor = Actor("person", signed.email)
        await steered(worker, told, line_of(actor, action, key, reason=reason, request_id=request_id), against)
    except Problem as refusal:
        if refusal.status not in (400, 409) and refusal.code != "unknown_variant":
            raise
        said = {"action": action, "reason": fields.get("reason", "")[:LONGEST_REASON], "variant": told.variant}
        return await _refused(key, request, signed, worker, refusal, said)
    return RedirectResponse(f"{root_of(request)}/dashboard/experiments/{key}", 303)


async def _refused(
    key: str, request: Request, signed: Signed, worker: Resources, refusal: Problem, said: Mapping[str, Any]
) -> Response:
    """The page with what was refused, beside the field where it is of one, and with what was written."""
    told = {**said, "field": BESIDE.get(refusal.code), "message": refusal.detail}
    shown = await shown_experiment(key, request, signed, worker, PageLook(), refused=refusal.detail, said=told)
    shown.status_code = refusal.status
    return shown


def _reason(fields: Mapping[str, str]) -> str:
    """Why it is done. Raises Problem 400."""
    reason = fields.get("reason", "").strip()
    seen = sum(letter.isprintable() for letter in reason)
    if seen < SHORTEST_REASON or len(reason) > LONGEST_REASON:
        raise Problem(400, "reason_needed", REASON_ASKED)
    return reason


@router.post("/dashboard/experiments/{key}/preview")
async def preview(key: Key, request: Request, signed: SignedIn, worker: Worker, asked: Asked) -> Response:
    """A link that shows one variant; it is shown once, and leads nowhere but to the shop's page."""
    fields = await posted(request, signed)
    url, variant = fields.get("url", "")[:2_000], fields.get("variant", "")
    try:
        days = _days(fields)
        if not url.startswith(("https://", "http://")):
            raise Problem(400, "invalid_url", "Page of the shop: an address begins with https://")
        link = previewed(worker, key, variant, days, url)
    except Problem as refusal:
        if refusal.code not in BESIDE:
            raise
        said = {"action": "preview", "days": fields.get("days", "")[:20], "url": url, "variant": variant}
        return await _refused(key, request, signed, worker, refusal, said)
    line = line_of(Actor("person", signed.email), "preview", key, (None, link.shown), None, asked.request_id.decode())
    try:
        await asyncio.to_thread(worker.audit.write, line)
    except AuditUnusable as error:
        raise unkept(error) from None
    told: dict[str, Any] = {"experiment": key, "url": link.url}
    return page(request, signed, "preview.html", **told, variant=link.shown["variant"], expires=link.shown["expires"])


def _days(fields: Mapping[str, str]) -> float:
    """How long a link holds. Raises Problem 400."""
    try:
        days = float(fields.get("days", "7"))
    except ValueError:
        days = 0.0
    if not 0.0 < days <= MOST_DAYS:
        raise Problem(400, "invalid_days", f"Days: a link holds for up to {MOST_DAYS} days")
    return days
