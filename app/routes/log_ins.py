"""Who is logged in on a visitor, as the shop's backend tells it."""

from collections.abc import Awaitable
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request, Response

from app.http.body import decode
from app.http.errors import Problem, retry_later
from app.routes.dependencies import Secret, Worker
from app.routes.openapi import TEXT
from app.routes.visitors import Identifier, checked_id
from events.store.availability import StoreUnavailable

router = APIRouter(tags=["Visitors"])

LONGEST_HOURS: Final = 720
LOG_IN: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["user_id"],
                    "additionalProperties": False,
                    "properties": {
                        "user_id": TEXT,
                        "hours": {"type": "number", "exclusiveMinimum": 0, "maximum": LONGEST_HOURS},
                    },
                },
                "example": {"user_id": "u-1", "hours": 24},
            }
        },
    }
}


class LogInBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is logged in on a visitor, and for how long."""

    user_id: str
    hours: float = 24.0


LOG_IN_DECODER: Final = msgspec.json.Decoder(LogInBody)


@router.post("/v1/visitors/{identifier:path}/proof", summary="Say who is logged in on a visitor", openapi_extra=LOG_IN)
async def log_in(identifier: Identifier, request: Request, _: Secret, worker: Worker) -> Response:
    """Pages of this visitor that name this user are answered for them, without a token. The latest log-in counts."""
    visitor_id, body = checked_id(identifier), decode(await request.body(), LOG_IN_DECODER)
    user_id = checked_id(body.user_id, "user_id")
    if not 0 < body.hours <= LONGEST_HOURS:
        raise Problem(400, "invalid_hours", f"hours: it must be more than 0 and at most {LONGEST_HOURS}")
    return await _told(worker.users.log_ins.begin(visitor_id, user_id, body.hours * 3_600))


@router.delete("/v1/visitors/{identifier:path}/proof", summary="Say that nobody is logged in on a visitor any more")
async def log_out(identifier: Identifier, _: Secret, worker: Worker) -> Response:
    return await _told(worker.users.log_ins.end(checked_id(identifier)))


async def _told(telling: Awaitable[None]) -> Response:
    """Once the store has it, every worker knows. Raises Problem 503."""
    try:
        await telling
    except StoreUnavailable as unavailable:
        raise retry_later(503, unavailable.cause, str(unavailable), unavailable.retry_after_seconds) from None
    return Response(b'{"success":true}', media_type="application/json", headers={"cache-control": "no-store"})
