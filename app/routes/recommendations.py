"""Products for one visitor, lists that may be cached for everybody, and the report on the live model."""

import json
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Response

from app.analysis.queries import AttributionQuery
from app.http.admission import admit
from app.http.body import decode, told_ids, told_people
from app.http.errors import Problem
from app.http.exchange import Exchange, HttpAnswer, Reply, matches
from app.identity.people import people_asking
from app.routes.dependencies import Asked, Known, Secret, Worker, analysed
from app.routes.evaluation import for_named_user
from app.routes.visitor import Asking, asking
from app.worker.recommendations import LiveRecommender
from app.worker.resources import Resources
from events.consent import Consent
from recommender.ranking.request import ListRequest, Strategy
from recommender.ranking.rules import FilterError, ListRules, conditions

MAX_ITEMS: Final = 200
MAX_EXCLUDED: Final = 1_000
MAX_LIMIT: Final = 100
MAX_SLOT: Final = 100


class RecommendationsBody(msgspec.Struct, frozen=True):
    """The request body; null is the same as absent."""

    visitor_id: Any = None  # ids are read where all others are
    user_id: Any = None
    slot: str | None = None
    strategy: Strategy | None = None
    items: list[Any] | None = None
    limit: int | float | None = None  # 5.0 is a whole number too, in JSON
    filter: dict[str, Any] | None = None
    exclude: list[Any] | None = None
    exclude_purchased: bool | None = None
    diversity: float | None = None
    consent: Any = None  # its words are checked where those of headers are
    user_token: Any = None  # of whatever type: one that proves nothing refuses nothing


DECODER: Final = msgspec.json.Decoder(RecommendationsBody)


def recommend(exchange: Exchange, resources: Resources, raw: bytes) -> Reply:
    """The handler."""
    admit(exchange, resources.access, ())
    body, recommender = decode(raw, DECODER), resources.recommender
    visitor, user, repaired = told_people(body.visitor_id, body.user_id)
    request = list_request(body, recommender)
    consent = resources.consent_of(exchange, body.consent)
    for_whom = asking(exchange, resources, visitor, consent, repaired)
    if consent is not Consent.PERSONAL:  # nobody's past: what `request` asks for nobody
        return _answer(exchange, for_whom, request, recommender)

    def answer() -> Reply:
        people = people_asking(exchange.authority, None if for_whom.is_new else for_whom.visitor_id, user)
        return _answer(exchange, for_whom, msgspec.structs.replace(request, people=people), recommender)

    return for_named_user(exchange, resources, for_whom.visitor_id, user, body.user_token, answer)


async def _answer(
    exchange: Exchange, for_whom: Asking, request: ListRequest, recommender: LiveRecommender
) -> HttpAnswer:
    [answer] = await recommender.lists([request])
    told = for_whom.told + exchange.standing.told
    return HttpAnswer(200, b"%b%b}" % (msgspec.json.encode(answer)[:-1], told), headers=for_whom.headers)


def list_request(body: RecommendationsBody, recommender: LiveRecommender) -> ListRequest:
    """The list that a body asks for, for nobody yet. Raises Problem 400 that names the field."""
    for name, listed, most in (("items", body.items, MAX_ITEMS), ("exclude", body.exclude, MAX_EXCLUDED)):
        if listed is not None and len(listed) > most:
            raise Problem(400, f"too_many_{name}", f"{name}: at most {most} product ids")
    if body.slot is not None and len(body.slot) > MAX_SLOT:
        raise Problem(400, "invalid_slot", f"slot: a name has at most {MAX_SLOT} characters")
    if body.limit is not None and (not 1 <= body.limit <= MAX_LIMIT or body.limit != int(body.limit)):
        raise Problem(400, "invalid_limit", f"limit: it must be a whole number from 1 to {MAX_LIMIT}")
    limit = None if body.limit is None else int(body.limit)
    if body.diversity is not None and not 0 <= body.diversity <= 1:
        raise Problem(400, "invalid_diversity", "diversity: it must be from 0 to 1")
    request = recommender.request(body.slot, (), told_ids(body.items or ()), body.strategy, limit)
    if not (body.filter or body.exclude) and body.exclude_purchased is None and body.diversity is None:
        return request
    return msgspec.structs.replace(request, rules=_with_own(request.rules, body))


def _with_own(slot: ListRules, body: RecommendationsBody) -> ListRules:
    """The slot's rules and the body's together."""
    try:
        filters = conditions(body.filter or {})
    except FilterError as error:
        raise Problem(400, "invalid_filter", str(error)) from None
    return replace(
        slot,
        exclude=(*slot.exclude, *told_ids(body.exclude or ())),
        conditions=(*slot.conditions, *filters),
        exclude_purchased=slot.exclude_purchased if body.exclude_purchased is None else body.exclude_purchased,
        diversity=slot.diversity if body.diversity is None else body.diversity,
    )


router = APIRouter(tags=["Recommendations"])

CACHED = "public, max-age=60, stale-while-revalidate=600"


@router.get("/v1/recommendations/{product_id:path}", summary="What goes with one product, for everybody; cacheable")
async def product_recommendations(
    product_id: Annotated[str, Path(min_length=1, max_length=256, examples=["sku-17"])],
    asked: Asked,
    worker: Worker,
    _: Known,
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
    slot: Annotated[str | None, Query(max_length=100)] = None,
    strategy: Annotated[Literal["bought_together", "popular"] | None, Query()] = None,
) -> Response:
    request = worker.recommender.request(slot, (), (product_id,), strategy or "bought_together", limit)
    answer, etag = worker.recommender.page_list(request)
    headers = {"etag": etag, "cache-control": CACHED}
    if matches(asked.headers.get(b"if-none-match"), etag.encode()):
        return Response(status_code=304, headers=headers)
    return Response(msgspec.json.encode(answer), headers=headers, media_type="application/json")


@router.get(
    "/v1/recommender", summary="The live model: validation, coverage, fallback rate, clicks and revenue per strategy"
)
async def recommender_report(asked: Asked, worker: Worker, _: Secret) -> Response:
    report = model_report(worker)
    try:
        report["attribution"] = json.loads((await analysed(asked, worker, AttributionQuery())).body)
    except Problem as problem:  # the model is known all the same
        report["attribution"], report["attribution_error"] = None, problem.code
    return Response(msgspec.json.encode(report), media_type="application/json", headers={"cache-control": "no-store"})


def model_report(worker: Resources) -> dict[str, Any]:
    """What serves now, and how the last training ended."""
    recommender = worker.recommender
    model, products = recommender.versions
    return {
        "model_version": model,
        "products_version": products,
        "products": recommender.assortment_size,
        "model": {name: value for name, value in recommender.facts.items() if name != "files"},
        "damaged": recommender.damages,
        "last_training": recommender.last_training(),
        "strategies": worker.telemetry.recommendations(),
    }
