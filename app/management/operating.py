"""What an operator looks at, in one answer: what is wrong and what ends it, how fast events come, what room is left."""

import asyncio
import contextlib
import time
from typing import Any, Final, Literal

import msgspec
from fastapi import APIRouter, Request, Response

from app.management.operations import STORE_SECONDS, asked_store, readiness
from app.routes.dependencies import Secret, Worker
from app.runtime.ailments import Told
from app.runtime.data_directory import DataDirectory
from app.worker.resources import Resources
from events.store.availability import StoreUnavailable
from events.store.memory import StoreMemory, read_memory
from events.writer.watermark import Written
from kit.time import SECOND_US, iso, moment_of

router = APIRouter(tags=["Operations"])


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the answer."""


class StoreTold(Answer, frozen=True):
    """The event store, which holds events until they are in the log."""

    available: bool
    """Whether events are taken now."""
    cause: str | None
    """Why not, as a code; null while they are."""
    version: str
    """The program of the store and its version, empty until it has once answered."""
    detail: str | None
    """What the embedded store says of itself, for people."""
    restarts: int | None
    """How often the embedded store was started again since the service runs."""
    held_bytes: int | None
    """Bytes of the store's memory that nothing gives back until they are in the log."""
    limit_bytes: int | None
    """Bytes that the store may take, null without a limit."""


class LogTold(Answer, frozen=True):
    """How far the event log is written."""

    pending: int
    watermark: str | None
    lag_seconds: float
    """How long ago the newest event that every result holds was received, in seconds; 0 where none waits."""


class ArrivingTold(Answer, frozen=True):
    """Events since the service started, by what became of them."""

    per_second: float | None
    """How many were stored each second, over the last five minutes; null just after a start."""
    stored: int
    """Events that were stored."""
    duplicate: int
    """Events that had come before and were not stored again."""
    rejected: int
    """Events that were refused, with the reason told to their sender."""
    repaired: int
    """Events that were stored without what could not be used of them."""
    dropped: int
    """Events of a kind that nothing reads, which are counted alone."""
    quarantined: int
    """Events that say an impossible time, which results leave out."""
    bot: int
    """Events of automated visitors, which results leave out."""
    forged: int
    """Exposures to a variant that was not drawn, which results leave out."""
    refused: int
    """Events of visitors who refuse to be counted, of which nothing was stored."""


class DiskTold(Answer, frozen=True):
    """The disk of the data directory."""

    free_bytes: int
    """Bytes that are free."""
    whole_bytes: int
    """Bytes that the disk has."""


class WorkerTold(Answer, frozen=True):
    """One process that answers visitors."""

    process: int
    """Its number on the machine."""
    memory_bytes: int
    """Bytes of memory that it holds."""


class ModelTold(Answer, frozen=True):
    """What recommendations rest on now."""

    model_version: str | None
    """The model of recommendations that is live, null before the first."""
    products_version: str | None
    """The list of products that is live, null before the first."""
    products: int
    """How many products can be shown."""
    damaged: dict[str, str]
    """Models or product lists that were refused, by name, with the cause; the former ones serve."""
    last_training: dict[str, Any] | None
    """How the last training ended, null before the first."""


class DefinitionsTold(Answer, frozen=True):
    """The definition files as they are served."""

    version: str
    """A name for exactly these definitions."""
    taken_up_at: str
    """When they were published, in UTC."""
    errors: list[str]
    """Mistakes of the definition files; what was good before them is served."""


class OperationsAnswer(Answer, frozen=True):
    """How the service is."""

    as_of: str
    service_version: str
    """The release of the service."""
    status: Literal["ready", "degraded"]
    causes: list[Told]
    """All that is not as it should be, in words."""
    warnings: list[str]
    """What about the settings of the store weakens its promises."""
    key_errors: list[str]
    """Mistakes of the file of keys; the keys that were good before are in force."""
    store: StoreTold
    log: LogTold | None
    """Null while the store is away."""
    events: ArrivingTold
    disk: DiskTold
    workers: list[WorkerTold]
    """The processes that answer visitors."""
    streams_open: int
    """Pages that wait for changes at the worker that was asked."""
    model: ModelTold
    definitions: DefinitionsTold


ANSWER: Final[dict[int | str, Any]] = {
    200: {
        "description": "By what this worker, the store and the data directory say now.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/OperationsAnswer"}}},
    }
}


def components() -> dict[str, Any]:
    """The schema of the answer, and those of its parts."""
    return msgspec.json.schema_components([OperationsAnswer], ref_template="#/components/schemas/{name}")[1]


@router.get(
    "/v1/operations",
    summary="How the service is: what is wrong and what ends it, how fast events come, what room is left",
    responses=ANSWER,
)
async def operations(request: Request, _: Secret, worker: Worker) -> Response:
    told = await operations_of(worker, request.app.version)
    return Response(msgspec.json.encode(told), headers={"cache-control": "no-store"}, media_type="application/json")


async def operations_of(worker: Resources, version: str) -> OperationsAnswer:
    """By what this worker, the store and the data directory say now."""
    (written, refused), now = await asked_store(worker), time.time()
    memory = None if written is None else await _memory(worker)
    ready = readiness(worker, written, refused, reads=True)
    free, whole = await asyncio.to_thread(DataDirectory(worker.settings.data).room)
    model, products = worker.recommender.versions
    return OperationsAnswer(
        as_of=iso(moment_of(round(now * SECOND_US)), "seconds"),
        service_version=version,
        status=ready["status"],
        causes=[msgspec.convert(each, Told) for each in ready["causes"]],
        warnings=ready["warnings"],
        key_errors=ready["keys"]["errors"],
        store=StoreTold(
            **ready["store"], held_bytes=memory and memory.held, limit_bytes=(memory and memory.limit) or None
        ),
        log=None if written is None else _log(written, now),
        events=ArrivingTold(per_second=worker.telemetry.arriving.per_second, **worker.telemetry.outcomes()),
        disk=DiskTold(free_bytes=free, whole_bytes=whole),
        workers=[WorkerTold(process=int(pid), memory_bytes=held) for pid, held in worker.telemetry.resident()],
        streams_open=len(worker.streams.open),
        model=ModelTold(
            model_version=model,
            products_version=products,
            products=worker.recommender.assortment_size,
            damaged=dict(worker.recommender.damages),
            last_training=dict(worker.recommender.last_training() or {}) or None,
        ),
        definitions=DefinitionsTold(
            **ready["definitions"], taken_up_at=iso(worker.catalogs.catalog.received_at, "seconds")
        ),
    )


async def _memory(worker: Resources) -> StoreMemory | None:
    """None where the store does not say."""
    with contextlib.suppress(StoreUnavailable, TimeoutError):
        async with asyncio.timeout(STORE_SECONDS):
            return await read_memory(worker.connection)
    return None


def _log(written: Written, now: float) -> LogTold:
    seen, pending = written.watermark_us, written.pending
    lag = max(0.0, now - seen / SECOND_US) if pending and seen else 0.0
    return LogTold(pending=pending, watermark=iso(moment_of(seen)) if seen else None, lag_seconds=round(lag, 3))
