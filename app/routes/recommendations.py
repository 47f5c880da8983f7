"""Recommendations that may be cached for everybody, and the report on the live model."""

import json
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Response

from app.errors import Problem
from app.resources import Resources
from app.routes.analysis_door import ask
from app.routes.callers import Asked, Known, Secret, Worker

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
        attributed = await ask(asked, worker, "recommendations")
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
