"""Which events come, and which were not taken as they were sent: the first look when a number is missing."""

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query, Response

from app.analysis.queries import EventNamesQuery
from app.routes.dependencies import Asked, Secret, Worker, analysis_response
from app.worker.resources import Resources
from events.tallies.refused_events import OUTCOMES, Outcome, RefusedEvents, causes_of, digests_of
from events.tallies.remedies import remedy_of
from kit.time import iso, moment_of

router = APIRouter(tags=["Events"])

NEVER_STORED: Final = {"cache-control": "no-store"}
MOST_DAYS: Final = 90
MOST_NOTES: Final = 20
MOMENT: Final[dict[str, Any]] = {"type": "string", "format": "date-time"}
TEXT: Final[dict[str, Any]] = {"type": ["string", "null"]}
CAUSE: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["code", "field", "library", "dialect", "count", "first_seen", "last_seen", "remedy", "last"],
    "properties": {
        **{name: {"type": "string"} for name in ("code", "field", "library", "dialect")},
        "count": {"type": "integer"},
        "remedy": {"type": "string", "description": "What ends it."},
        "first_seen": MOMENT,
        "last_seen": MOMENT,
        "last": {
            "type": "array",
            "description": "The newest first, of each code at most 100.",
            "items": {
                "type": "object",
                "properties": {
                    "at": MOMENT,
                    "message": {"type": "string"},
                    "message_id": TEXT,
                    "type": TEXT,
                    "event": TEXT,
                },
            },
        },
    },
}
REFUSED: Final[dict[int | str, Any]] = {
    200: {
        "description": "`rejected`: not stored; `repaired`: stored without what could not be used; `dropped`: of a "
        "kind that nothing reads; `unusable`: stored, and in no figure. `total` is of the rejected ones.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["since", "total", *OUTCOMES],
                    "properties": {
                        "since": MOMENT,
                        "total": {"type": "integer"},
                        **{outcome: {"type": "array", "items": CAUSE} for outcome in OUTCOMES},
                    },
                }
            }
        },
    }
}


@router.get(
    "/v1/events/rejected",
    summary="Events that were refused, repaired or dropped: why, where, from which library",
    description="Of all workers, complete within 2 s, since the data directory is in use. Of an event only its message "
    "id, type and name are kept; libraries are one of a fixed list, `other` or `none`.",
    responses=REFUSED,
)
async def refused_events(_: Secret, worker: Worker) -> Response:
    told = await refused_told(worker)
    return Response(msgspec.json.encode(told), headers=NEVER_STORED, media_type="application/json")


async def refused_told(worker: Resources) -> dict[str, Any]:
    """All that was not taken as it was sent, by why."""
    known = await worker.intake.all()
    return {
        "since": iso(moment_of(known.since)),
        "total": sum(each.count for each in known.outcomes["rejected"].sums),
        **{outcome: causes_told(known, outcome) for outcome in OUTCOMES},
    }


async def refused_of(worker: Resources, visitor: str) -> list[dict[str, Any]]:
    """What of the last events that named this id was not taken as it was sent, the newest first."""
    known, (digest,) = await worker.intake.all(), digests_of([visitor])
    found = [
        (note.at, outcome, code, note)
        for outcome, tally in known.outcomes.items()
        for code, notes in tally.last.items()
        for note in notes
        if digest in note.people
    ]
    newest = sorted(found, key=lambda each: each[0], reverse=True)[:MOST_NOTES]
    return [
        {"at": iso(moment_of(at)), "outcome": outcome, "code": code, "remedy": remedy_of(code), **note.told}
        for at, outcome, code, note in newest
    ]


def causes_told(known: RefusedEvents, outcome: Outcome) -> list[dict[str, Any]]:
    """Each cause with its last events."""
    return [
        {
            **each.cause._asdict(),
            "count": each.count,
            "first_seen": iso(moment_of(each.first)),
            "last_seen": iso(moment_of(each.last)),
            "remedy": remedy_of(each.cause.code),
            "last": [{"at": iso(moment_of(note.at)), **note.told} for note in notes],
        }
        for each, notes in causes_of(known, outcome)
    ]


Days = Annotated[int, Query(ge=1, le=MOST_DAYS, description="Days that are looked at, by when events were received.")]
Name = Annotated[str | None, Query(min_length=1, max_length=256, description="The last 20 rows of this name alone.")]


@router.get(
    "/v1/events",
    summary="Which events came lately: how many, from which libraries, with which properties, read by which metrics",
    description="`properties` are those of the newest 50 rows of a name, of rows with at most 4,096 letters of them. "
    "Ids are in no answer of this route.",
)
async def event_names(_: Secret, asked: Asked, worker: Worker, days: Days = 7, event: Name = None) -> Response:
    return await analysis_response(asked, worker, EventNamesQuery(days, event))
