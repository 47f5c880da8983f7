"""All metrics: what each is in a sentence, where it is defined, what rests on it, and when its events last came."""

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from app.analysis.queries import EventNamesQuery, MetricsQuery
from app.dashboard.forms import PageRoute
from app.dashboard.paging import Find, PageNumber, found, one_page
from app.dashboard.rendering import answered, answered_soon, page
from app.dashboard.signed_in import SignedIn
from app.routes.dependencies import Worker

router = APIRouter(include_in_schema=False, route_class=PageRoute)

METRICS: Final = 30  # on a page
DAYS: Final = 90
SEEN_SECONDS: Final = 60.0  # when the events of 90 days last came is counted no more often: it reads all of them


@router.get("/dashboard/metrics")
async def metrics_page(
    request: Request, signed: SignedIn, worker: Worker, find: Find = "", number: PageNumber = 1
) -> HTMLResponse:
    """A page of them, those alone in whose name, title or events a text stands."""
    metrics = (await answered(worker, signed, MetricsQuery()))["metrics"]
    arrived = await answered_soon(worker, signed, EventNamesQuery(DAYS), young=SEEN_SECONDS)
    last_seen: dict[str, str] = {}
    for each in arrived["events"] if arrived else ():  # of a name that several types have, the latest
        last_seen[each["event"]] = max(each["last_seen"], last_seen.get(each["event"], ""))
    wanted = [each for each in metrics if found(find, each["name"], each["title"], *each["events"])]
    wanted.sort(key=lambda each: (not each["used_by"], each["built_in"]))  # what matters to somebody comes first
    shown = one_page(wanted, number, METRICS)
    as_of = arrived["as_of"] if arrived else None
    return page(request, signed, "metrics.html", paged=shown, find=find, last_seen=last_seen, days=DAYS, as_of=as_of)
