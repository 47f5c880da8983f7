"""What an operator looks at, in one answer: what is wrong and what ends it, how fast events come, what room is left."""

import asyncio
import contextlib
import time
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request, Response

from app.management.operations import STORE_SECONDS, asked_store, readiness
from app.routes.dependencies import Secret, Worker
from app.runtime.data_directory import DataDirectory
from app.worker.resources import Resources
from events.store.availability import StoreUnavailable
from events.store.memory import StoreMemory, read_memory
from events.writer.watermark import Written
from kit.time import SECOND_US, iso, moment_of

router = APIRouter(tags=["Operations"])

ANSWER: Final[dict[int | str, Any]] = {
    200: {
        "description": "By what this worker, the store and the data directory say now.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}


@router.get(
    "/v1/operations",
    summary="How the service is: what is wrong and what ends it, how fast events come, what room is left",
    responses=ANSWER,
)
async def operations(request: Request, _: Secret, worker: Worker) -> Response:
    told = await operations_of(worker, request.app.version)
    return Response(msgspec.json.encode(told), headers={"cache-control": "no-store"}, media_type="application/json")


async def operations_of(worker: Resources, version: str) -> dict[str, Any]:
    """An `OperationsAnswer`, by what this worker, the store and the data directory say now."""
    (written, refused), now = await asked_store(worker), time.time()
    memory = None if written is None else await _memory(worker)
    ready = readiness(worker, written, refused, reads=True)
    telemetry = worker.telemetry
    free, whole = await asyncio.to_thread(DataDirectory(worker.settings.data).room)
    model, products = worker.recommender.versions
    return {
        "as_of": iso(moment_of(round(now * SECOND_US)), "seconds"),
        "service_version": version,
        "status": ready["status"],
        "causes": ready["causes"],
        "warnings": ready["warnings"],
        "keys": ready["keys"],
        "store": {
            **ready["store"],
            "held_bytes": memory and memory.held,
            "limit_bytes": (memory and memory.limit) or None,
        },
        "log": None if written is None else _log(written, now),
        "events": {"per_second": telemetry.arriving.per_second, **telemetry.outcomes()},
        "disk": {"free_bytes": free, "whole_bytes": whole},
        "workers": [{"process": int(pid), "memory_bytes": held} for pid, held in telemetry.resident()],
        "streams_open": len(worker.streams.open),
        "model_version": model,
        "products_version": products,
        "products": worker.recommender.assortment_size,
        "damaged": worker.recommender.damages,
        "last_training": worker.recommender.last_training(),
        "definitions": {
            **ready["definitions"],
            "taken_up_at": iso(worker.catalogs.catalog.received_at, "seconds"),
        },
    }


async def _memory(worker: Resources) -> StoreMemory | None:
    """None where the store does not say."""
    with contextlib.suppress(StoreUnavailable, TimeoutError):
        async with asyncio.timeout(STORE_SECONDS):
            return await read_memory(worker.connection)
    return None


def _log(written: Written, now: float) -> dict[str, Any]:
    seen, pending = written.watermark_us, written.pending
    lag = max(0.0, now - seen / SECOND_US) if pending and seen else 0.0
    return {"pending": pending, "watermark": iso(moment_of(seen)) if seen else None, "lag_seconds": round(lag, 3)}
