"""Whether the process lives, whether it can serve, and what it has counted."""

import asyncio
import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse

from app.routes.dependencies import Worker
from app.runtime.data_directory import DataDirectory
from app.worker.resources import Resources
from events.store.availability import StoreUnavailable
from events.store.health import read_state, recorded_cause
from events.writer.watermark import read_watermarks

router = APIRouter(tags=["Operations"])

PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"
NEVER_STORED: Final = {"cache-control": "no-store"}
LISTED_ERRORS: Final = 20
STORE_SECONDS: Final = 1.0
LOSSES: Final = {"message_conflicts", "history_failures"}  # what is acknowledged and does not reach where it belongs


@router.get("/healthz", summary="Whether this process answers")
async def healthz() -> JSONResponse:
    return JSONResponse({"status": "ok"}, headers=NEVER_STORED)


@router.get("/readyz", summary="Whether assignments can be served, and what is not as it should be")
async def readyz(request: Request, worker: Worker) -> JSONResponse:
    causes, refused = list[str](), None
    if worker.stream.state.cause is None:  # a store that this worker knows to be away is not asked again
        try:
            async with asyncio.timeout(STORE_SECONDS):
                marks = await read_watermarks(worker.connection)
            causes = sorted({mark.cause for mark in marks.values() if mark.cause})
        except StoreUnavailable as unavailable:
            refused = unavailable.cause
        except TimeoutError:
            refused = "store_timeout"
    ready = readiness(worker, causes, refused) | {"version": request.app.version}
    return JSONResponse(ready, status_code=200 if ready["status"] != "unavailable" else 503, headers=NEVER_STORED)


@router.get("/metrics", summary="Counters of all workers, in Prometheus' text format", response_class=PlainTextResponse)
async def metrics(worker: Worker) -> PlainTextResponse:
    state = worker.stream.state
    gauges = {
        "resonate_store_available": float(state.available),
        "resonate_definition_errors": float(len(worker.catalogs.errors)),
        "resonate_experiments_running": float(len(worker.catalogs.catalog.running)),
    }
    return PlainTextResponse(worker.telemetry.exposition(gauges), media_type=PROMETHEUS, headers=NEVER_STORED)


def readiness(worker: Resources, writer: Sequence[str] = (), refused: str | None = None) -> dict[str, Any]:
    """`ready`, or `degraded` with its causes: a bad definition file, a store that is down, a damaged part, lost data.

    `writer` is what the writer complains of, `refused` why the store did not answer just now.
    """
    data, is_own = worker.settings.data, worker.settings.redis_url is None
    cause = worker.stream.state.cause or (recorded_cause(data) if is_own else None) or refused
    embedded = read_state(data) if is_own else None
    causes = ["definitions_invalid"] if worker.catalogs.errors else []
    with contextlib.suppress(OSError, ValueError):  # noted by the analysis: it is not asked, that would start it
        noted: Mapping[str, Any] = json.loads(DataDirectory(data).degraded_file.read_text())
        causes += [str(each) for each in noted.get("causes", [])]
    causes += writer
    if embedded and embedded.recovery:
        causes.append(f"store_salvaged: {embedded.recovery}")
    causes += sorted(LOSSES & worker.telemetry.growing(time.time()))
    if cause is not None:
        causes.append(cause)
    return {
        "status": "degraded" if causes else "ready",
        "degraded": causes,
        "definitions": {
            "version": worker.catalogs.catalog.version,
            "errors": [str(error) for error in worker.catalogs.errors[:LISTED_ERRORS]],
        },
        "store": {
            "available": cause is None,
            "cause": cause,
            "version": worker.connection.version,
            "detail": embedded.detail if embedded else None,
            "restarts": embedded.restarts if embedded else None,
        },
        "warnings": list(worker.connection.warnings),
    }
