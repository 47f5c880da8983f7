"""Products for one visitor, lists that may be cached for everybody, and the report on the live model."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Response

from app.analysis.queries import AttributionQuery
from app.http.admission import admit
from app.http.body import decode
from app.http.errors import Problem
from app.http.exchange import Answer, Exchange, Pending
from app.routes.dependencies import Asked, Known, Secret, Worker, ask
from app.worker.resources import Resources
from events.dialects.validation import id_problem

MAX_ITEMS: Final = 200
MAX_EXCLUDED: Final = 1_000
MAX_LIMIT: Final = 100
MAX_SLOT: Final = 100


class RecommendationsBody(msgspec.Struct, frozen=True):
    """The request body; null is the same as absent."""

    visitor_id: str | None = None
    user_id: str | int | None = None
    slot: str | None = None
    strategy: Literal["for_you", "buy_again", "bought_together", "popular"] | None = None
    items: list[str] | None = None
    limit: int | float | None = None  # 5.0 is a whole number too, in JSON
    filter: dict[str, Any] | None = None
    exclude: list[str] | None = None
    exclude_purchased: bool | None = None
    diversity: float | None = None


DECODER: Final = msgspec.json.Decoder(RecommendationsBody)


def recommend(exchange: Exchange, resources: Resources, body: bytes) -> Pending:
    """The handler."""
    admit(exchange, resources.access)
    return _answer(checked(decode(body, DECODER)), resources)


async def _answer(request: Mapping[str, Any], resources: Resources) -> Answer:
    return Answer(200, msgspec.json.encode(await resources.recommender.recommend(request)))


def checked(body: RecommendationsBody) -> Mapping[str, Any]:
    """The body within its limits. Raises Problem 400 that names the field."""
    request = {name: value for name, value in msgspec.structs.asdict(body).items() if value is not None}
    if "user_id" in request:
        request["user_id"] = str(request["user_id"])
    for name in ("visitor_id", "user_id"):
        problem = id_problem(request[name]) if name in request else None
        if problem is not None:
            raise Problem(400, "invalid_id", f"{name}: {problem}")
    _at_most(body.items, MAX_ITEMS, "items")
    _at_most(body.exclude, MAX_EXCLUDED, "exclude")
    _whole_limit(request)
    if body.diversity is not None and not 0 <= body.diversity <= 1:
        raise Problem(400, "invalid_diversity", "diversity: it must be from 0 to 1")
    if body.slot is not None and len(body.slot) > MAX_SLOT:
        raise Problem(400, "invalid_slot", f"slot: a name has at most {MAX_SLOT} characters")
    return request


def _whole_limit(request: dict[str, Any]) -> None:
    limit = request.get("limit", 1)
    if not 1 <= limit <= MAX_LIMIT or limit != int(limit):
        raise Problem(400, "invalid_limit", f"limit: it must be a whole number from 1 to {MAX_LIMIT}")
    if "limit" in request:
        request["limit"] = int(limit)


def _at_most(listed: list[str] | None, most: int, name: str) -> None:
    if listed is not None and len(listed) > most:
        raise Problem(400, f"too_many_{name}", f"{name}: at most {most} product ids")


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
    request: dict[str, Any] = {"limit": limit}
    request |= {name: value for name, value in (("slot", slot), ("strategy", strategy)) if value is not None}
    answer, etag = worker.recommender.page_products(product_id, request)
    headers = {"etag": etag, "cache-control": CACHED}
    if asked.headers.get(b"if-none-match", b"").decode("latin-1") == etag:
        return Response(status_code=304, headers=headers)
    return Response(msgspec.json.encode(answer), headers=headers, media_type="application/json")


@router.get(
    "/v1/recommender", summary="The live model: validation, coverage, fallback rate, clicks and revenue per strategy"
)
async def recommender_report(asked: Asked, worker: Worker, _: Secret) -> Response:
    report = model_report(worker)
    try:
        attributed = await ask(asked, worker, AttributionQuery())
        report["attribution"] = json.loads(bytes(attributed.body))
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
        "products": recommender.shelf_size,
        "model": {name: value for name, value in recommender.facts.items() if name != "files"},
        "damaged": recommender.damages,
        "last_training": recommender.last_training(),
        "strategies": recommender.served(),
    }
