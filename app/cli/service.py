"""Commands that run or steer the service: serve, demo, pause, resume, stop."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from app.cli.output import (
    NO_EXPERIMENT,
    NO_SERVICE,
    AsJson,
    Key,
    Refused,
    complain,
    environment_settings,
    say,
    say_json,
)

commands = typer.Typer()

Action = Literal["pause", "resume", "stop"]


@commands.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (RESONATE_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (RESONATE_PORT).")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that answer HTTP (RESONATE_WORKERS).")] = None,
    data: Annotated[Path | None, typer.Option(help="Data directory (RESONATE_DATA).")] = None,
    definitions: Annotated[Path | None, typer.Option(help="Folder of definitions (RESONATE_DEFINITIONS).")] = None,
) -> None:
    """Run the service until SIGTERM or Ctrl-C; the other settings are RESONATE_* variables (docs/settings.md)."""
    from app.http.server import CannotListen, listen
    from app.runtime.data_directory import DataDirectory, DirectoryInUse, DirectoryUnusable
    from app.runtime.logs import configure_logging
    from app.runtime.settings import unknown_variables

    settings = environment_settings(host=host, port=port, workers=workers, data=data, definitions=definitions)
    for warning in unknown_variables(os.environ):
        complain(f"warning: {warning}")
    if settings.definitions.is_dir() and not any(settings.definitions.glob("*.y*ml")):
        complain(NO_EXPERIMENT.format(settings.definitions))
    configure_logging("supervisor", settings.log_level, settings.log_format, settings.secrets)
    directory = DataDirectory(settings.data.absolute())
    try:
        directory.make(group_reads=settings.data_group)
        directory.claim()
        listener = listen(settings.host, settings.port)
    except (DirectoryInUse, DirectoryUnusable, CannotListen) as error:
        raise Refused(str(error)) from None

    from app.processes.store import StoreFailed  # who cannot claim the directory need not wait for these
    from app.processes.supervisor import Supervisor
    from events.privacy.journal import JournalUnusable
    from experiments.definitions.located import DefinitionErrors

    try:
        sys.exit(Supervisor(settings, directory, listener).run())
    except (StoreFailed, CannotListen, DirectoryUnusable) as error:
        raise Refused(str(error)) from None
    except JournalUnusable as error:
        raise Refused(f"RESONATE_ERASURE_JOURNAL: {error}") from None
    except DefinitionErrors as errors:
        raise Refused("\n".join(str(error) for error in errors.errors)) from None


@commands.command()
def demo(seed: Annotated[int, typer.Option(help="Draws the crowd: the same seed, the same visitors.")] = 1) -> None:
    """Start an example shop with a simulated crowd, until stopped; prints where to look."""
    from app.demo.run import run_demo

    sys.exit(run_demo(seed))


@commands.command()
def pause(key: Key, as_json: AsJson = False) -> None:
    """Pause an experiment: everyone sees control, nobody enrols. It outranks the file until the file says the same."""
    _order(key, "pause", as_json)


@commands.command()
def resume(key: Key, as_json: AsJson = False) -> None:
    """Resume an experiment that was paused; one that was stopped goes on in a new phase, in its file."""
    _order(key, "resume", as_json)


@commands.command()
def stop(key: Key, as_json: AsJson = False) -> None:
    """Stop the phase of an experiment for good."""
    _order(key, "stop", as_json)


def _order(key: str, action: Action, as_json: bool) -> None:
    from experiments.catalog.overrides import OverrideRefused, order
    from experiments.catalog.reader import CatalogReader, NoCatalog

    settings = environment_settings()
    try:
        override = order(settings.data, CatalogReader(settings.data).catalog, key, action, datetime.now(UTC))
    except NoCatalog:
        raise Refused(NO_SERVICE.format(settings.data)) from None
    except OverrideRefused as error:
        raise Refused(str(error)) from None
    if as_json:
        say_json({"experiment": key, "status": override.status, "ordered_at": override.ordered_at})
    else:
        say(f"{key} is {override.status}: a running service follows within 2 s")
