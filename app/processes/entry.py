"""Every Python process that a service starts, by name: `kit.child` runs this module, bound to who started it.

What a process is for is imported only there: each loads what it needs and nothing of the others.
"""

import asyncio
import importlib
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.runtime.board import BEAT_SECONDS, Board
from kit.files import why_unwritten
from kit.tasks import Promises, Tasks
from kit.time import MACHINE_CLOCK, Clock, keep_time

if TYPE_CHECKING:
    from app.runtime.ailments import AilmentCode
    from app.runtime.board import Desk, Note, RoleName
    from app.runtime.settings import Settings

logger = logging.getLogger("resonate.trainer")

ANALYSIS_NICENESS: Final = 10
BEATING: Final = "saying that the loop turns"


@dataclass(frozen=True, slots=True)
class Handed:
    """What a process of the supervisor's tree was handed: the pipe that says it is ready, its socket and the pipe that
    ends when the service does, if any (else −1), the board and which of the desks of its role is its own, and its line
    to the supervisor if any.
    """

    ready_descriptor: int
    socket_descriptor: int
    ending_descriptor: int
    board_descriptor: int
    number: int
    line_descriptor: int

    @classmethod
    def read(cls, arguments: list[str]) -> "Handed":
        """From the arguments that `ChildProcess` gives."""
        return cls(*map(int, arguments))

    def settings(self, process: str) -> "Settings":
        """The settings, from standard input, once the supervisor has written them; logging is then configured."""
        from app.runtime.logs import configure_logging
        from app.runtime.settings import Settings

        settings = Settings.model_validate_json(sys.stdin.buffer.read())
        configure_logging(process, settings.log_level, settings.log_format, settings.secrets)
        return settings

    def desk(self, role: "RoleName") -> "Desk":
        """The place of this process on the board, where it sits down. Raises BoardUnusable."""
        desk = Board.attach(self.board_descriptor).desk(role, self.number)
        desk.sit_down()
        return desk

    def listener(self) -> socket.socket:
        """The socket that the supervisor listens on for this process."""
        return socket.socket(fileno=self.socket_descriptor)

    def say_ready(self) -> None:
        """Tell the supervisor that this process does its work."""
        os.write(self.ready_descriptor, b"1")
        os.close(self.ready_descriptor)


def work(*arguments: str) -> int:
    """One HTTP worker: serves until SIGTERM or SIGINT, then drains."""
    # The supervisor loads the definitions while this process imports; only then are the settings read.
    from app.control.line import Line
    from app.main import create_app
    from app.serving.server import DrainingServer, server_config

    handed = Handed.read([*arguments])
    settings = handed.settings("worker")
    config = server_config(
        create_app(settings, handed.desk("worker"), Line(handed.line_descriptor)),
        limit_concurrency=settings.max_connections,
        timeout_keep_alive=settings.keep_alive_seconds,
    )
    server = DrainingServer(config, handed.say_ready, settings.drain_seconds, handed.ending_descriptor)
    server.run(sockets=[handed.listener()])
    return 0 if server.started else 1


def write(*arguments: str, reach: Callable[[str], None] = lambda point: None) -> int:
    """The one process that turns the stream into parts, until SIGTERM, and then what is left in the stream.

    It also compacts and retains, because both change the parts that only it may make. `reach` is called with the name
    of each crash point that the writer comes to.
    """
    handed = Handed.read([*arguments])
    importlib.import_module("events.writer.writer")  # while the store starts
    importlib.import_module("events.parts.arrow").allocate_sparingly()
    asyncio.run(_write(handed, handed.settings("writer"), reach))
    return 0


async def _write(handed: Handed, settings: "Settings", reach: Callable[[str], None]) -> None:
    from app.runtime.data_directory import store_connection
    from events.writer.lease import Lease, Owner, while_owner
    from events.writer.shard import WriterOptions
    from events.writer.writer import run_writer

    stop, desk, promises = _stop_signal(), handed.desk("writer"), Promises()

    async def beat_while_all_work() -> None:
        if promises.kept:
            desk.beat()

    options = WriterOptions(
        retention_days=settings.retention_days, reach=reach, gauge=desk.gauge, back_within=promises.back_within,
        held_up=held_up(desk.note), damaged=lambda damage: desk.note("data_damaged", damage and str(damage)),
    )  # fmt: skip
    connection = await store_connection(settings)
    try:
        async with Tasks() as tasks:
            tasks.repeat(beat_while_all_work, BEATING, BEAT_SECONDS)
            handed.say_ready()
            if settings.redis_url is None:  # the embedded store has no other user
                return await run_writer(connection, settings.data, options, stop)
            owner = Owner.of(settings.data, os.getppid())
            lease, fenced = Lease(connection, owner), replace(options, owner=owner.run)
            await while_owner(lease, lambda: run_writer(connection, settings.data, fenced, stop), stop)
    finally:
        await connection.close()


def held_up(note: "Note") -> "Callable[[int, AilmentCode | None], None]":
    """Tells what keeps any of the writer's shards from writing, also while the store is away, which else knows it."""
    causes: dict[int, AilmentCode | None] = {}

    def tell(shard: int, cause: "AilmentCode | None") -> None:
        causes[shard] = cause
        note("log_disk_full", "" if "log_disk_full" in causes.values() else None)
        note("log_not_writable", "" if "log_not_writable" in causes.values() else None)

    return tell


def analyse(*arguments: str) -> int:
    """The analysis, until SIGTERM: readouts need memory that assignments must never wait for."""
    handed = Handed.read([*arguments])
    importlib.import_module("app.analysis.calls")  # the slow part, before the settings are read
    os.nice(ANALYSIS_NICENESS)  # from here on: on a busy machine one that is nice from its start never gets so far
    finished = asyncio.run(_analyse(handed, handed.settings("analysis")))
    if not finished:  # a computation that does not look up any more holds nothing that must be kept
        os._exit(0)
    return 0


async def _analyse(handed: Handed, settings: "Settings") -> bool:
    """Serve the supervisor's analysis socket; whether all work ended with it."""
    from app.analysis import calls
    from app.analysis.server import AnalysisServer
    from app.analysis.state import Analysis
    from app.control.line import Line

    stop, desk, line = _stop_signal(), handed.desk("analysis"), Line(handed.line_descriptor)
    analysis = await Analysis.open(settings, desk.note, line.first())
    try:
        answering = partial(calls.answer, analysis)
        async with Tasks() as tasks:
            tasks.repeat(desk.beating, BEATING, BEAT_SECONDS)
            with line.follow(analysis.catalogs.take):
                await AnalysisServer(answering).serve(handed.listener(), handed.say_ready, stop)
    finally:
        finished = await analysis.close()
    return finished


def train(*arguments: str) -> int:
    """Trains recommendations on the log once; the report says what became of it, also when the log cannot be read."""
    from app.processes.heartbeats import Computing

    handed = Handed.read([*arguments])
    settings = handed.settings("trainer")
    Computing(handed.desk("trainer").beat).watch()
    handed.say_ready()
    return train_once(settings.data)


def train_once(data: Path) -> int:
    """One training of a data directory; 1 when its log is damaged."""
    from events.parts.part import DataDamaged
    from experiments.catalog.files import learn_from
    from recommender.model.artefact import MODELS
    from recommender.publishing.publish import Report, keep
    from recommender.publishing.run import TrainingTerms, run_training

    try:
        try:
            report = run_training(data, terms=TrainingTerms(learn_from(data)))
        except DataDamaged as damage:
            logger.error("training failed, the former model serves: %s", damage)
            keep(data / MODELS, Report("failed", None, (str(damage),), {}, 0.0))
            return 1
    except OSError as error:
        if (why := why_unwritten(error)) is None:
            raise
        logger.error("training failed, the former model serves: %s", why)
        return 1
    level = logging.WARNING if report.outcome == "refused" else logging.INFO
    logger.log(level, "training %s", report.outcome, extra={"version": report.version, "reasons": list(report.reasons)})
    return 0


def tell_changes(*arguments: str) -> int:
    """Tells receivers of changes, until SIGTERM."""
    handed = Handed.read([*arguments])
    importlib.import_module("app.webhooks.telling")  # while the settings come
    asyncio.run(_tell_changes(handed, handed.settings("webhooks")))
    return 0


async def _tell_changes(handed: Handed, settings: "Settings") -> None:
    from importlib.metadata import version

    from app.webhooks.telling import Teller, run_webhooks

    stop, desk = _stop_signal(), handed.desk("webhooks")
    handed.say_ready()
    async with Tasks() as tasks:
        tasks.repeat(desk.beating, BEATING, BEAT_SECONDS)
        await run_webhooks(Teller(settings, version("resonate")), stop)


def tell_traffic(data: str) -> int:
    """Answers how many units a day the log of a data directory has, for the experiment on standard input."""
    from app.processes.design_freeze import answer_traffic

    print(json.dumps(answer_traffic(Path(data), json.load(sys.stdin))))
    return 0


def _stop_signal() -> asyncio.Event:
    """Set by SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


PROCESSES: Final[dict[str, Callable[..., int]]] = {
    "worker": work,
    "writer": write,
    "analysis": analyse,
    "trainer": train,
    "webhooks": tell_changes,
    "traffic": tell_traffic,
}


def main(name: str, *arguments: str, clock: Clock = MACHINE_CLOCK) -> int:
    """The process of that name, by a wall clock; its exit code."""
    keep_time(clock)
    return PROCESSES[name](*arguments)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
