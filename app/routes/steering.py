"""Pause, resume and stop an experiment without touching its file."""

import asyncio
from datetime import UTC, datetime
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from app.errors import Problem
from app.resources import Resources
from app.routes.callers import Secret, Worker
from app.routes.results import Key
from experiments.catalog_overrides import OverrideRefused, UnknownExperiment, order

router = APIRouter(tags=["Results"])

Action = Literal["pause", "resume", "stop"]


@router.post("/v1/experiments/{key}/pause", summary="Control for everyone, live within 2 s", status_code=202)
async def pause(key: Key, _: Secret, worker: Worker) -> JSONResponse:
    return await _ordered(worker, key, "pause")


@router.post("/v1/experiments/{key}/resume", summary="Assign again, live within 2 s", status_code=202)
async def resume(key: Key, _: Secret, worker: Worker) -> JSONResponse:
    return await _ordered(worker, key, "resume")


@router.post("/v1/experiments/{key}/stop", summary="Stop for good, live within 2 s", status_code=202)
async def stop(key: Key, _: Secret, worker: Worker) -> JSONResponse:
    return await _ordered(worker, key, "stop")


async def _ordered(worker: Resources, key: str, action: Action) -> JSONResponse:
    catalog, now = worker.catalogs.catalog, datetime.now(UTC)
    try:
        override = await asyncio.to_thread(order, worker.settings.data, catalog, key, action, now)
    except UnknownExperiment as error:
        raise Problem(404, "unknown_experiment", str(error)) from None
    except OverrideRefused as error:
        raise Problem(409, "order_refused", str(error)) from None
    told = {"experiment": key, "status": override.status, "ordered_at": override.ordered_at.isoformat()}
    return JSONResponse(told, status_code=202)
