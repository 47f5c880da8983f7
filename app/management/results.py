"""What came of the experiments, steering them without touching a file, and the log page by page."""

from typing import Annotated, Any, Final, Literal, Self

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.analysis.queries import (
    AllResultsQuery,
    Detail,
    EventsQuery,
    ExperienceAsked,
    ExperimentQuery,
    ExperimentsQuery,
    Form,
    HoldoutResultsQuery,
    HoldoutsQuery,
    LoggedPlanQuery,
    MetricsQuery,
    NewPlanQuery,
    PlanQuery,
    ProgramReportQuery,
    ResultsQuery,
    TimeseriesQuery,
    UnitsQuery,
)
from app.glossary.operations import BRIEF
from app.http.errors import Problem
from app.management.audit import Act, note
from app.routes.dependencies import Asked, Secret, Worker, analysis_response
from experiments.planning.assumptions import PARAMETERS, Assumptions, InvalidPlan, assumptions, plan_request

router = APIRouter(tags=["Results"])

FLAT: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "JSON, or the same as a flat table: in Parquet each field has its `description`, of CSV the "
        "header `Link` leads to what the columns hold.",
        "content": {"application/json": {}, "text/csv": {}, "application/vnd.apache.parquet": {}},
    },
    304: {"description": "What the caller holds is still right."},
}

IN_BRIEF: Final[dict[str, Any]] = {
    "experiment": "free-shipping-banner",
    "phase": 0,
    "as_of": "2026-12-01T12:00:00Z",
    "sentence": "Free-shipping banner: with threshold the purchase rate is 9.3 % against 8.9 %, 4.6 % higher "
    "(plausible: 1.2 % to 8.1 % higher). Ship threshold.",
    "decision": {"action": "ship", "variant": "threshold", "days_left": 0},
    "metrics": [
        {
            "metric": "purchase_rate",
            "variant": "threshold",
            "verdict": "wins",
            "effect_scale": "relative",
            "effect": 0.046,
            "low": 0.012,
            "high": 0.081,
        }
    ],
}
READOUT: Final[dict[int | str, dict[str, Any]]] = {
    **FLAT,
    200: FLAT[200] | {"content": FLAT[200]["content"] | {BRIEF: {"example": IN_BRIEF}}},
}

Key = Annotated[str, Path(max_length=100, description="The experiment's key.", examples=["free-shipping-banner"])]
FormQuery = Annotated[Form, Query(alias="format", description="`csv` and `parquet` are flat: one row per comparison.")]
Moment = Annotated[
    str | None,
    Field(
        max_length=40,
        json_schema_extra={"format": "date-time"},
        description="Repeat the look of this time: what was received by then.",
        examples=["2026-01-20T09:00:00Z"],
    ),
]
Name = Annotated[str | None, Field(min_length=1, max_length=200)]
Day = Annotated[str | None, Field(max_length=40, examples=["2026-01-31"], json_schema_extra={"format": "date"})]
Phase = Annotated[int | None, Field(ge=0, le=10_000, description="An earlier phase; the current one by default.")]


class UnitParameters(BaseModel):
    """The query of a table of units."""

    model_config = ConfigDict(frozen=True)

    at: Moment = None
    phase: Phase = None
    format: Form = "json"


class SeriesParameters(BaseModel):
    """The query of a series: of which metric, in which look."""

    model_config = ConfigDict(frozen=True)

    metric: Name = None
    at: Moment = None
    phase: Phase = None


class ReadoutParameters(UnitParameters):
    """The query of a readout: which look, which part of it, in which form."""

    metric: Name = None
    dimension: Name = None
    include: Literal["sql"] | None = Field(None, description="`sql` adds the SQL that was run.")
    detail: Detail = Field(
        "full", description="`brief` is the sentence, the decision and three numbers a metric, of at most some kB."
    )

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if self.detail == "brief" and (self.format != "json" or self.dimension or self.include):
            raise ValueError("detail=brief has no table, no dimension and no SQL: leave out format, dimension, include")
        return self


def _said(description: str, *examples: str) -> Any:
    return Field(None, max_length=1_000, description=description, examples=list(examples))


class PlanParameters(BaseModel):
    """What a plan is told, as texts: the domain reads them, for the command line in the same words."""

    model_config = ConfigDict(frozen=True)

    units_a_day: str | None = _said("Units that arrive each day, all variants together.", "1000")
    baseline: str | None = _said("The rate of today, `3%` or `0.03`; with `type=mean` the mean.", "0.03", "3%")
    lift: str | None = _said("The relative lift to find, `5%` or `0.05`: how many units and days does it take?", "0.05")
    type: str | None = _said("`proportion` (the default) or `mean`.", "proportion")
    sd: str | None = _said("With `type=mean` the standard deviation of a unit's value.", "42")
    days: str | None = _said("Days of enrolment: which lift do they find, or with `lift` with which power?", "28")
    weights: str | None = _said("Shares of the variants, control first; any sum.", "90,10")
    method: str | None = _said("`anytime` (the default), `planned` or `fixed`.", "fixed")
    looks: str | None = _said("Looks of `method=planned`, 4 by default.", "4")
    alpha: str | None = _said("Of all comparisons together, 0.05 by default.", "0.05")
    power: str | None = _said("0.8 by default.", "0.8")
    window: str | None = _said("How long a unit's values count, 7 days by default.", "7 days")

    @property
    def said(self) -> Assumptions:
        """Raises Problem 400 that names each parameter that cannot be read."""
        try:
            return assumptions(self.model_dump(include=set(PARAMETERS)))
        except InvalidPlan as error:
            raise Problem(400, "invalid_plan", str(error)) from None


Told = Annotated[PlanParameters, Query()]


class NewPlanParameters(PlanParameters):
    """The same, of a metric whose traffic and values the log knows."""

    metric: str | None = _said(
        "What is not said of its traffic, value and spread is that of the shop's log of 28 days.", "purchase_rate"
    )

    @property
    def query(self) -> LoggedPlanQuery | NewPlanQuery:
        """What the analysis is asked. Raises Problem 400."""
        if self.metric:
            return LoggedPlanQuery(self.metric, self.said)
        try:
            return NewPlanQuery(plan_request(self.said))
        except InvalidPlan as error:
            raise Problem(400, "invalid_plan", str(error)) from None


@router.get("/v1/plan", summary="A test before any traffic: units and days for a lift, the smallest lift of some days")
async def new_plan(_: Secret, asked: Asked, worker: Worker, told: Annotated[NewPlanParameters, Query()]) -> Response:
    """`units_a_day` and `baseline` are needed, or a `metric` that the log knows. With `lift` the answer is days, with
    `days` the smallest lift, with both the power, with neither a `table` for 7, 14, 28 and 56 days. `days` are of
    enrolment, `wait_days` follow until the last unit's window has closed; of several variants the smallest comparison
    decides, and they share alpha.
    """
    return await analysis_response(asked, worker, told.query)


ResultsOfList = Annotated[
    Literal["known", "now"],
    Query(description="`known` answers at once with what was read last; `now` reads first all that run, together."),
]


@router.get(
    "/v1/experiments", summary="All experiments with their states and what is wrong with the files", responses=FLAT
)
async def experiments(
    _: Secret, asked: Asked, worker: Worker, results: ResultsOfList = "known", form: FormQuery = "json"
) -> Response:
    """`sentence`, `action`, `alarm`, `checks`, `day`, `units` and `units_a_day` are what was read of an experiment
    last, `as_of` says when. As `csv` and `parquet` a row per experiment.
    """
    return await analysis_response(asked, worker, ExperimentsQuery(results, form))


@router.get("/v1/experiments/{key}", summary="One experiment: definition, phases, fingerprints")
async def experiment(key: Key, _: Secret, asked: Asked, worker: Worker) -> Response:
    return await analysis_response(asked, worker, ExperimentQuery(key))


@router.get("/v1/experiments/{key}/results", summary="The readout of an experiment", responses=READOUT)
async def results(
    key: Key, _: Secret, asked: Asked, worker: Worker, look: Annotated[ReadoutParameters, Query()]
) -> Response:
    query = ResultsQuery(key, look.at, look.phase, look.metric, look.dimension, look.include, look.format, look.detail)
    return await analysis_response(asked, worker, query)


@router.get("/v1/experiments/{key}/timeseries", summary="A metric day by day: cumulative, per day, by exposure")
async def timeseries(
    key: Key, _: Secret, asked: Asked, worker: Worker, look: Annotated[SeriesParameters, Query()]
) -> Response:
    return await analysis_response(asked, worker, TimeseriesQuery(key, look.at, look.metric, look.phase))


@router.get("/v1/experiments/{key}/plan", summary="Traffic, detectable effect, and days until it is reached")
async def plan(key: Key, _: Secret, asked: Asked, worker: Worker, told: Told) -> Response:
    """What is told outranks the log and the files; `baseline`, `type`, `sd`, `lift` and `window` are those of the first
    goal, `weights` has a number for each variant.
    """
    return await analysis_response(asked, worker, PlanQuery(key, told.said))


@router.get("/v1/experiments/{key}/units", summary="One row per unit, to rerun any test elsewhere", responses=FLAT)
async def units(
    key: Key, _: Secret, asked: Asked, worker: Worker, look: Annotated[UnitParameters, Query()]
) -> Response:
    table = await analysis_response(asked, worker, UnitsQuery(key, look.at, look.phase, look.format))
    await note(asked, worker, Act("export", key, after={"units_of_phase": look.phase, "at": look.at}))
    return table


Listed = Annotated[Literal["running", "all"], Query(description="`all`: also what was stopped, paused or archived.")]


@router.get("/v1/results", summary="Every running experiment, one row per comparison", responses=FLAT)
async def all_results(
    _: Secret, asked: Asked, worker: Worker, form: FormQuery = "json", status: Listed = "running"
) -> Response:
    return await analysis_response(asked, worker, AllResultsQuery(form, status))


class ProgramParameters(BaseModel):
    """Which decisions are summed, and in which form."""

    model_config = ConfigDict(frozen=True)

    since: Day = Field(None, alias="from", description="Decided on this shop day or later.")
    until: Day = Field(None, alias="to", description="Decided on this shop day or before.")
    metric: Name = Field(None, description="Only experiments whose first goal it is.")
    format: Form = Field("json", description="`csv` and `parquet` hold the rows.")


@router.get("/v1/program", summary="Did testing pay? Every concluded experiment, and their sum", responses=FLAT)
async def concluded_experiments(
    _: Secret, asked: Asked, worker: Worker, wanted: Annotated[ProgramParameters, Query()]
) -> Response:
    """Phases that were stopped or archived with a `decision`, once all their windows have closed. `naive_sum` adds what
    was measured of the shipped variants, `shrunk_sum` what is left of it: an estimate that was chosen for being large
    is too large. Lifts are relative; those of a metric that is shown in points are differences.
    """
    query = ProgramReportQuery(wanted.since, wanted.until, wanted.metric, wanted.format)
    return await analysis_response(asked, worker, query)


Holdout = Annotated[str, Path(max_length=100, description="The holdout's name.", examples=["q1-global"])]


class HoldoutParameters(BaseModel):
    """Which look at a holdout, and in which form."""

    model_config = ConfigDict(frozen=True)

    metric: Name = Field(None, description="This metric instead of the holdout's own.")
    since: Day = Field(None, alias="from", description="Who arrived from here on; by default since its start.")
    until: Day = Field(None, alias="to", description="Who arrived before; by default until its end.")
    at: Moment = None
    format: Form = Field("json", description="`csv` and `parquet` hold a row per metric.")


@router.get("/v1/holdouts", summary="The holdouts that are defined")
async def holdouts(_: Secret, asked: Asked, worker: Worker) -> Response:
    return await analysis_response(asked, worker, HoldoutsQuery())


@router.get("/v1/holdouts/{key}/results", summary="What everything did together, by a holdout", responses=FLAT)
async def holdout_results(
    key: Holdout, _: Secret, asked: Asked, worker: Worker, look: Annotated[HoldoutParameters, Query()]
) -> Response:
    """Everyone against those who are held back, from each visitor's first event on. `shipped` are the changes that were
    shipped meanwhile, `sum_of_lifts` and `shrunk_sum` what their own experiments said of the first metric.
    """
    query = HoldoutResultsQuery(key, look.at, look.since, look.until, look.metric, look.format)
    return await analysis_response(asked, worker, query)


@router.get("/v1/metrics", summary="The metrics and how they are computed")
async def metrics(_: Secret, asked: Asked, worker: Worker) -> Response:
    return await analysis_response(asked, worker, MetricsQuery())


class ExperienceParameters(BaseModel):
    """Which days, which KPIs, split by what, compared with what, and in which form."""

    model_config = ConfigDict(frozen=True)

    since: Day = Field(None, alias="from", description="The first shop day; without it 90 days are shown.")
    until: Day = Field(None, alias="to", description="The last shop day, today without it.")
    window: int = Field(28, ge=1, le=366, description="How many days each day of a series looks back.")
    kpi: Name = Field(None, description="This KPI alone.", examples=["csat"])
    survey: Name = Field(None, description="The answers to this survey alone, and with it the KPIs of surveys alone.")
    by: Literal["channel", "device", "country", "survey"] | None = Field(
        None, description="What else to split the KPIs by; levels with fewer than 20 answers are put together as `few`."
    )
    segment: Name = Field(None, description="Visitors of this segment of `segments.yaml` alone.")
    compare: Literal["previous"] | None = Field(None, description="`previous`: with as many days just before.")
    format: Form = Field("json", description="`csv` and `parquet`: rows per KPI, level and day, one without a day.")


@router.get("/v1/cx", summary="Customers' experience: KPIs with intervals, and the journey", responses=FLAT)
async def experience(
    _: Secret, asked: Asked, worker: Worker, wanted: Annotated[ExperienceParameters, Query()]
) -> Response:
    """CSAT, NPS and CES by the last answer of each visitor to each survey; who came back and who bought again; how soon
    tickets are answered and resolved, those still open included; and the stages of the journey. A change since the time
    before is called one only where its interval excludes 0, all KPIs considered together.
    """
    query = ExperienceAsked(
        wanted.since, wanted.until, wanted.window, wanted.kpi, wanted.survey, wanted.by, wanted.segment, wanted.compare,
        wanted.format,
    )  # fmt: skip
    return await analysis_response(asked, worker, query)


export_router = APIRouter(tags=["Export"])

NDJSON: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"application/x-ndjson": {}}}}
Cursor = Annotated[
    str | None,
    Query(
        max_length=4_000,
        description="`X-Resonate-Next-Cursor` of the page before; `latest` is behind all that is there.",
    ),
]
Limit = Annotated[int, Query(ge=1, le=10_000, description="Most rows of a page.")]


@export_router.get("/v1/export/events", summary="Events as NDJSON, in the order of the log", responses=NDJSON)
async def events(_: Secret, asked: Asked, worker: Worker, cursor: Cursor = None, limit: Limit = 1_000) -> Response:
    page = await analysis_response(asked, worker, EventsQuery(cursor, limit))
    if page.body:
        behind = {"behind": cursor, "next": page.headers["x-resonate-next-cursor"]}
        await note(asked, worker, Act("export", "events", after=behind))
    return page
