"""In the OpenAPI document: the name of every operation, the types of what it answers as JSON, and an example of it."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from app.glossary.entries import schemas

JSON = dict[str, Any]

JSON_TYPE: Final = "application/json"
BINARY: Final = "application/octet-stream"
FILES: Final = ("text/csv", "application/vnd.apache.parquet", "application/x-ndjson", "image/gif")
EXAMPLES: Final = Path(__file__).with_name("examples.json")


class AnsweredOperation(NamedTuple):
    """An operation by its name in clients, and the types of its JSON by status; without any, it answers none."""

    name: str
    answers: Mapping[str, tuple[str, ...]] = {}


def _named(name: str, *types: str, status: str = "200") -> AnsweredOperation:
    return AnsweredOperation(name, {status: types} if types else {})


BRIEF: Final = "application/vnd.resonate.brief+json"
OWN_MEDIA: Final[Mapping[str, str]] = {BRIEF: "BriefReadout"}
"""JSON of another form than what the operation answers without being asked for it, by its media type."""
ERASED: Final = {"200": ("PersonCounted",), "202": ("PersonErased",)}
KINDS: Final = ("track", "page", "screen", "identify", "group", "alias", "batch")
OPERATIONS: Final[Mapping[str, AnsweredOperation]] = {
    "POST /ofrep/v1/evaluate/flags/{key}": _named("evaluateFlag", "Flag"),
    "POST /ofrep/v1/evaluate/flags": _named("evaluateFlags", "Flags"),
    "GET /ofrep/v1/stream": _named("streamFlagChanges"),
    "POST /v1/personalize": _named("personalize", "Personalized"),
    "POST /v1/personalize/batch": _named("personalizeBatch"),
    "POST /v1/recommendations": _named("recommend", "RecommendedList"),
    "GET /v1/recommendations/{product_id}": _named("getProductRecommendations", "ListAnswer"),
    "GET /v1/recommender": _named("getRecommender", "RecommenderReport"),
    "PUT /v1/products": _named("putProducts", "ProductsTaken"),
    "POST /v1/visitor": _named("issueVisitor", "VisitorIssued"),
    **{f"POST /v1/{kind}": _named(kind, "Tracked") for kind in KINDS},
    **{f"POST /rudder/v1/{kind}": _named(f"rudder{kind.title()}", "Tracked") for kind in KINDS},
    "POST /v1/import": _named("importEvents", "Tracked"),
    "POST /beacon/v1/batch": _named("beaconBatch", "Tracked"),
    "POST /v1/engagement": _named("engagement", "Tracked"),
    **{f"GET /v1/pixel/{kind}": _named(f"pixel{kind.title()}") for kind in ("track", "page", "identify")},
    "POST /track": _named("trackForGrowthBook", "Tracked"),
    "GET /api/features/{key}": _named("getGrowthBookFeatures", "GrowthBookFeatures"),
    "POST /api/eval/{key}": _named("evaluateForGrowthBook", "GrowthBookFeatures"),
    "GET /sub/{key}": _named("streamGrowthBookFeatures"),
    "POST /mp/collect": _named("collectForGoogleAnalytics"),
    "GET /resonate.js": _named("getTag"),
    "GET /resonate-{hash}.js": _named("getTagLibrary"),
    "GET /resonate-parts-{hash}.js": _named("getTagParts"),
    "GET /resonate.d.ts": _named("getTagTypes"),
    "GET /v1/projects/{key}/settings": _named("getSegmentSettings", "SegmentSettings"),
    "GET /sourceConfig": _named("getRudderStackSettings", "RudderStackSettings"),
    "GET /healthz": _named("getHealth", "Alive"),
    "GET /readyz": AnsweredOperation("getReadiness", {"200": ("Readiness",), "503": ("Draining",)}),
    "GET /readyz/events": AnsweredOperation(
        "getEventsReadiness", {"200": ("EventsReadiness",), "503": ("Draining", "EventsUnavailable")}
    ),
    "GET /metrics": _named("getCounters"),
    "GET /v1/doctor": _named("getDiagnosis", "Diagnosis"),
    "GET /v1/operations": _named("getOperations", "OperationsAnswer"),
    "GET /v1/events": _named("getEventNames", "EventNames", "EventRows"),
    "GET /v1/events/rejected": _named("getRefusedEvents", "RefusedAnswer"),
    "GET /v1/keys": _named("getKeys", "KeyListAnswer"),
    "GET /v1/audit": _named("getAudit", "AuditPage"),
    "GET /v1/plan": _named("getPlan", "Outlook", "PlanTable"),
    "GET /v1/experiments": _named("getExperiments", "ExperimentList"),
    "GET /v1/experiments/{key}": _named("getExperiment", "ExperimentAnswer"),
    "GET /v1/experiments/{key}/results": _named("getResults", "Readout"),
    "GET /v1/experiments/{key}/timeseries": _named("getTimeseries", "Timeseries"),
    "GET /v1/experiments/{key}/plan": _named("getExperimentPlan", "TrafficPlan"),
    "GET /v1/experiments/{key}/units": _named("getUnits", "UnitRows"),
    "GET /v1/experiments/{key}/report": _named("getReport"),
    "POST /v1/experiments/{key}/shares": _named("shareReport", "ShareMade", status="201"),
    "GET /v1/shares": _named("getShares", "ShareList"),
    "DELETE /v1/shares/{id}": _named("deleteShare"),
    "GET /share/{token}": _named("getSharedReport"),
    "POST /v1/surveys/links": _named("makeSurveyLink", "SurveyLinkMade", status="201"),
    "GET /survey/{token}": _named("getSurvey"),
    "POST /survey/{token}": _named("answerSurvey"),
    "GET /v1/results": _named("getAllResults", "ComparisonRows"),
    "GET /v1/program": _named("getProgram", "Program"),
    "GET /v1/holdouts": _named("getHoldouts", "HoldoutList"),
    "GET /v1/holdouts/{key}/results": _named("getHoldoutResults", "HoldoutReport"),
    "GET /v1/metrics": _named("getMetrics", "MetricList"),
    "GET /v1/cx": _named("getCustomerExperience", "CustomerExperience"),
    "POST /v1/experiments/{key}/pause": _named("pauseExperiment", "OrderAnswer", status="202"),
    "POST /v1/experiments/{key}/resume": _named("resumeExperiment", "OrderAnswer", status="202"),
    "POST /v1/experiments/{key}/stop": _named("stopExperiment", "OrderAnswer", status="202"),
    "POST /v1/experiments/{key}/start": _named("startExperiment", "OrderAnswer", status="202"),
    "POST /v1/experiments/{key}/ship": _named("shipExperiment", "OrderAnswer", status="202"),
    "POST /v1/experiments/{key}/preview": _named("makePreviewLink", "PreviewLinkMade", status="201"),
    "GET /v1/export/events": _named("exportEvents"),
    "GET /v1/visitors/{identifier}": _named("getVisitor", "PersonHeld"),
    "GET /v1/users/{identifier}": _named("getUser", "PersonHeld"),
    "DELETE /v1/visitors/{identifier}": AnsweredOperation("eraseVisitor", ERASED),
    "DELETE /v1/users/{identifier}": AnsweredOperation("eraseUser", ERASED),
    "DELETE /v1/visitors": AnsweredOperation("eraseVisitorOfBody", ERASED),
    "DELETE /v1/users": AnsweredOperation("eraseUserOfBody", ERASED),
    "GET /v1/erasures": _named("getErasures"),
    "POST /v1/visitors/{identifier}/proof": _named("logIn", "Done"),
    "DELETE /v1/visitors/{identifier}/proof": _named("logOut", "Done"),
}
PROBLEMS: Final[Mapping[str, Mapping[str, str]]] = {  # problems that say more than others, by route and status
    **{f"{method} /v1/{kind}/{{identifier}}": {"409": "SeveralMeant"} for method in ("GET", "DELETE")
       for kind in ("visitors", "users")},
    **{f"DELETE /v1/{kind}": {"409": "SeveralMeant"} for kind in ("visitors", "users")},
    "PUT /v1/products": {"400": "BadProducts"},
}  # fmt: skip


SHOWN: Final[Mapping[str, str]] = {  # what stands in an address for example, by the place in it
    "/v1/experiments/{key}": "free-shipping-banner",
    "/v1/holdouts/{key}": "q1-global",
    "/v1/projects/{key}": "pk_demo",
    "/v1/recommendations/{product_id}": "sku-17",
    "/v1/visitors/{identifier}": "v-1",
    "/v1/users/{identifier}": "u-1",
    "/v1/shares/{id}": "5f2c9f6a0d1e",
    "/share/{token}": "TOKEN-OF-THE-LINK",
    "/survey/{token}": "TOKEN-OF-THE-LINK",
    "/resonate-{hash}": "0123456789abcdef",
    "/resonate-parts-{hash}": "0123456789abcdef",
}


def with_answers(method: str, path: str, operation: JSON) -> None:
    """Gives an operation its name, its address an example, and its JSON answers their types and examples; its files are
    binary too."""
    name = f"{method.upper()} {path}"
    known = OPERATIONS[name]
    operation.setdefault("security", [])
    operation["operationId"] = known.name
    for each in operation.get("parameters", ()):
        if each["in"] == "path" and "example" not in each:
            each["example"] = SHOWN[path[: path.index("}") + 1]]
    as_file(operation.get("requestBody", {}).get("content", {}))
    for status, shared in tuple(operation["responses"].items()):
        content: JSON = dict(shared.get("content", {}))
        types = known.answers.get(status, ())
        if status.startswith("2") and not types:
            content.pop(JSON_TYPE, None)
            shared = {name: value for name, value in shared.items() if name != "content"}
        if types:
            shown = content.get(JSON_TYPE, {})
            content[JSON_TYPE] = {"example": shown["example"]} if "example" in shown else example_of(known.name, status)
            content[JSON_TYPE]["schema"] = one_of_types(types)
        if status in PROBLEMS.get(name, {}):
            content["application/problem+json"] = {"schema": one_of_types([PROBLEMS[name][status]])}
        for kind in OWN_MEDIA.keys() & content.keys():
            content[kind] = {"schema": one_of_types([OWN_MEDIA[kind]])} | content[kind]
        as_file(content)
        operation["responses"][status] = {**shared, "content": content} if content else dict(shared)


def as_file(content: JSON) -> None:
    """A body that is a file and no JSON is bytes to a client that does not know its kind."""
    files = [kind for kind in FILES if kind in content]
    for kind in files:
        content[kind] = {"schema": {"type": "string"}} | content[kind]
    if files and JSON_TYPE not in content:
        shown = {name: value for name, value in content[files[0]].items() if name == "example"}
        content[BINARY] = {"schema": {"type": "string", "format": "binary"}} | shown


def one_of_types(types: Any) -> JSON:
    """The schema of one of these types."""
    references: list[JSON] = [{"$ref": f"#/components/schemas/{name}"} for name in types]
    return references[0] if len(references) == 1 else {"anyOf": references}


def answer_schemas() -> JSON:
    """The schemas of all JSON answers, by type."""
    return dict(schemas())


@cache
def _examples() -> JSON:
    return msgspec.json.decode(EXAMPLES.read_bytes())


def example_of(name: str, status: str) -> JSON:
    """An answer that was given, as the member of a media type; a status that is not told of has none."""
    found = _examples().get(f"{name} {status}")
    return {} if found is None else {"example": found}
