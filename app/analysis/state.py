"""What the analysis process holds: catalogue, log, store connection, and the threads that do its work."""

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from app.analysis.jobs import Jobs
from app.runtime.data_directory import DataDirectory, store_connection
from app.runtime.settings import Settings
from events.engines.duckdb import EngineLimits, EventLog
from events.ingest.stream import Stream
from events.log.export import Exporter
from events.parts.part import DataDamaged
from events.store.availability import StoreUnavailable
from events.store.connection import Connection
from events.writer.watermark import log_watermark, pending, wait_until_written
from experiments.catalog.reader import CatalogReader
from experiments.readout.read import Readouts

logger = logging.getLogger("resonate.analysis")


OWN_WRITES_SECONDS: Final = 1.5  # how long a readout or export waits for what was acknowledged before it
CLOSE_SECONDS: Final = 0.5
CLOSE_TRIES: Final = 25


@dataclass(frozen=True, slots=True)
class Written:
    """How far the log was written when a call began: `pending` events were not in it (None: the store is away).

    `missed` of them the asker may look for: none, once the log holds all that was acknowledged before the call.
    """

    pending: int | None
    missed: int | None
    watermark: datetime | None


class Analysis:
    """The state of the analysis process. Readouts run one at a time; the log is read beside them."""

    def __init__(self, settings: Settings, connection: Connection) -> None:
        self.settings = settings
        self.connection = connection
        self.directory = DataDirectory(settings.data)
        self.catalogs = CatalogReader(settings.data)
        self.log = EventLog(settings.data, analysis_limits(settings))
        self.readouts = Readouts(self.log, self.catalogs)
        self.exporter = Exporter(self.log.reader)
        self.readout_jobs = Jobs("readout", self.log.interrupt)
        self.recall_jobs = Jobs("recall", lambda: None)  # what is known already never waits behind a computation
        self.log_jobs = Jobs("log", lambda: None)  # pages are short: they end by themselves

    @classmethod
    async def open(cls, settings: Settings) -> "Analysis":
        """Connect and read the catalogue's snapshot."""
        return cls(settings, await store_connection(settings))

    async def written(self, arguments: Mapping[str, Any]) -> Written:
        """Wait (at most 1.5 s) for the writer to pass `acknowledged`, then say how far it came."""
        try:
            acknowledged = await self._acknowledged(arguments.get("acknowledged"))
            marks = await wait_until_written(self.connection, acknowledged, OWN_WRITES_SECONDS)
            left = await pending(self.connection, marks)
        except StoreUnavailable as error:
            logger.warning("answering without the store: %s", error.cause)
            return Written(None, None, None)
        moment = log_watermark(marks)
        passed = acknowledged and all(marks[shard].stream_number >= number for shard, number in acknowledged.items())
        return Written(left, 0 if passed else left, datetime.fromtimestamp(moment / 1e6, UTC) if moment else None)

    async def _acknowledged(self, given: Mapping[str, int] | None) -> dict[int, int]:
        """What a worker had in its store when it asked; the command line gives nothing and means all there is now."""
        if given is None:
            return await Stream(self.connection).position()
        return {int(shard): int(number) for shard, number in given.items()}

    def note_health(self, damage: DataDamaged | None) -> None:
        """Tell `/readyz` what is damaged, or that nothing is any more."""
        if damage is None:
            self.directory.degraded_file.unlink(missing_ok=True)
            return
        causes = {"causes": [f"data_damaged: {damage}"]}
        with contextlib.suppress(OSError):  # a full disk must not hide the damage from the asker
            self.directory.degraded_file.write_text(json.dumps(causes))

    async def close(self) -> bool:
        """Stop what runs and leave the store; False where a computation does not heed the interrupt in time."""
        queues = (self.readout_jobs, self.recall_jobs, self.log_jobs)
        for jobs in queues:
            jobs.close()
        await self.connection.close()
        for _ in range(CLOSE_TRIES):
            if all(jobs.idle for jobs in queues):
                return True
            await asyncio.sleep(CLOSE_SECONDS / CLOSE_TRIES)
        return False


def analysis_limits(settings: Settings) -> EngineLimits:
    """What one readout may use; one core is always left to the workers."""
    threads = max(1, (os.cpu_count() or 1) - 1)
    return EngineLimits(settings.analysis_memory_mb, threads, settings.analysis_timeout_seconds)
