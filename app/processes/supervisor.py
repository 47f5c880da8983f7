"""The root of the process tree: it owns the data directory, binds the socket, and keeps every other process alive."""

import asyncio
import contextlib
import errno
import json
import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Generator, Sequence
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Final

from app.control.orders import carried_out
from app.control.switchboard import Switchboard
from app.http.access import configured_keys
from app.keys.audit import Actor, Audit, AuditUnusable, line_of
from app.processes.design_freeze import DesignMirror, SiteTraffic
from app.processes.draining import WORKER_GRACE_SECONDS, WRITER_SECONDS, LameDuck, end_all, longest_stop_seconds
from app.processes.heartbeats import Watch
from app.processes.notify import Notifier, welcome
from app.processes.store import Store
from app.processes.supervised import ChildProcess, Children
from app.processes.upkeep import TrainingSchedule, Upkeep
from app.runtime.board import Board
from app.runtime.data_directory import DataDirectory, DirectoryUnusable, store_connection
from app.runtime.settings import Settings
from app.serving.sockets import address_of, admit_nobody, forget_unix, listen_unix, turn_away
from events.store.availability import StoreUnavailable
from experiments.catalog.freeze import FreezeSources
from kit.announced import Announcer
from kit.child import ending
from kit.files import remove_leftovers
from kit.time import now_utc

if TYPE_CHECKING:
    from experiments.catalog.changes import DefinitionChange

logger = logging.getLogger("resonate.supervisor")


NO_CONSENT_CHOSEN: Final = (
    "nobody has chosen what holds for visitors of whom nothing is said: until then they are counted and no more; write "
    "`privacy: {default_consent: personal}`, measure or none into shop.yaml (docs/privacy.md)"
)
TICK_SECONDS: Final = 0.25
SHORT: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ENOBUFS})  # for a while
ENDING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Supervisor:
    """Starts the service, keeps it whole, and ends it in order. It lives in the main thread of its process.

    The steps of `run` are the life of a service; everything that can refuse to start raises before any answer is given.
    """

    def __init__(
        self,
        settings: Settings,
        directory: DataDirectory,
        listener: socket.socket,
        announcer: Announcer = Announcer(),  # noqa: B008 - frozen
        notifier: Notifier | None = None,
    ) -> None:
        self.settings = settings
        self.announcer = announcer
        self.notifier = notifier or Notifier()
        self.directory = directory  # claimed already: a second instance must fail before it loads all this
        self.listener = listener
        self.selector = selectors.DefaultSelector()
        self.announced = self.short = False
        self.listening = False  # for the first call of the analysis

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; the exit code.

        Raises StoreFailed, DefinitionErrors, DirectoryUnusable, JournalUnusable, KeysInvalid, BoardUnusable.
        """
        self.board = Board.make(self.settings.workers)
        self.desk = self.board.desk("supervisor")
        self.desk.sit_down()
        remove_leftovers(self.directory.uploads)
        self.analysis_listener = listen_unix(self.directory.analysis_socket)
        self.audit = Audit(self.directory.root)
        self.upkeep = Upkeep(self.directory.uploads, self.audit, self.desk.note)
        self._read_keys()
        self.switchboard = Switchboard(self.selector, lambda orders: carried_out(self.keeper, self.audit, orders))
        self.lame_duck = LameDuck(self.settings.lame_duck_seconds)
        self.store = Store(self.settings, self.directory.root, self.board.desk("store"))
        self.children = Children(
            self.board,
            self.listener,
            self.analysis_listener,
            self.lame_duck.told_by,
            tells=bool(self.settings.webhook_url),
        )
        watched = [*self.children, self.store]
        self.watch = Watch(watched, self.desk, self.settings.hung_seconds)
        self.traffic = SiteTraffic(self.directory.root)
        self.training = TrainingSchedule(self.directory.root, self.settings.training_hours)
        with self._signals():
            try:
                self._start()
                while not self.lame_duck.over:
                    self._turn()
                return 0
            finally:
                self._stop()

    def _read_keys(self) -> None:
        """The configured keys, and the listed ones before any worker asks for them. Raises KeysInvalid."""
        settings, root = self.settings, self.directory.root
        self.keys = configured_keys(settings, root)
        self.key_list = None
        if settings.keys is not None:
            from app.keys.listed import KeysKeeper

            self.key_list = KeysKeeper(settings.keys.absolute(), root)
            self.key_list.boot()
            self._report_keys(self.key_list.problems)

    def _note_definitions(self, changes: "Sequence[DefinitionChange]", can_wait: bool) -> None:
        """Keeps who changed definitions, which is known by the file alone. Raises OSError where that is impossible."""
        lines = [
            line_of(Actor("file", each.file), each.act, each.subject, (each.before, each.after)) for each in changes
        ]
        if can_wait:
            self.audit.follow(*lines)
            return
        try:
            self.audit.write(*lines)
        except AuditUnusable as error:
            raise OSError(errno.EIO, str(error)) from None

    def _report_keys(self, problems: Sequence[str]) -> None:
        for problem in problems:
            logger.error("keys refused, the last good ones are in force: %s", problem)
        if not problems:
            logger.info("keys are in force")

    def _start(self) -> None:
        """One worker imports while the store starts and the definitions load; it is told how to run after that."""
        first = self.children.workers[0]
        self._check_visitor_keys()
        self._launch(first)
        from experiments.catalog.publisher import CatalogKeeper  # not before the worker starts: it takes 0.15 s

        again = self._erase_again()
        self.store.start()
        if again:
            asyncio.run(forget_erased(self.settings))
        sources = FreezeSources(self.traffic)
        if self.settings.redis_url is not None:  # an external store outlives this directory
            sources = FreezeSources(self.traffic, DesignMirror(self.settings))
        self.keeper = CatalogKeeper(self.settings.definitions, self.directory.root, now_utc, sources)
        self.keeper.tell, self.keeper.publish = self._note_definitions, self.switchboard.tell
        self.keeper.note = self.desk.note
        self.keeper.boot()
        self.switchboard.listen(self.directory.orders_socket)
        self._report_definitions()
        first.instruct(self._instructions())
        self._listen_for_analysis()

    def _check_visitor_keys(self) -> None:
        """What no worker could read stops the start. Raises DirectoryUnusable."""
        from app.identity.visitor_ids import VisitorIds, VisitorKeysUnusable

        try:
            VisitorIds(self.directory.visitor_keys_file)
        except VisitorKeysUnusable as unusable:
            raise DirectoryUnusable(str(unusable)) from None

    def _erase_again(self) -> int:
        """Of how many ids this data directory did not know that they are erased; before anybody reads it."""
        if self.settings.erasure_journal is None:
            return 0
        from events.privacy.journal import ErasureJournal, replay

        journal = ErasureJournal(self.settings.erasure_journal.absolute())
        journal.prepare(self.directory.root)
        again = replay(journal, self.directory.root)
        if again:
            logger.warning("erased again by the journal: this data directory is an older copy", extra={"ids": again})
        return again

    def _turn(self) -> None:
        """One step; one for which the system has no memory, process or descriptor now is taken again."""
        try:
            self._step()
        except OSError as error:
            if error.errno not in SHORT:
                raise
            if not self.short:
                logger.error("the system gives the supervisor too little, it goes on as it can: %s", error.strerror)
            self.short = True
            time.sleep(TICK_SECONDS)
        else:
            self.short = False

    def _step(self) -> None:
        """Wait for something to happen, at most one tick, and see to everything."""
        patience = 0.0 if self.switchboard.waits else self.lame_duck.patience(TICK_SECONDS)
        for key, _ in self.selector.select(patience):
            key.data()
        self.switchboard.carry_out()
        if self.lame_duck.begun and self.notifier.stopping():
            logger.info("the service ends: within %g s at the latest", longest_stop_seconds(self.settings))
        self._reap()
        self._start_due()
        self.store.watch()
        self.desk.beat()
        self.watch.look()
        if self.keeper.poll():
            self._report_definitions()
        self.upkeep.look()
        self.switchboard.watch()
        if self.key_list is not None and self.key_list.poll():
            self._report_keys(self.key_list.problems)
            self.upkeep.told("keys", self.key_list.not_kept)
        self.notifier.look(self._causes, healthy=self.watch.healthy)

    def _causes(self) -> Sequence[str]:
        """What is not as it should be, by what the supervisor itself sees and by the board."""
        keys = self.key_list is not None and self.key_list.problems
        own = {"definitions_invalid": self.keeper.errors, "keys_invalid": keys, self.store.cause: self.store.cause}
        told = [cause for cause, holds in own.items() if cause and holds]
        return tuple(dict.fromkeys([*told, *(each.code for each in self.board.causes())]))

    def _launch(self, child: ChildProcess) -> None:
        if not child.start():
            return
        assert child.ready_descriptor is not None
        self.selector.register(child.ready_descriptor, selectors.EVENT_READ, lambda: self._hear(child))
        if child.line is not None:
            self.switchboard.connect(child.line, child.role.topics)

    def _relaunch(self, child: ChildProcess) -> None:
        self._launch(child)
        child.instruct(self._instructions())

    def _hear(self, child: ChildProcess) -> None:
        if child.ready_descriptor is not None:
            self.selector.unregister(child.ready_descriptor)
        if child.hear():
            logger.debug("%s is ready", child.role.name, extra={"child": child.pid})
        if not self.announced and child in self.children.workers and child.ready:
            self._announce()

    def _reap(self) -> None:
        for child in self.children:
            pid, was_ready, code = child.pid, child.ready, child.reap()
            if code is None:
                continue
            if child.ready_descriptor is not None:
                self.selector.unregister(child.ready_descriptor)
                child.hear()
            if child is self.children.analysis and not was_ready:
                turn_away(self.analysis_listener)
            level = logging.INFO if child is self.children.trainer and not code else logging.WARNING
            logger.log(level, "%s ended with %s", child.role.name, ending(code), extra={"child": pid})

    def _start_due(self) -> None:
        now = time.monotonic()
        for child in self.children.kept:
            if not child.alive and child.start_at is not None and now >= child.start_at:
                self._relaunch(child)
        if not self.children.analysis.alive and not self.listening and now >= (self.children.analysis.start_at or 0):
            self._listen_for_analysis()  # it is started again by the next call, not before
        if self.announced and not self.children.trainer.alive and self.training.due():
            self._relaunch(self.children.trainer)

    def _activate_analysis(self) -> None:
        """Somebody calls the analysis process, which is not there."""
        self.listening = False
        self.selector.unregister(self.analysis_listener)
        self._relaunch(self.children.analysis)

    def _listen_for_analysis(self) -> None:
        self.listening = True
        self.selector.register(self.analysis_listener, selectors.EVENT_READ, self._activate_analysis)

    def _instructions(self) -> bytes:
        journal = self.settings.erasure_journal
        resolved = {
            "data": self.directory.root,
            "definitions": self.settings.definitions.absolute(),
            "erasure_journal": journal and journal.absolute(),
            "keys": self.settings.keys and self.settings.keys.absolute(),
        }
        return self.settings.model_copy(update=resolved).model_dump_json().encode()

    def _announce(self) -> None:
        """The first worker answers. The others follow only now: beside it they would halve the speed of its start."""
        self.announced = True
        for child in (*self.children.workers[1:], self.children.writer, *self.children.webhooks):
            self._relaunch(child)
        address = address_of(self.listener)
        port = self.listener.getsockname()[1]
        told = json.dumps({"pid": os.getpid(), "url": address, "port": port})
        self.upkeep.put(self.directory.address_file, told.encode())
        welcome(self.settings, address, self.store.name, self.keys, self.audit)
        self.announcer.say("ready", address=address)
        self.notifier.ready(self._causes)

    def _report_definitions(self) -> None:
        for error in self.keeper.errors:
            logger.error("definitions refused, the last good ones serve: %s", error)
        if not self.keeper.errors:
            logger.info("definitions are live", extra={"version": self.keeper.catalog.version})
        if self.settings.is_public and self.keeper.catalog.shop.privacy.default_consent is None:
            logger.warning(NO_CONSENT_CHOSEN)

    def _stop(self) -> None:
        """End the tree: workers drain, then the writer writes what is left, then the store."""
        self.lame_duck.tell()
        self.notifier.stopping()
        admit_nobody(self.listener)
        self.listener.close()
        end_all(self.children.workers, self.settings.drain_seconds + WORKER_GRACE_SECONDS)
        self.switchboard.close()
        self.analysis_listener.close()
        self.traffic.close()
        end_all(self.children.behind_workers, WRITER_SECONDS)
        self.store.stop()
        forget_unix(self.directory.analysis_socket)
        forget_unix(self.directory.orders_socket)
        self.upkeep.forget(self.directory.address_file)
        self.selector.close()
        self.lame_duck.close()

    @contextlib.contextmanager
    def _signals(self) -> Generator[None]:
        """Signals wake the selector at once; those that end the service may come any number of times."""
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setblocking(False)
        self.selector.register(ours, selectors.EVENT_READ, partial(ours.recv, 4096))
        for number in _heard():
            signal.signal(number, self._end_on_signal)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(-1)
            for number in _heard():  # one more SIGTERM must not turn a clean end into a failure
                signal.signal(number, signal.SIG_IGN)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            ours.close()
            theirs.close()

    def _end_on_signal(self, number: int, frame: FrameType | None) -> None:
        self.lame_duck.signal(serving=self.announced)


async def forget_erased(settings: Settings) -> None:
    """Takes out of the store what it holds of people whom it does not know to be erased; the writer looks again."""
    from events.deletes.tombstones import mirror_tombstones

    connection = await store_connection(settings)
    try:
        await mirror_tombstones(connection, settings.data, forgets=True)
    except StoreUnavailable as unavailable:
        logger.warning("histories of the erased are in the store until it answers: %s", unavailable.cause)
    finally:
        await connection.close()


def _heard() -> list[signal.Signals]:
    """The signals that end the service; a hang-up is left alone where it was told to be (nohup)."""
    return [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]
