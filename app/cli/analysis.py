"""One question to the analysis from the command line: to the running service, else to the data directory itself."""

import asyncio
import json
from typing import TYPE_CHECKING, Any

from app.analysis.client import AnalysisAnswer, AnalysisClient, AnalysisError
from app.cli.output import NO_SERVICE, Refused
from app.runtime.data_directory import DataDirectory
from app.runtime.settings import Settings

if TYPE_CHECKING:
    from experiments.readout.read import Readouts


def ask(settings: Settings, name: str, **arguments: Any) -> AnalysisAnswer:
    """The answer of a call of `app.analysis.calls`; arguments that are None are left out. Raises Refused."""
    given = {key: value for key, value in arguments.items() if value is not None}
    try:
        return asyncio.run(_asked(settings, name, given))
    except AnalysisError as error:
        raise Refused(error.detail) from None


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

    try:
        archive = CatalogReader(settings.data)
    except NoCatalog:
        raise Refused(NO_SERVICE.format(settings.data)) from None
    return Readouts(EventLog(settings.data, analysis_limits(settings)), archive)


async def _asked(settings: Settings, name: str, arguments: dict[str, Any]) -> AnalysisAnswer:
    if service_runs(settings):
        client = AnalysisClient(DataDirectory(settings.data).analysis_socket, settings.analysis_timeout_seconds)
        return await client.call(name, arguments)
    return await _read_here(settings, name, arguments)


async def _read_here(settings: Settings, name: str, arguments: dict[str, Any]) -> AnalysisAnswer:
    """Without a service the parts are read as they lie; events still in its store are pending."""
    from app.analysis.calls import calls
    from app.analysis.server import refusal
    from app.analysis.state import Analysis
    from experiments.catalog.reader import NoCatalog

    try:
        analysis = await Analysis.open(settings)
    except NoCatalog:
        raise Refused(NO_SERVICE.format(settings.data)) from None
    try:
        return await calls(analysis)[name](arguments)
    except AnalysisError:
        raise
    except Exception as error:
        raise refusal(error, name) from error
    finally:
        await analysis.close()
