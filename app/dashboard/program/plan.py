"""The calculator: how long a test takes, or what lift some days can find, by what is said and by the shop's own log."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from app.analysis.queries import LoggedPlanQuery
from app.dashboard import charts
from app.dashboard.forms import PageRoute
from app.dashboard.rendering import answered, answered_soon, page
from app.dashboard.saying import Json
from app.dashboard.signed_in import Signed, SignedIn
from app.http.errors import Problem
from app.management.results import NewPlanParameters
from app.routes.dependencies import Worker
from app.worker.resources import Resources
from experiments.wording.figures import lift_text

router = APIRouter(include_in_schema=False, route_class=PageRoute)

USUAL: Final = "purchase_rate"
MOST_NAMES: Final = 200
LABELS: Final[Mapping[str, tuple[str, str]]] = {
    "metric": ("Metric", "what decides: purchase_rate"),
    "units_a_day": ("Visitors a day", "all variants together"),
    "baseline": ("Rate of today", "3%; with mean the mean"),
    "lift": ("Lift to find", "5%: then the answer is days"),
    "days": ("Days", "28: then the answer is the smallest lift"),
    "weights": ("Shares of the variants", "control first: 50,50"),
    "type": ("Type", ""),
    "sd": ("Standard deviation", "of a mean alone"),
    "method": ("Method", ""),
    "looks": ("Looks", "of planned alone: 4"),
    "alpha": ("Alpha", "0.05"),
    "power": ("Power", "0.8"),
    "window": ("Window", "how long a visitor's values count: 7 days"),
}
"""The parameters of `GET /v1/plan`, as the form names them."""
OPTIONS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "type": (("", "as the metric is"), ("proportion", "proportion"), ("mean", "mean")),
    "method": (("", "anytime: look whenever"), ("planned", "planned: a few looks"), ("fixed", "fixed: one look")),
}
CAVEATS: Final[Mapping[str, str]] = {
    "not_enough_units": "So few visitors are no test.",
    "out_of_range": "More visitors or days would be needed than can be counted.",
    "gate_opens_later": "In these days too little is expected to happen for anything to be judged.",
    "events_unknown": "How often it happens is not known, so nobody can say from when on it may be judged.",
}
"""What a plan lacks."""
OF_THE_DRAFT: Final = ("metric", "lift", "days", "method", "looks", "alpha", "power", "weights")


class CalculatorParameters(NewPlanParameters):
    """What stands in the address of the calculator."""

    asked: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """What came of it: a plan, the same for several spans of days, or what is wrong, by parameter or in all."""

    plan: Json | None = None
    table: Sequence[Json] = ()
    wrong: Mapping[str, str] = field(default_factory=dict[str, str])
    refused: str = ""
    late: bool = False

    @property
    def row(self) -> Json | None:
        """What all of it rests on: traffic, baseline, spread."""
        return self.plan or (self.table[0] if self.table else None)


@router.get("/dashboard/plan")
async def calculator_page(
    request: Request, signed: SignedIn, worker: Worker, told: Annotated[CalculatorParameters, Query()]
) -> HTMLResponse:
    """The plan for what is said. On the first look that is nothing but the usual metric, as the log has it."""
    if not told.model_fields_set and USUAL in worker.catalogs.catalog.metrics:
        told = CalculatorParameters(metric=USUAL)
    fields = {name: text or "" for name, text in told.model_dump(include=set(LABELS)).items()}
    found = await _planned(signed, worker, told)
    if not told.asked:  # nothing was said yet that could be wrong
        found = replace(found, wrong={}, refused="")
    status = 400 if found.wrong or found.refused else 200
    names = sorted(worker.catalogs.catalog.metrics)[:MOST_NAMES]
    return page(request, signed, "plan.html", status, **plan_shown(fields, found), first=not told.asked, metrics=names)


def plan_shown(fields: Mapping[str, str], found: Planned) -> dict[str, Any]:
    """What the template shows of a plan."""
    chosen = {name: fields[name] for name in OF_THE_DRAFT if fields[name]}
    if found.plan and found.plan["days"]:
        chosen["days"] = str(found.plan["days"])
    on_the_curve = None if fields["lift"] and fields["days"] else found.plan  # else its chance is another one
    return {
        "labels": LABELS,
        "options": OPTIONS,
        "caveats": CAVEATS,
        "fields": fields,
        "found": found,
        "plan": found.plan,
        "row": found.row,
        "logged": found.row["from_log"] if found.row else (),
        "drawn": drawn(found.table, on_the_curve),
        "draft": urlencode(chosen),
    }


async def _planned(signed: Signed, worker: Resources, told: CalculatorParameters) -> Planned:
    """The plan; where one of lift and days is said, the table too that a picture is drawn of."""
    try:
        answer = await _answer(signed, worker, told)
        if answer is None:
            return Planned(late=True)
        if "table" in answer:
            return Planned(table=answer["table"])
        beside = await _answer(signed, worker, told.model_copy(update={"lift": None, "days": None, "looks": None}))
    except Problem as problem:
        if problem.code != "invalid_plan":
            raise
        wrong = by_parameter(problem.detail)
        return Planned(wrong=wrong, refused="" if wrong else problem.detail)
    return Planned(answer, beside["table"] if beside else ())


async def _answer(signed: Signed, worker: Resources, told: CalculatorParameters) -> Json | None:
    """As `GET /v1/plan` answers; None while the log is still being read. Raises Problem."""
    query = told.query
    if isinstance(query, LoggedPlanQuery):
        return await answered_soon(worker, signed, query)
    return await answered(worker, signed, query)


def by_parameter(detail: str) -> dict[str, str]:
    """A refusal of a plan, told beside its parameters."""
    parts = re.split(rf"(?:^|; )({'|'.join(LABELS)}): ", detail)
    return dict(zip(parts[1::2], parts[2::2], strict=True)) if not parts[0] else {}


def drawn(table: Sequence[Json], plan: Json | None) -> charts.Series | None:
    """Days against the smallest lift that they find."""
    rows = [*table, *([plan] if plan else ())]
    points = sorted({(row["days"], row["mde"]) for row in rows if row["days"] and row["mde"]})
    if len(points) < 2:
        return None
    bottom = charts.HEIGHT - charts.FOOT
    across = charts.Axis(0.0, float(points[-1][0]), charts.LEFT, charts.WIDTH - charts.RIGHT)
    up = charts.Axis(0.0, max(mde for _, mde in points) * 1.1, bottom, 10.0)
    places = [charts.Dot(across.at(day), up.at(mde), f"{day} days: {lift_text(mde)}") for day, mde in points]
    days = [charts.Tick(place.x, f"{day}") for place, (day, _) in zip(places, points, strict=True)]
    line = " ".join(f"{place.x},{place.y}" for place in places)
    return charts.Series(charts.HEIGHT, bottom, up.ticks(lift_text), days, [], [line], places)
