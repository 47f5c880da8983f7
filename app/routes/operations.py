"""Whether the process lives, whether it can serve, and what it has counted."""

import json
from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse

from app.data_directory import DataDirectory
from app.resources import Resources
from app.routes.callers import Worker

router = APIRouter(tags=["Operations"])

PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"
NEVER_STORED: Final = {"cache-control": "no-store"}
LISTED_ERRORS: Final = 20


@router.get("/healthz", summary="Whether this process answers")
async def healthz() -> JSONResponse:
    return JSONResponse({"status": "ok"}, headers=NEVER_STORED)


@router.get("/readyz", summary="Whether assignments can be served, and what is not as it should be")
async def readyz(worker: Worker) -> JSONResponse:
    ready = readiness(worker)
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


def readiness(worker: Resources) -> dict[str, Any]:
    """`ready`, or `degraded` with its causes: a bad definition file, a store that is down, a damaged part."""
    state = worker.stream.state
    causes = [*_definitions(worker), *_recorded(worker)]
    if state.cause is not None:
        causes.append(state.cause)
    return {
        "status": "degraded" if causes else "ready",
        "degraded": causes,
        "definitions": {
            "version": worker.catalogs.catalog.version,
            "errors": [str(error) for error in worker.catalogs.errors[:LISTED_ERRORS]],
        },
        "store": {"available": state.available, "cause": state.cause, "version": worker.connection.version},
        "warnings": list(worker.connection.warnings),
    }


def _definitions(worker: Resources) -> list[str]:
    return ["definitions_invalid"] if worker.catalogs.errors else []


def _recorded(worker: Resources) -> list[str]:
    """What the analysis process has noted; it is not asked, because asking would start it."""
    try:
        noted: Mapping[str, Any] = json.loads(DataDirectory(worker.settings.data).degraded_file.read_text())
    except (OSError, ValueError):
        return []
    return [str(cause) for cause in noted.get("causes", [])]
