"""Did testing pay? Every decided experiment with what is left of its effect, and what each holdout measured."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from app.analysis.queries import HoldoutResultsQuery, HoldoutsQuery, MetricsQuery, ProgramReportQuery
from app.dashboard.forms import PageRoute
from app.dashboard.paging import one_page
from app.dashboard.rendering import answered, answered_soon, page
from app.dashboard.saying import Json
from app.dashboard.signed_in import SignedIn
from app.http.errors import Problem
from app.routes.dependencies import Worker
from experiments.wording.figures import difference_text, lift_text

router = APIRouter(include_in_schema=False, route_class=PageRoute)

ROWS: Final = 25
MOST_HOLDOUTS: Final = 8  # reports of one page
Day = Annotated[str, Field(max_length=40)]


class ProgramLook(BaseModel):
    """Which decisions are shown."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    since: Annotated[Day, Field(alias="from")] = ""
    until: Annotated[Day, Field(alias="to")] = ""
    metric: Annotated[str, Field(max_length=200)] = ""
    page: Annotated[int, Field(ge=1, le=100_000)] = 1

    @property
    def narrow(self) -> bool:
        """Whether not all are asked for."""
        return bool(self.since or self.until or self.metric)

    def link(self, **changes: object) -> str:
        """The address of this look with some of it changed."""
        return f"?{urlencode(self.model_dump(exclude_defaults=True, by_alias=True) | changes)}"


def effect_said(value: float | None, metric: Json | None, scale: str) -> str:
    """An effect of a row: a lift, or of a metric in points a difference; `metric` is None where none is defined."""
    if scale != "points":
        return lift_text(value, signed=True)
    quantity = metric["quantity"] if metric else "number"
    return difference_text(value, quantity, "", signed=True)


@router.get("/dashboard/program")
async def program_page(
    request: Request, signed: SignedIn, worker: Worker, look: Annotated[ProgramLook, Query()]
) -> HTMLResponse:
    """All of it; what takes longer than two seconds is still being computed."""
    metrics = (await answered(worker, signed, MetricsQuery()))["metrics"]
    refused, program = "", None
    try:
        query = ProgramReportQuery(look.since or None, look.until or None, look.metric or None)
        program = await answered_soon(worker, signed, query)
    except Problem as problem:
        if problem.status != 400:
            raise
        refused = problem.detail
    listed = await answered_soon(worker, signed, HoldoutsQuery())
    holdouts = (listed["holdouts"] if listed else [])[:MOST_HOLDOUTS]
    asked = [answered_soon(worker, signed, HoldoutResultsQuery(each["holdout"])) for each in holdouts]
    reports = list(zip(holdouts, await asyncio.gather(*asked), strict=True))
    late = listed is None or (program is None and not refused)
    content = program_shown(metrics, program, reports, look)
    more = len(listed["holdouts"]) - len(reports) if listed else 0
    return page(
        request, signed, "program.html", 400 if refused else 200, **content, refused=refused, more=more, late=late
    )


def program_shown(
    metrics: Sequence[Json], program: Json | None, reports: Sequence[tuple[Json, Json | None]], look: ProgramLook
) -> dict[str, Any]:
    """What the template shows of the answers; a report that is None is still being computed."""
    scales = {each["metric"]: each["effect_scale"] for each in program["metrics"]} if program else {}
    return {
        "scale_of": lambda name: scales.get(name, "relative"),
        "look": look,
        "program": program,
        "paged": one_page(program["rows"] if program else [], look.page, ROWS),
        "link": look.link,
        "told": effect_said,
        "defined": {each["name"]: each for each in metrics},
        "holdouts": reports,
    }
