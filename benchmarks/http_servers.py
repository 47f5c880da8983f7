"""The servers that `benchmarks.http` compares, each a process of its own (arguments: name, port, data)."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict
from redis.asyncio import Redis

from app.main import create_app
from app.runtime.settings import Settings
from app.serving.server import server_config
from app.worker import resources
from events.ingest.stream import Appended, Stream
from events.records import Record
from events.store.embedded import EmbeddedStore

PLAIN: dict[str, Any] = {"loop": "uvloop", "http": "httptools", "access_log": False, "log_config": None}


def hello() -> Any:
    """B: FastAPI's hello world, on uvicorn as it should be run."""
    application = FastAPI()

    @application.get("/")
    async def root() -> dict[str, str]:
        return {"message": "Hello World"}

    return application


class Event(BaseModel):
    """One event of the peer's batch."""

    model_config = ConfigDict(extra="allow")

    type: str
    messageId: str
    anonymousId: str | None = None
    userId: str | None = None
    event: str | None = None
    timestamp: str | None = None
    properties: dict[str, Any] | None = None
    context: dict[str, Any] | None = None


class Batch(BaseModel):
    """The peer's body."""

    batch: list[Event]
    sentAt: str | None = None


def plain_batch(data: Path) -> Any:
    """The same batch endpoint written the plain way: FastAPI body models and one durable XADD per event."""
    application = FastAPI()
    redis = Redis(unix_socket_path=str(EmbeddedStore(data).socket))

    @application.post("/v1/batch")
    async def batch(body: Batch) -> dict[str, bool]:
        for event in body.batch:
            await redis.xadd("plain", {"e": event.model_dump_json()})
        return {"success": True}

    return application


def ours(data: Path) -> Any:
    """The service's own worker."""
    limits = ("rate_limit_per_second", "rate_limit_burst", "budget_cpu_ms", "budget_bytes_kb", "budget_events")
    fast = dict.fromkeys(limits, 10_000_000) | {"max_connections_per_network": 20_000}
    keys = {"publishable_keys": ("pk_benchmark",), "secret_keys": ("sk_benchmark",)}
    return create_app(Settings.model_validate({"data": data, **keys, **fast}))


class NoLog(Stream):
    """Takes exposures and forgets them: what the service would cost without durability."""

    async def append(self, records: Sequence[Record]) -> Appended:
        return Appended(len(records), 0)


def unstored(data: Path) -> Any:
    """The service's own worker with a log that forgets."""
    resources.Stream = NoLog
    return ours(data)


def main(name: str, port: int, data: Path) -> None:
    """Serves one of them until it is ended."""
    os.sched_setaffinity(0, {0})
    options = {"host": "127.0.0.1", "port": port}
    made: dict[str, Callable[[], Any]] = {
        "hello": hello,
        "plain_batch": lambda: plain_batch(data),
        "ours": lambda: ours(data),
        "unstored": lambda: unstored(data),
    }
    application = made[name]()
    settings = (
        server_config(application, **options)
        if name in ("ours", "unstored")
        else uvicorn.Config(application, **options, **PLAIN)
    )
    uvicorn.Server(settings).run()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
