"""Whether the process lives, whether it can serve, and what it has counted."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from app.backup.last_run import last_run
from app.http.access import Grant
from app.metrics.exposition import CONTENT_TYPE
from app.metrics.scrape import Scraped, exposition
from app.routes.dependencies import Anyone, Secret, Worker
from app.runtime.ailments import Ailment, OwnCause, ailment_told
from app.runtime.data_directory import DataDirectory
from app.webhooks.outbox import standing
from app.worker.resources import Resources
from events.causes import StoreCause
from events.format import FORMAT
from events.parts.standing import torn_parts
from events.store.availability import StoreUnavailable
from events.store.health import read_state, recorded_cause
from events.store.memory import StoreMemory, read_memory
from events.writer.watermark import Written, read_progress
from experiments.catalog.visible import Visible
from kit.time import SECOND_US, iso, moment_of, now_seconds

router = APIRouter(tags=["Operations"])

NEVER_STORED: Final = {"cache-control": "no-store"}
LISTED_ERRORS: Final = 20
STORE_SECONDS: Final = 1.0
REFUSED: Final[OwnCause] = "page_events_refused"
REFUSED_SECONDS: Final = 5.0  # since the last one
# what is acknowledged and does not reach where it belongs
LOSSES: Final[tuple[OwnCause, ...]] = ("audit_not_kept", "history_failures", "message_conflicts")


OPERATIONS: Final[dict[int | str, Any]] = {
    200: {
        "description": "By what this worker, the store and the data directory say now.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}


UNREADY: Final[dict[int | str, Any]] = {
    503: {
        "description": "Nobody should be sent here now: it ends, or cannot do this.",
        "content": {"application/json": {"schema": {"type": "object"}}},
        "headers": {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}},
    }
}


@router.get("/healthz", summary="Whether this process answers")
async def healthz() -> JSONResponse:
    return JSONResponse({"status": "ok"}, headers=NEVER_STORED)


@router.get(
    "/readyz",
    summary="Whether assignments can be served, and what is not as it should be",
    responses=UNREADY,
    description="A key with the scope `read_results` also gets texts and names: definition and key errors, details of "
    "the store, causes in full.",
)
async def readyz(request: Request, worker: Worker, grant: Anyone) -> JSONResponse:
    if request.app.state.draining:
        return _unready({"status": "draining"})
    written, refused = await asked_store(worker)
    reads = reading(grant) is not None
    ready = readiness(worker, written, refused, reads=reads) | {"version": request.app.version}
    return JSONResponse(ready, status_code=200 if ready["status"] != "unavailable" else 503, headers=NEVER_STORED)


@router.get(
    "/readyz/events",
    summary="Whether an event would be stored now",
    description="The store is asked to take none at all, as it is asked to take some; one that is known to be away is "
    "not asked. Where events of pages alone are refused it is `degraded`, with the causes.",
    responses=UNREADY,
)
async def readyz_events(request: Request, worker: Worker) -> JSONResponse:
    if request.app.state.draining:
        return _unready({"status": "draining"})
    cause = await refusing(worker)
    if cause is not None:
        return _unready({"status": "unavailable", "causes": [cause]})
    causes = list(dict.fromkeys(worker.access.pressure.events.values()))
    told = {"status": "degraded" if causes else "ready", "causes": causes}
    return JSONResponse(told, headers=NEVER_STORED)


async def refusing(worker: Resources) -> StoreCause | None:
    """Why an event would not be stored now, whoever sends it; None where one would be. It takes less than a second."""
    recorded = recorded_cause(worker.settings.data) if worker.settings.redis_url is None else None
    if recorded is not None:  # by who keeps the embedded store: it need not be asked
        return recorded
    try:
        await worker.stream.check()
    except StoreUnavailable as unavailable:
        return unavailable.cause
    return None


def _unready(told: dict[str, Any]) -> JSONResponse:
    return JSONResponse(told, 503, {**NEVER_STORED, "retry-after": "1"})


@router.get(
    "/metrics",
    summary="Counters of all workers, in Prometheus' text format",
    description="Without a key of the scope `read_results`, definition errors are 0 or 1, and experiments count from "
    "their start on.",
    response_class=PlainTextResponse,
)
async def metrics(request: Request, worker: Worker, grant: Anyone) -> PlainTextResponse:
    errors, reader = len(worker.catalogs.errors), reading(grant)
    ready = readiness(worker, *await worker.pipeline.look(worker.stream.state.cause), reads=True)
    scraped = Scraped(
        gauges={
            "store_available": float(worker.stream.state.available),
            "definition_errors": float(errors if reader else min(errors, 1)),
            "streams_open": float(len(worker.streams.open)),
            "experiments_running": float(len(worker.visible_to(reader, now_seconds()).running)),
        },
        causes=[each["code"] for each in ready["causes"]],
        rejected=(await worker.intake.all()).totals,
        training=worker.recommender.last_training(),
        version=request.app.version,
        format=FORMAT,
    )
    disk = await worker.disks.look()
    text = await exposition(worker.telemetry, worker.settings.data, disk, scraped)
    return PlainTextResponse(text, media_type=CONTENT_TYPE, headers=NEVER_STORED)


def reading(grant: Grant | None) -> Grant | None:
    """The grant of who may read results; None for everybody else, who gets what pages get."""
    return grant if grant is not None and grant.secret and "read_results" in grant.scopes else None


async def asked_store(worker: Resources) -> tuple[Written | None, StoreCause | None]:
    """How far the log is written, or why the store did not answer just now.

    A store that this worker knows to be away is not asked again.
    """
    if worker.stream.state.cause is not None:
        return None, None
    try:
        async with asyncio.timeout(STORE_SECONDS):
            return Written({}, await read_progress(worker.connection)), None
    except StoreUnavailable as unavailable:
        return None, unavailable.cause
    except TimeoutError:
        return None, "store_timeout"


def readiness(
    worker: Resources, written: Written | None = None, refused: StoreCause | None = None, *, reads: bool
) -> dict[str, Any]:
    """`ready`, or `degraded` with its causes: a bad definition file, a store that is down, a damaged part, lost data.

    `written` is how far the writer is, `refused` why the store did not answer just now. Who may not read results
    (`reads`) gets causes as codes, with what is named behind a code where pages see that name anyway.
    """
    data, is_own = worker.settings.data, worker.settings.redis_url is None
    cause = worker.stream.state.cause or (recorded_cause(data) if is_own else None) or refused
    embedded = read_state(data) if is_own else None
    writer = [] if written is None else written.causes
    causes = degraded_by(worker, writer, embedded.recovery if embedded else None)
    if cause is not None:
        causes.append(Ailment(cause))
    causes = each_once(causes)
    store = {"available": cause is None, "cause": cause}
    ready = {"status": "degraded" if causes else "ready", "degraded": [each.text for each in causes], "store": store}
    if not reads:
        visible = worker.visible_to(None, now_seconds())
        return ready | {"degraded": list(dict.fromkeys(public_cause(each, visible) for each in causes))}
    told = {
        "version": worker.connection.version,
        "detail": embedded.detail if embedded else None,
        "restarts": embedded.restarts if embedded else None,
    }
    definitions = {
        "version": worker.catalogs.catalog.version,
        "errors": [str(error) for error in worker.catalogs.errors[:LISTED_ERRORS]],
    }
    keys = {"errors": list(worker.keys.listed.problems[:LISTED_ERRORS])}
    warnings = list(worker.connection.warnings)
    told_causes = [msgspec.to_builtins(ailment_told(each)) for each in causes]
    return ready | {
        "causes": told_causes,
        "store": store | told,
        "definitions": definitions,
        "keys": keys,
        "warnings": warnings,
    }


def each_once(causes: Sequence[Ailment]) -> list[Ailment]:
    """More than one process may have seen a cause; who names what it is about has said all of it."""
    named = {each.code for each in causes if each.named}
    return list(dict.fromkeys(each for each in causes if each.named or each.code not in named))


def degraded_by(worker: Resources, writer: Sequence[StoreCause], recovery: str | None) -> list[Ailment]:
    """All that is not as it should be, but the store."""
    now, monotonic = now_seconds(), time.monotonic()
    causes = [Ailment("definitions_invalid")] if worker.catalogs.errors else []
    causes += worker.desk.board.causes()  # of all processes, none of which is asked
    with contextlib.suppress(OSError, ValueError):
        causes += [Ailment("copy_torn", gap.told) for gap in torn_parts(worker.settings.data)]
    causes += [] if worker.consent.chosen else [Ailment("consent_not_chosen")]
    causes += map(Ailment, writer)
    causes += [Ailment("model_refused", each) for each in worker.recommender.concentrated()]
    if recovery:
        causes.append(Ailment("store_salvaged", recovery))
    causes += map(Ailment, worker.access.pressure.causes)
    if worker.access.pressure.events or REFUSED in worker.telemetry.growing(monotonic, REFUSED_SECONDS):
        causes.append(Ailment(REFUSED))
    growing = worker.telemetry.growing(monotonic)
    causes += [Ailment(loss) for loss in LOSSES if loss in growing]
    causes += worker.keys.listed.causes(now)
    if "untrusted_forwarding" in growing:  # maybe in another worker, which alone knows of whom
        proxy = worker.access.networks.unbelieved
        causes.append(Ailment("proxies_not_trusted", proxy or ""))
    if "cookie_domain" in growing:
        causes.append(Ailment("cookie_domain"))
    return causes


def public_cause(cause: Ailment, visible: Visible) -> str:
    """The code of a cause, whole where what is named is the key of an experiment that pages see."""
    return cause.text if cause.named in visible.compiled else cause.code


@router.get(
    "/v1/operations",
    summary="How the service is: what is wrong and what ends it, how fast events come, what room is left",
    responses=OPERATIONS,
)
async def operations(request: Request, _: Secret, worker: Worker) -> Response:
    told = await operations_of(worker, request.app.version)
    return Response(msgspec.json.encode(told), headers={"cache-control": "no-store"}, media_type="application/json")


async def operations_of(worker: Resources, version: str) -> dict[str, Any]:
    """An `OperationsAnswer`, by what this worker, the store and the data directory say now."""
    (written, refused), now = await asked_store(worker), now_seconds()
    memory = None if written is None else await _memory(worker)
    ready = readiness(worker, written, refused, reads=True)
    telemetry = worker.telemetry
    free, whole = await asyncio.to_thread(DataDirectory(worker.settings.data).room)
    model, products = worker.recommender.versions
    told = await asyncio.to_thread(standing, worker.settings.data, worker.settings.webhooks)
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
        "workers": [{"process": pid, "memory_bytes": held} for pid, held in telemetry.resident()],
        "streams_open": len(worker.streams.open),
        "model_version": model,
        "products_version": products,
        "products": worker.recommender.assortment_size,
        "damaged": worker.recommender.damages,
        "last_training": worker.recommender.last_training(),
        "last_backup": await asyncio.to_thread(last_run, worker.settings.data),
        "definitions": {
            **ready["definitions"],
            "taken_up_at": iso(worker.catalogs.catalog.received_at, "seconds"),
        },
        "webhooks": told,
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
