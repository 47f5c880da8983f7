"""The page of one experiment: what came of it, how sure that is, whether it may be trusted, and what one may do."""

from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from app.analysis.queries import ExperimentQuery, MetricsQuery, ResultsQuery, TimeseriesQuery
from app.dashboard.pages.shown import compared, filling, forests, levels_of, looks, paged, series_of, steps_of
from app.dashboard.rendering import answered, answered_within, page
from app.dashboard.saying import Json
from app.dashboard.signed_in import Signed, SignedIn
from app.routes.dependencies import Worker
from app.worker.resources import Resources
from kit.suggestions import did_you_mean

router = APIRouter(include_in_schema=False)

PATIENCE_SECONDS: Final = 2.0
Key = Annotated[str, Path(max_length=100)]


class Look(BaseModel):
    """Which look at an experiment, and which part of it: a page of comparisons, of levels, the SQL of a metric."""

    model_config = ConfigDict(frozen=True)

    at: Annotated[str | None, Field(max_length=40)] = None
    phase: Annotated[int | None, Field(ge=0, le=10_000)] = None
    metric: Annotated[str | None, Field(max_length=200)] = None
    page: Annotated[int, Field(ge=1, le=100_000)] = 1
    levels: Annotated[int, Field(ge=1, le=100_000)] = 1
    sql: bool = False

    def link(self, **changes: object) -> str:
        """The address of this look with some of it changed."""
        asked = self.model_dump(exclude_defaults=True) | changes
        return f"?{urlencode({name: value for name, value in asked.items() if value is not None})}"


@router.get("/dashboard/experiments/{key}")
async def experiment_page(
    key: Key, request: Request, signed: SignedIn, worker: Worker, look: Annotated[Look, Query()]
) -> HTMLResponse:
    """One experiment. What takes longer than two seconds is still being computed, and what is known is shown."""
    return await shown_experiment(key, request, signed, worker, look)


async def shown_experiment(
    key: str, request: Request, signed: Signed, worker: Resources, look: Look, **told: Any
) -> HTMLResponse:
    """The page, with what it tells besides: a form that was refused, and why."""
    experiment = await answered(worker, signed, ExperimentQuery(key))
    asked = ResultsQuery(key, look.at or None, look.phase)
    results = await answered_within(worker, signed, asked, PATIENCE_SECONDS)
    shown = {"experiment": experiment, "look": look, "link": look.link, "refused": None, "said": {}, **told}
    if results is None:
        return page(request, signed, "computing.html", **shown)
    metric = next((each for each in results["metrics"] if each["metric"] == look.metric), None)
    unknown = None if look.metric is None or metric else _unknown(look.metric, results)
    metric = metric or (results["metrics"][0] if results["metrics"] else None)
    detail = await _detail(key, signed, worker, look, metric, experiment) if metric else {}
    rows = compared(results)
    pages = paged(rows, look.page)
    unhealthy = results["decision"]["action"] == "unhealthy"
    return page(
        request,
        signed,
        "experiment.html",
        results=results,
        metric=metric,
        unknown=unknown,
        rows=pages.cut(rows),
        pages=pages,
        forests=[] if unhealthy else forests(pages.cut(rows)),
        guardrails=[] if unhealthy else [row for row in rows if row.metric.get("guardrail")][:100],
        unhealthy=unhealthy,
        filling=filling(results),
        looks=looks(results["plan"]),
        **detail,
        **shown,
    )


async def _detail(
    key: str, signed: Signed, worker: Resources, look: Look, metric: Json, experiment: Json
) -> dict[str, Any]:
    """One metric: day by day, its levels, its steps, and where it is asked for the SQL that was run."""
    name = metric["metric"]
    current = look.phase is None or look.phase == experiment["phase"]
    query = TimeseriesQuery(key, look.at or None, name)
    days = await answered_within(worker, signed, query, PATIENCE_SECONDS) if current else None
    levels = levels_of(metric)
    pages = paged(levels, look.levels)
    sql: Any = None
    if look.sql:
        asked = ResultsQuery(key, look.at or None, look.phase, name, include="sql")
        found = await answered_within(worker, signed, asked, PATIENCE_SECONDS)
        sql = "" if found is None else found["metrics"][0].get("sql", "")
    names: list[str] = []
    if any(arm.get("steps") for arm in metric["arms"]):
        defined = await answered(worker, signed, MetricsQuery())
        names = next((each.get("steps", []) for each in defined["metrics"] if each["name"] == name), [])
    return {
        "series": series_of(metric, days),
        "current": current,
        "late": current and days is None,
        "levels": pages.cut(levels),
        "level_pages": pages,
        "sql": sql,
        "steps": steps_of(metric, names),
    }


def _unknown(name: str, results: Json) -> str:
    known = [each["metric"] for each in results["metrics"]]
    return f"This experiment reads no metric {name[:100]!r}{did_you_mean(name, known)}"
