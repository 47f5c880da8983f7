"""What the analysis process holds: catalogue, log, store connection, and the threads that do its work."""

import asyncio
import logging
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from app.analysis.jobs import Jobs
from app.analysis.overview import Overview
from app.analysis.responses import Bodies
from app.runtime.board import Note, unnoted
from app.runtime.data_directory import DataDirectory, store_connection
from app.runtime.settings import Settings
from events.causes import StoreCause
from events.engines.duckdb import EngineLimits, EventLog
from events.log.export import Exporter
from events.parts.part import CopyTorn, DataDamaged, PartReplaced
from events.privacy.journal import ErasureJournal
from events.store.availability import StoreUnavailable
from events.store.connection import Connection
from events.tallies.evaluations import Tallies
from events.writer.watermark import wait_until_written
from experiments.catalog.reader import CatalogReader
from experiments.program.holdout import HoldoutReports
from experiments.readout.read import Readouts
from kit.time import moment_of

logger = logging.getLogger("resonate.analysis")


OWN_WRITES_SECONDS: Final = 1.5  # how long a readout or export waits for what was acknowledged before it
CLOSE_SECONDS: Final = 0.5
CLOSE_TRIES: Final = 25


@dataclass(frozen=True, slots=True)
class LogState:
    """How far the log was written when a call began: `pending` events were not in it (None: the store is away).

    `missed` of them the asker may look for: none, once the log holds all that was acknowledged before the call.
    """

    pending: int | None
    missed: int | None
    watermark: datetime | None


class Analysis:
    """The state of the analysis process. Readouts run one at a time; the log is read beside them."""

    def __init__(
        self, settings: Settings, connection: Connection, note: Note,
        told: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:  # fmt: skip
        self.note = note
        self._away: StoreCause | None = None
        self.settings = settings
        self.connection = connection
        self.directory = DataDirectory(settings.data)
        self.catalogs = CatalogReader(settings.data, told)
        self.log = EventLog(settings.data, analysis_limits(settings))
        self.journal = ErasureJournal(settings.erasure_journal) if settings.erasure_journal else None
        self.readouts = Readouts(self.log, self.catalogs)
        self.overview = Overview(self.readouts, self.catalogs)
        self.holdouts = HoldoutReports(self.readouts, self.catalogs)
        self.bodies = Bodies()
        self.exporter = Exporter(self.log.reader)
        self.tallies = Tallies(settings.data)
        self.readout_jobs = Jobs("readout", self.log.interrupt)
        self.recall_jobs = Jobs("recall", lambda: None)  # what is known already never waits behind a computation
        self.log_jobs = Jobs("log", lambda: None)  # pages are short: they end by themselves

    @classmethod
    async def open(
        cls, settings: Settings, note: Note = unnoted, told: Mapping[str, bytes] = MappingProxyType({})
    ) -> "Analysis":
        """Connect, and read what the supervisor `told` of definitions, else the catalogue's snapshot; `note` tells
        `/readyz` what ails.
        """
        return cls(settings, await store_connection(settings), note, told)

    async def written(self) -> LogState:
        """Wait (at most 1.5 s) until the log holds what is acknowledged now, then say how far it came."""
        try:
            log = await wait_until_written(self.connection, OWN_WRITES_SECONDS)
        except StoreUnavailable as error:
            if error.cause != self._away:  # once: an export asks for each of its pages
                logger.warning("answering without the store: %s", error.cause)
            self._away = error.cause
            return LogState(None, None, None)
        self._away = None
        watermark = moment_of(log.watermark_us) if log.watermark_us else None
        return LogState(log.pending, log.pending if log.behind else 0, watermark)

    @contextmanager
    def telling_health(self) -> Generator[None]:
        """Tell `/readyz` what was found damaged in this block, or that nothing is any more."""
        try:
            yield
        except (CopyTorn, PartReplaced):  # said by the log itself; no damage
            raise
        except DataDamaged as damage:
            self.note("data_damaged", str(damage))
            raise
        self.note("data_damaged", None)

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
