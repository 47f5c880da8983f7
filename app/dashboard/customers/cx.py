"""Customers' experience: a tile a KPI, one of them day by day and by level, and the journey.

All is said as `GET /v1/cx` says it: the tiles are one question, the levels of the KPI that is looked at another one.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from app.analysis.queries import ExperienceAsked
from app.dashboard.charts import Day, Funnel, Series, funnel, trace, trend
from app.dashboard.forms import PageRoute
from app.dashboard.paging import one_page
from app.dashboard.rendering import answered_soon, page, root_of
from app.dashboard.saying import Json, capital, short_day
from app.dashboard.signed_in import SignedIn
from app.routes.dependencies import Worker
from experiments.wording.figures import kpi_difference_text, kpi_text
from kit.suggestions import did_you_mean

router = APIRouter(include_in_schema=False, route_class=PageRoute)

HERE: Final = "/dashboard/cx"
WINDOWS: Final = (1, 7, 28, 90)
SPLITS: Final = ("", "channel", "device", "country", "survey")
LEVELS: Final = 12  # on a page
DAYS: Final = 21  # of a table on a page
CHANGES: Final[Mapping[str | None, tuple[str, str]]] = {
    "better": ("good", "✓ better than before"),
    "worse": ("bad", "✕ worse than before"),
    "unclear": ("open", "no different yet"),
    None: ("still", "nothing to compare with"),
}
"""How a change since the time before is shown, and its words."""
REACHES: Final[Mapping[str, tuple[str, str]]] = {
    "met": ("good", "✓ target met"),
    "missed": ("bad", "✕ target missed"),
    "open": ("open", "target open"),
}


class ExperienceLook(BaseModel):
    """Which days, which KPI, split by what, whose; a page of levels and of days."""

    model_config = ConfigDict(frozen=True)

    since: Annotated[str, Field(alias="from", max_length=10)] = ""
    until: Annotated[str, Field(alias="to", max_length=10)] = ""
    window: Annotated[int, Field(ge=1, le=366)] = 28
    kpi: Annotated[str, Field(max_length=100)] = ""
    survey: Annotated[str, Field(max_length=200)] = ""
    by: Literal["", "channel", "device", "country", "survey"] = ""
    segment: Annotated[str, Field(max_length=200)] = ""
    levels: Annotated[int, Field(ge=1, le=100_000)] = 1
    days: Annotated[int, Field(ge=1, le=100_000)] = 1

    def query(self, kpi: str | None = None) -> ExperienceAsked:
        """The question of the tiles, or of one KPI and its levels."""
        return ExperienceAsked(
            since=self.since or None,
            until=self.until or None,
            window=self.window,
            kpi=kpi,
            survey=self.survey or None,
            by=(self.by or None) if kpi else None,
            segment=self.segment or None,
            compare="previous",
        )

    def link(self, **changes: object) -> str:
        """What follows the address of the page to look so, with some of it changed."""
        asked = self.model_dump(exclude_defaults=True, by_alias=True) | changes
        return f"?{urlencode({name: value for name, value in asked.items() if value is not None})}"


@router.get("/dashboard/cx")
async def experience_page(
    request: Request, signed: SignedIn, worker: Worker, look: Annotated[ExperienceLook, Query()]
) -> HTMLResponse:
    """The tiles of the days that are asked for, 90 without; what takes longer than two seconds is computed on."""
    told = await answered_soon(worker, signed, look.query())
    address = f"{root_of(request)}{HERE}"

    def link(**changes: object) -> str:
        return f"{address}{look.link(**changes)}"

    segments = sorted(worker.catalogs.catalog.segments)
    shown: dict[str, Any] = {"look": look, "link": link, "segments": segments, "windows": WINDOWS, "splits": SPLITS}
    if told is None:
        return page(request, signed, "cx.html", told=None, **shown)
    chosen = chosen_of(told["kpis"], look.kpi)
    split = await answered_soon(worker, signed, look.query(chosen["kpi"])) if chosen and look.by else None
    return page(request, signed, "cx.html", told=told, **shown, **shown_experience(told, look, chosen, split))


def chosen_of(kpis: Sequence[Json], name: str) -> Json | None:
    """The KPI that is asked for, else the first that has a value."""
    wanted = next((each for each in kpis if each["kpi"] == name), None)
    known = next((each for each in kpis if each["value"] is not None), kpis[0] if kpis else None)
    return wanted or known


def shown_experience(told: Json, look: ExperienceLook, chosen: Json | None, split: Json | None) -> dict[str, Any]:
    """What the template shows of the answers; `split` is None where nothing is split, or still computed."""
    kpis = told["kpis"]
    levels = [each for each in split["kpis"] if each["level"] is not None] if split else []
    known = [each["kpi"] for each in kpis]
    missed = bool(look.kpi) and look.kpi not in known
    series = chosen["series"] if chosen else ()
    return {
        "tiles": [tile_of(each) for each in kpis],
        "empty": all(each["value"] is None for each in kpis),
        "changed": [tile_of(each) for each in kpis if each["change"] in ("better", "worse")],
        "unknown": f"There is no KPI {look.kpi!r} here{did_you_mean(look.kpi, known)}" if missed else None,
        "chosen": chosen and tile_of(chosen),
        "series": trend_of(chosen) if chosen else None,
        "days": one_page([point_of(each, chosen) for each in reversed(series)] if chosen else [], look.days, DAYS),
        "levels": one_page([tile_of(each) for each in levels], look.levels, LEVELS),
        "late": bool(look.by) and split is None and chosen is not None,
        "journey": told["journey"],
        "stages": stages_said(told["journey"]["stages"]),
        "funnel": funnel_of(told["journey"]["stages"]),
    }


def tile_of(kpi: Json) -> dict[str, Any]:
    """A KPI, or a level of it, with what is said of each of its numbers."""
    scale = kpi["unit"]
    service = kpi["in_service"]
    return {
        "kpi": kpi,
        "title": capital(kpi["title"]),
        "level": ("unknown" if kpi["level"] == "" else kpi["level"]) if kpi["level"] is not None else None,
        "value": kpi_text(kpi["value"], scale),
        "ends": ends_said(kpi["ci"], scale),
        "difference": change_text(kpi["difference"], scale),
        "difference_ends": [change_text(each, scale) for each in kpi["difference_ci"] or ()],
        "previous": kpi_text(kpi["previous"], scale),
        "target": kpi_text(kpi["target"], scale),
        "service": kpi_text(service["value"], scale) if service and service["value"] is not None else None,
        "change": CHANGES[kpi["change"]],
        "reach": REACHES[kpi["reach"]] if kpi["reach"] else None,
        "trace": trace([each["value"] for each in kpi["series"]]),
    }


def change_text(value: float | None, scale: Any) -> str:
    """A difference with its sign."""
    if value is None:
        return kpi_text(None, scale)
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{kpi_difference_text(value, scale)}"


def ends_said(interval: Sequence[float | None] | None, scale: Any) -> list[str]:
    """Both ends of an interval as people say them."""
    return [kpi_text(each, scale) for each in interval or ()]


def point_of(point: Json, kpi: Json) -> dict[str, Any]:
    """A day of a series in a row of a table."""
    scale = kpi["unit"]
    return {"point": point, "value": kpi_text(point["value"], scale), "ends": ends_said(point["ci"], scale)}


def trend_of(kpi: Json) -> Series | None:
    """A KPI day by day; None where no day has a value."""
    scale: Any = kpi["unit"]
    days = [
        Day(
            short_day(each["date"]),
            each["value"],
            each["ci"],
            f"{short_day(each['date'])}: {kpi_text(each['value'], scale)}",
        )
        for each in kpi["series"]
    ]
    if all(day.estimate is None for day in days):
        return None
    return trend(days, lambda value: kpi_text(value, scale), kpi["target"])


def stages_said(stages: Sequence[Json]) -> list[dict[str, Any]]:
    """The stages of the journey with how soon each is reached."""
    return [
        {
            "stage": each,
            "title": capital(each["stage"]),
            "soon": kpi_text(each["median_hours"], "hours"),
            "soon_ends": ends_said(each["median_hours_ci"], "hours"),
        }
        for each in stages
    ]


def funnel_of(stages: Sequence[Json]) -> Funnel | None:
    """The journey drawn; None where nobody entered it."""
    if not stages or not stages[0]["count"]:
        return None
    reached = [each["count"] for each in stages]
    return funnel([capital(each["stage"]) for each in stages], [("came so far", reached[0], reached)])
