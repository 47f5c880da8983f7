"""The page of one experiment: what came of it, how sure that is, whether it may be trusted, and what one may do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from app.analysis.queries import ExperimentQuery, LookQuery, MetricsQuery, ResultsQuery
from app.dashboard.pages.shown import (
    compared,
    filling,
    forests,
    levels_of,
    looks_told,
    rows_beside_pictures,
    series_of,
    steps_of,
)
from app.dashboard.paging import one_page
from app.dashboard.rendering import answered, answered_soon, page, root_of
from app.dashboard.saying import Json
from app.dashboard.signed_in import Signed, SignedIn
from app.routes.dependencies import Worker
from app.worker.resources import Resources
from kit.suggestions import did_you_mean

router = APIRouter(include_in_schema=False)

MOST_GUARDRAILS: Final = 50
Key = Annotated[str, Path(max_length=100)]


class PageLook(BaseModel):
    """Which look at an experiment, and which part of it: pages of comparisons, levels and days, the SQL of a metric."""

    model_config = ConfigDict(frozen=True)

    at: Annotated[str | None, Field(max_length=40)] = None
    phase: Annotated[int | None, Field(ge=0, le=10_000)] = None
    metric: Annotated[str | None, Field(max_length=200)] = None
    page: Annotated[int, Field(ge=1, le=100_000)] = 1
    levels: Annotated[int, Field(ge=1, le=100_000)] = 1
    days: Annotated[int | None, Field(ge=1, le=100_000)] = None
    sql: bool = False

    @property
    def report(self) -> str:
        """The address of the report of this look, behind that of the experiment."""
        asked = self.model_dump(include={"at", "phase"}, exclude_none=True)
        return f"/report?{urlencode(asked)}" if asked else "/report"

    def link(self, **changes: object) -> str:
        """The address of this look with some of it changed."""
        asked = self.model_dump(exclude_defaults=True) | changes
        return f"?{urlencode({name: value for name, value in asked.items() if value is not None})}"


@router.get("/dashboard/experiments/{key}")
async def experiment_page(
    key: Key, request: Request, signed: SignedIn, worker: Worker, look: Annotated[PageLook, Query()]
) -> HTMLResponse:
    """One experiment. What takes longer than two seconds is still being computed, and what is known is shown."""
    return await shown_experiment(key, request, signed, worker, look)


async def shown_experiment(
    key: str, request: Request, signed: Signed, worker: Resources, look: PageLook, **told: Any
) -> HTMLResponse:
    """The page, with what it tells besides: a form that was refused, and why."""
    found = await answered_soon(worker, signed, LookQuery(key, look.at or None, look.phase, look.metric))
    experiment = found["experiment"] if found else await answered(worker, signed, ExperimentQuery(key))
    address = f"{root_of(request)}/dashboard/experiments/{quote(key)}"

    def link(**changes: object) -> str:
        return f"{address}{look.link(**changes)}"

    shown: dict[str, Any] = {
        "experiment": experiment,
        "look": look,
        "link": link,
        "report": f"{address}{look.report}",
        "refused": None,
        "said": {},
        **told,
    }
    if found is None:
        return page(request, signed, "computing.html", **shown)
    results: Json = found["results"]
    shown["current"] = results["phase"] == experiment["phase"]
    detail = await _detail(key, signed, worker, look, results, found["days"])
    return page(request, signed, "experiment.html", **content(results, look, detail), **shown)


@dataclass(frozen=True, slots=True)
class Detail:
    """What is shown of one metric besides the results: its days, its SQL where that is wanted ("" while it is
    computed), and the names of its steps.
    """

    metric: Json | None = None
    days: Json | None = None
    sql: str | None = None
    steps: Sequence[str] = ()


async def _detail(key: str, signed: Signed, worker: Resources, look: PageLook, results: Json, days: Json) -> Detail:
    metric = metric_shown(results, look)
    if metric is None:
        return Detail()
    name, sql = metric["metric"], None
    if look.sql:
        asked = ResultsQuery(key, look.at or None, look.phase, name, include="sql")
        found = await answered_soon(worker, signed, asked)
        sql = "" if found is None else found["metrics"][0].get("sql", "")
    steps: Sequence[str] = ()
    if any(arm.get("steps") for arm in metric["arms"]):
        defined = await answered(worker, signed, MetricsQuery())
        steps = next((each.get("steps", ()) for each in defined["metrics"] if each["name"] == name), ())
    return Detail(metric, days, sql, steps)


def metric_shown(results: Json, look: PageLook) -> Json | None:
    """The metric that is asked for, else the first."""
    metrics = results["metrics"]
    return next((each for each in metrics if each["metric"] == look.metric), metrics[0] if metrics else None)


def content(results: Json, look: PageLook, detail: Detail) -> dict[str, Any]:
    """What the template shows of the answers."""
    rows, metric = compared(results), detail.metric
    levels = levels_of(metric) if metric else []
    pages, level_pages = (
        one_page(each, at, rows_beside_pictures(metric)) for each, at in ((rows, look.page), (levels, look.levels))
    )
    unhealthy = results["decision"]["action"] == "unhealthy"
    drawn, filled = series_of(metric, detail.days, look.days) if metric else [], filling(results, look.days)
    return {
        "results": results,
        "metric": metric,
        "unknown": _unknown(look.metric, results)
        if look.metric and metric and metric["metric"] != look.metric
        else None,
        "rows": pages.items,
        "pages": pages,
        "forests": [] if unhealthy else forests(pages.items),
        "guardrails": [] if unhealthy else [row for row in rows if row.metric.get("guardrail")][:MOST_GUARDRAILS],
        "unhealthy": unhealthy,
        "filling": filled,
        "looks": looks_told(results["plan"]),
        "series": drawn,
        "levels": level_pages.items,
        "level_pages": level_pages,
        "whole": detail.sql is None and look.days is None,
        "sql": detail.sql,
        "steps": steps_of(metric, detail.steps) if metric else None,
    }


def _unknown(name: str | None, results: Json) -> str:
    known = [each["metric"] for each in results["metrics"]]
    return f"This experiment reads no metric {(name or '')[:100]!r}{did_you_mean(name or '', known, '.')}"
