"""Whether the process lives, whether it can serve, and what it has counted."""

import asyncio
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
    causes, refused = await _writer_causes(worker)
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
    cause = worker.stream.state.cause or _store_cause(worker) or refused
    embedded = None if worker.settings.redis_url else read_state(worker.settings.data)
    salvaged = [f"store_salvaged: {embedded.salvage}"] if embedded and embedded.salvage else []
    lost = sorted(LOSSES & worker.telemetry.growing(time.time()))
    causes = [*_definitions(worker), *_recorded(worker), *writer, *salvaged, *lost]
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


def _definitions(worker: Resources) -> list[str]:
    return ["definitions_invalid"] if worker.catalogs.errors else []


async def _writer_causes(worker: Resources) -> tuple[list[str], str | None]:
    """What keeps the writer from making parts, as it tells beside its watermarks, or why the store does not answer.

    A store that this worker knows to be away is not asked again.
    """
    if worker.stream.state.cause is not None:
        return [], None
    try:
        async with asyncio.timeout(STORE_SECONDS):
            marks = await read_watermarks(worker.connection)
    except StoreUnavailable as unavailable:
        return [], unavailable.cause
    except TimeoutError:
        return [], "store_timeout"
    return sorted({mark.cause for mark in marks.values() if mark.cause}), None


def _store_cause(worker: Resources) -> str | None:
    """What the embedded store's owner recorded against it, before any request of this worker has noticed."""
    return None if worker.settings.redis_url else recorded_cause(worker.settings.data)


def _recorded(worker: Resources) -> list[str]:
    """What the analysis process has noted; it is not asked, because asking would start it."""
    try:
        noted: Mapping[str, Any] = json.loads(DataDirectory(worker.settings.data).degraded_file.read_text())
    except (OSError, ValueError):
        return []
    return [str(cause) for cause in noted.get("causes", [])]
