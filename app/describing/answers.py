"""Every type that is served as JSON, and the files that are made of them: the schemas, the glossary and its page."""

from functools import cache
from typing import Any, Final

import msgspec

from app.answers import sdks
from app.answers.operations import (
    Alive,
    AuditPage,
    Diagnosis,
    Draining,
    EventsReadiness,
    EventsUnavailable,
    KeyListAnswer,
    OperationsAnswer,
    Readiness,
    RefusedAnswer,
)
from app.answers.recommender import RecommenderReport
from app.answers.refusals import RefusalCode
from app.answers.sdks import GrowthBookFeatures, GrowthBookRefused, RudderStackSettings, SegmentSettings
from app.answers.steering import OrderAnswer, PreviewLinkMade, ShareList, ShareMade, SurveyLinkMade
from app.answers.visitors import (
    BadProducts,
    Done,
    Flag,
    Flags,
    OfrepFailure,
    Personalized,
    PersonCounted,
    PersonErased,
    PersonHeld,
    ProblemAnswer,
    ProductShown,
    ProductsTaken,
    RecommendedList,
    SeveralMeant,
    Tracked,
    VisitorIssued,
)
from app.describing.types import Forms, ServedTypes
from app.glossary.entries import Explained
from app.worker.recommendations import ListAnswer
from events.causes import StoreCause
from experiments.answers.arrivals import EventNames, EventRows
from experiments.answers.brief import BriefReadout
from experiments.answers.comparison import Methods
from experiments.answers.customers import CustomerExperience
from experiments.answers.encoding import METHODS, OPTIONAL, OWN_NAMES
from experiments.answers.readout import Readout
from experiments.answers.reports import (
    ComparisonRows,
    ExperimentAnswer,
    ExperimentList,
    HoldoutList,
    HoldoutReport,
    MetricList,
    MetricTold,
    Timeseries,
    UnitRows,
)
from experiments.definitions.shop import Bound, Cap, Metric, RatioPart, Subtract
from experiments.planning.plan import Outlook, PlanTable
from experiments.program.report import Program
from experiments.readout.planning import TrafficPlan
from experiments.statistics.estimate import Interval, NoEstimate

FORMS: Final = Forms(
    instead={
        NoEstimate: {"type": "null"},
        Interval: {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
        msgspec.Raw: ProductShown,
    },
    parts={Methods: {method: {name: OWN_NAMES.get(name, name) for name in names} for method, names in METHODS.items()}},
    optional=OPTIONAL,
    foreign=frozenset(kind for kind in vars(sdks).values() if isinstance(kind, type)),
    without_null=frozenset({Metric, MetricTold, RatioPart, Cap, Bound, Subtract}),
)
SERVED: Final[tuple[Any, ...]] = (
    Readout, BriefReadout, Timeseries, ExperimentList, ExperimentAnswer, MetricList, UnitRows, ComparisonRows,
    CustomerExperience, HoldoutList, HoldoutReport, Program, Outlook, PlanTable, TrafficPlan, EventNames, EventRows,
    Alive, Readiness, Draining, EventsReadiness, EventsUnavailable, OperationsAnswer, Diagnosis, KeyListAnswer,
    AuditPage, RefusedAnswer, OrderAnswer, PreviewLinkMade,
    Done, Tracked, Personalized, RecommendedList, ListAnswer, Flag, Flags, OfrepFailure, VisitorIssued,
    PersonErased, PersonCounted, PersonHeld, SeveralMeant, ProblemAnswer, BadProducts, ProductsTaken, RecommenderReport,
    GrowthBookFeatures, GrowthBookRefused, SegmentSettings, RudderStackSettings, ShareMade, ShareList, RefusalCode,
    StoreCause, SurveyLinkMade,
)  # fmt: skip
HEAD: Final = """\
# Glossary
Every name that answers serve, and every word that may stand in them, with what it means. Made of the types themselves
by `python scripts/write_glossary.py`; the same sentences stand in `/openapi.json`, at the fields of Parquet answers
(`pyarrow.parquet.read_schema(file).field("lift").metadata`), and on the page that the header `Link` of a CSV answer
names. Where a name is something else in one type of answer, its row says so; the types are those of `/openapi.json`.

| name | what it is |
| --- | --- |
"""


@cache
def served_types() -> ServedTypes:
    """All served types."""
    found = ServedTypes(FORMS)
    for kind in SERVED:
        found.schema(kind)
    return found


def answers_json() -> bytes:
    """What workers read: an entry or a schema a line, so that two changes seldom meet."""
    found = served_types()
    entries = [_line(entry) for entry in found.explained]
    schemas = [f"{_line(name)}: {_line(schema)}" for name, schema in found.settled().items()]
    lines = ['{"entries": [', ",\n".join(entries), '],\n"schemas": {', ",\n".join(schemas), "}}\n"]
    return "\n".join(lines).encode()


def glossary_document() -> str:
    """The page of the documents."""
    return HEAD + "".join(_row(entry) for entry in served_types().explained)


def _row(entry: Explained) -> str:
    told = " ".join([entry.description, *(f"In {where}: {text}" for where, text in entry.elsewhere.items())])
    told = told.replace("|", "\\|")
    return f"| `{entry.name}` | {told} |\n"


def _line(value: Any) -> str:
    return msgspec.json.encode(value).decode()
