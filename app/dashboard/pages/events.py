"""Events: which come, what no metric reads, what was refused and what ends it; what one test visitor sent."""

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from app.analysis.queries import ArrivalsQuery, EventNamesQuery
from app.dashboard.forms import PageRoute, posted
from app.dashboard.paging import Find, PageNumber, found, one_page
from app.dashboard.rendering import answered, answered_soon, page
from app.dashboard.signed_in import Signed, SignedIn
from app.http.body import told_id
from app.http.errors import Problem
from app.management.audit import Act, note, subject_of
from app.management.events import MOST_DAYS, refused_of, refused_told
from app.routes.dependencies import Asked, Worker
from app.worker.resources import Resources

router = APIRouter(include_in_schema=False, route_class=PageRoute)

NAMES: Final = 40  # on a page
CAUSES: Final = 30  # of each outcome
LAST: Final = 5  # events of one cause
DAYS: Final = 7
MISSING: Final = dict.fromkeys(
    ("event", "experiment", "variant", "path", "url", "bot", "forged", "forced", "quarantined")
)
Days = Annotated[int, Query(ge=1, le=MOST_DAYS)]


@router.get("/dashboard/events")
async def events_page(
    request: Request, signed: SignedIn, worker: Worker, find: Find = "", days: Days = DAYS, number: PageNumber = 1
) -> HTMLResponse:
    """A page of names, and all that was not taken as it was sent."""
    return page(request, signed, "events.html", **await _shown(signed, worker, find, days, number), looked=None)


@router.post("/dashboard/events/visitor")
async def visitor_looked_at(request: Request, asked: Asked, signed: SignedIn, worker: Worker) -> HTMLResponse:
    """The same with what came of one visitor id: who looks stands in the audit first, and the id in no address."""
    fields = await posted(request, signed)
    visitor = told_id(fields.get("visitor", "").strip() or None, "visitor")
    if visitor is None:
        raise Problem(400, "invalid_id", "visitor: enter the id of your test visitor, as the page has it")
    await note(asked, worker, Act("access", subject_of("visitor", visitor)))
    came = await answered(worker, signed, ArrivalsQuery(visitor, DAYS))
    rows = [MISSING | row | {"held": msgspec.json.encode(row["properties"]).decode()} for row in came["rows"]]
    looked = {"visitor": visitor, "rows": rows, "refused": await refused_of(worker, visitor), "as_of": came["as_of"]}
    shown = await _shown(signed, worker, "", DAYS, 1)
    return page(request, signed, "events.html", **shown, looked=looked)


async def _shown(signed: Signed, worker: Resources, find: str, days: int, number: int) -> dict[str, Any]:
    names = await answered_soon(worker, signed, EventNamesQuery(days))
    refused = await refused_told(worker)
    events = names["events"] if names else []
    wanted = [each for each in events if found(find, each["event"], *each["libraries"], *each["metrics"])]
    return {
        "as_of": names["as_of"] if names else None,
        "paged": one_page(wanted, number, NAMES),
        "hints": [each for each in events if each["hint"] is not None][:NAMES],
        "refused": refused,
        "most_causes": CAUSES,
        "last": LAST,
        "find": find,
        "days": days,
        "most_days": MOST_DAYS,
    }
