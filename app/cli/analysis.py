"""One question to the analysis from the command line: to the running service, else to the data directory itself."""

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING, Any

from app.analysis.client import AnalysisAnswer, AnalysisClient, AnalysisError
from app.analysis.queries import Query
from app.cli.output import NO_SERVICE, Refused, checked_reason
from app.keys.audit import Actor, Audit, AuditUnusable, line_of
from app.runtime.data_directory import DataDirectory
from app.runtime.settings import Settings

if TYPE_CHECKING:
    from experiments.readout.read import Readouts


def analysis_answer(settings: Settings, query: Query) -> AnalysisAnswer:
    """The answer to a query. Raises Refused."""
    try:
        return asyncio.run(_asked(settings, query))
    except AnalysisError as error:
        raise Refused(error.detail) from None


def note_act(settings: Settings, act: str, subject: str, after: Any, reason: str | None) -> None:
    """Keeps who does something at the command line, before it is done. Raises Refused."""
    line = line_of(Actor.at_the_command_line(), act, subject, (None, after), checked_reason(reason))
    try:
        Audit(settings.data).write(line)
    except AuditUnusable as error:
        raise Refused(str(error)) from None


def service_runs(settings: Settings) -> bool:
    """Whether a service owns the data directory now."""
    try:
        return "pid" in json.loads(DataDirectory(settings.data).address_file.read_text())
    except (OSError, ValueError):
        return False


def local_readouts(settings: Settings) -> "Readouts":
    """The readouts of the data directory, for work that is too long to ask a service for. Raises Refused."""
    from app.analysis.state import analysis_limits
    from events.engines.duckdb import EventLog
    from experiments.catalog.reader import CatalogReader, NoCatalog
    from experiments.readout.read import Readouts

    _erase_again(settings)
    try:
        archive = CatalogReader(settings.data)
    except NoCatalog:
        raise Refused(NO_SERVICE.format(settings.data)) from None
    return Readouts(EventLog(settings.data, analysis_limits(settings)), archive)


async def _asked(settings: Settings, query: Query) -> AnalysisAnswer:
    """Of the service; without one the parts are read as they lie, and events still in its store are pending."""
    if service_runs(settings):
        socket_path = DataDirectory(settings.data).analysis_socket
        return await AnalysisClient(socket_path, settings.analysis_timeout_seconds).ask(query)

    from app.analysis.calls import answer
    from app.analysis.server import answer_query
    from app.analysis.state import Analysis
    from experiments.catalog.reader import NoCatalog

    _erase_again(settings)
    try:
        analysis = await Analysis.open(settings)
    except NoCatalog:
        raise Refused(NO_SERVICE.format(settings.data)) from None
    try:
        return await answer_query(partial(answer, analysis), query)
    finally:
        await analysis.close()


def _erase_again(settings: Settings) -> None:
    """A data directory put back from a copy is read without who was erased since. Raises Refused."""
    if settings.erasure_journal is None or service_runs(settings):
        return
    from events.privacy.journal import ErasureJournal, JournalUnusable, replay

    journal = ErasureJournal(settings.erasure_journal)
    try:
        journal.prepare(settings.data)
        replay(journal, settings.data)
    except JournalUnusable as error:
        raise Refused(str(error)) from None
