"""Commands that run or steer the service: serve, demo, start, pause, resume, stop, ship, preview."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.cli.output import (
    NO_EXPERIMENT,
    NO_SERVICE,
    AsJson,
    Key,
    Reason,
    Refused,
    SettingsFile,
    checked_reason,
    complain,
    environment_settings,
    environment_with,
    say,
    say_json,
)
from kit.time import now_utc
from kit.urls import with_parameter

if TYPE_CHECKING:
    from app.runtime.data_directory import DataDirectory
    from app.runtime.settings import Settings
    from kit.announced import Announcer

commands = typer.Typer()

Action = Literal["start", "pause", "resume", "stop", "ship"]
Consent = Literal["ask", "none", "measure", "personal", "gtag", "shop"]


@commands.command()
def serve(  # noqa: PLR0913 (one parameter per option of the command)
    host: Annotated[str | None, typer.Option(help="Address to listen on (RESONATE_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (RESONATE_PORT).")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that answer HTTP (RESONATE_WORKERS).")] = None,
    data: Annotated[Path | None, typer.Option(help="Data directory (RESONATE_DATA).")] = None,
    definitions: Annotated[Path | None, typer.Option(help="Folder of definitions (RESONATE_DEFINITIONS).")] = None,
    settings_file: SettingsFile = None,
    announce: Annotated[str | None, typer.Option(hidden=True)] = None,  # to whom says that it is ready (kit/announced)
) -> None:
    """Run the service until SIGTERM or Ctrl-C; other settings are RESONATE_* variables or entries of a settings file
    (docs/settings.md)."""
    from app.limits.connections import TooFewFiles, connection_limits
    from app.runtime.data_directory import DataDirectory, DirectoryInUse, DirectoryUnusable
    from app.runtime.format import FormatRefused, check_whole, note_format
    from app.runtime.logs import configure_logging
    from app.runtime.settings import readable_by_all, unknown_variables
    from app.serving.sockets import CannotListen, listen
    from kit.announced import Announcer

    announcer = Announcer.of(announce)
    options = {"host": host, "port": port, "workers": workers, "data": data, "definitions": definitions}
    settings = environment_settings("writes", settings_file=settings_file, **options)
    for warning in [*unknown_variables(os.environ), *readable_by_all(environment_with(settings_file))]:
        complain(f"warning: {warning}")
    if settings.definitions.is_dir() and not any(settings.definitions.glob("*.y*ml")):
        complain(NO_EXPERIMENT.format(settings.definitions))
    configure_logging("supervisor", settings.log_level, settings.log_format, settings.secrets)
    directory = DataDirectory(settings.data.absolute())
    try:
        connections, streams = connection_limits(settings.max_connections, settings.max_streams)
        directory.make(group_reads=settings.data_group)
        directory.claim()
        check_whole(directory.root, writes=True)  # none is restored from now on
        note_format(directory.root)
        listener = listen(settings.host, settings.port)
    except (DirectoryInUse, DirectoryUnusable, FormatRefused, CannotListen, TooFewFiles) as error:
        announcer.say("refused", by=type(error).__name__)
        raise Refused(str(error)) from None

    settings = settings.model_copy(update={"max_connections": connections, "max_streams": streams})
    sys.exit(_served(settings, directory, listener, announcer))


def _served(settings: "Settings", directory: "DataDirectory", listener: socket, announcer: "Announcer") -> int:
    """The exit code of a service that ran. Raises Refused where it could not start."""
    from app.keys.file import KeysInvalid
    from app.processes.notify import Notifier
    from app.processes.store import StoreFailed  # who cannot claim the directory need not wait for these
    from app.processes.supervisor import Supervisor
    from app.runtime.board import BoardUnusable
    from app.runtime.data_directory import DirectoryUnusable
    from app.serving.sockets import CannotListen
    from events.privacy.journal import JournalUnusable
    from kit.located import DefinitionErrors

    try:
        return Supervisor(settings, directory, listener, announcer, Notifier.of(os.environ)).run()
    except (StoreFailed, CannotListen, DirectoryUnusable, BoardUnusable) as error:
        raise Refused(str(error)) from None
    except KeysInvalid as error:
        raise Refused(f"RESONATE_KEYS: {error}") from None
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
def start(key: Key, reason: Reason = None, as_json: AsJson = False) -> None:
    """Start a draft, once its files pass `check`. It outranks the file until the file says running."""
    from experiments.catalog.check import start_mistakes

    settings = environment_settings("writes")
    mistakes = start_mistakes(settings.definitions, settings.data, key, now_utc())
    if mistakes:
        raise Refused("\n".join((*mistakes, f"{key} is not started: mend the files first")))
    _order(key, "start", reason, as_json)


@commands.command()
def pause(key: Key, reason: Reason = None, as_json: AsJson = False) -> None:
    """Pause an experiment: everyone sees control, nobody enrols. It outranks the file until the file says the same."""
    _order(key, "pause", reason, as_json)


@commands.command()
def resume(key: Key, reason: Reason = None, as_json: AsJson = False) -> None:
    """Resume an experiment that was paused; one that was stopped goes on in a new phase, in its file."""
    _order(key, "resume", reason, as_json)


@commands.command()
def stop(key: Key, reason: Reason = None, as_json: AsJson = False) -> None:
    """Stop the phase of an experiment for good."""
    _order(key, "stop", reason, as_json)


@commands.command()
def ship(
    key: Key,
    variant: Annotated[str, typer.Argument(help="What everybody sees from now on.", show_default=False)],
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Stop the phase of an experiment for good and show one variant to everybody. It outranks the file until the file
    says `status: stopped` and `decision: {outcome: shipped, variant: …}`."""
    _order(key, "ship", reason, as_json, variant)


@commands.command()
def preview(
    variant: Annotated[str, typer.Argument(metavar="KEY:VARIANT", help="What the link shows.", show_default=False)],
    days: Annotated[float, typer.Option(help="How long the link holds, at most 30 days.", min=0.01, max=30)] = 7,
    url: Annotated[str, typer.Option(help="The page to be looked at; its link is printed.")] = "",
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Make a link that shows one variant, a draft's too, to whoever opens it; nobody is counted by it."""
    from app.identity.preview_links import new_link
    from app.keys.audit import Actor, Audit, AuditUnusable, line_of
    from app.runtime.data_directory import DataDirectory
    from experiments.catalog.catalog import NothingToShow
    from experiments.catalog.reader import CatalogReader, NoCatalog

    key, _, name = variant.partition(":")
    if not name:
        raise Refused(f"{variant!r}: it must name an experiment and its variant, as KEY:VARIANT")
    data = environment_settings("writes").data
    try:
        with_parameter(url, "resonate_preview", "")
    except ValueError as error:
        raise Refused(f"--url {url!r} is no address of a page: {error}") from None
    try:
        phase = CatalogReader(data).catalog.previewable(key, name).phase
        token, ends = new_link(DataDirectory(data.absolute()).preview_key_file, key, phase, name, days)
        expires = datetime.fromtimestamp(ends, UTC).isoformat()
        shown = {"variant": name, "phase": phase, "expires": expires}
        Audit(data).write(line_of(Actor.at_the_command_line(), "preview", key, (None, shown), checked_reason(reason)))
    except NoCatalog:
        raise Refused(NO_SERVICE.format(data)) from None
    except (NothingToShow, AuditUnusable, OSError) as error:
        raise Refused(str(error)) from None
    address = with_parameter(url, "resonate_preview", token)
    if as_json:
        say_json({"token": token, "expires": expires, "url": address})
    else:
        say(address)


@commands.command()
def tag(
    key: Annotated[str, typer.Option(help="The publishable key of the pages; else the first of the settings.")] = "",
    url: Annotated[str, typer.Option(help="The service's address as browsers see it; else RESONATE_PUBLIC_URL.")] = "",
    consent: Annotated[
        Consent, typer.Option(help="What holds until a visitor has answered; `shop`: as in shop.yaml.")
    ] = "ask",
    as_json: AsJson = False,
) -> None:
    """Print the lines that put the browser tag on the shop's pages."""
    from app.tag.library import TagLines, proposed_prefix

    settings = environment_settings()
    address = (url or settings.public_url or f"http://{settings.host}:{settings.port}").rstrip("/")
    readable = [each.partition("@")[0] for each in settings.publishable_keys if not each.startswith("sha256:")]
    found = key or next(iter(readable), "YOUR-PUBLISHABLE-KEY")
    lines = TagLines.of(address, found, None if consent == "shop" else consent)
    prefix = proposed_prefix(address)
    if as_json:
        say_json({"script": lines.script, "style": lines.style, "bare": lines.bare, "proposed_address": prefix})
        return
    say(f"In the head of every page:\n\n{lines.script}\n{lines.style}\n")
    say(f"Or, for a script that never changes and may be served from your own files:\n\n{lines.bare}\n{lines.style}")
    if found not in (key, *readable):
        complain("no publishable key can be read in the settings; give the pages' own: resonate tag --key pk_…")
    if prefix is not None:
        complain(f"names such as /track are on block lists; serve it below a path of your own, for example {prefix}")


def _order(key: str, action: Action, reason: str | None, as_json: bool, variant: str | None = None) -> None:
    """Asks the running service; where none runs, the order is written for the next one."""
    from app.control.orders import OrderAsked, asked_of_service, written_order
    from app.keys.audit import Actor, Audit, AuditUnusable, line_of
    from app.runtime.data_directory import DataDirectory
    from experiments.catalog.overrides import OverrideRefused
    from experiments.catalog.reader import CatalogReader, NoCatalog

    directory = DataDirectory(environment_settings("writes").data.absolute())
    data = directory.root
    line = line_of(Actor.at_the_command_line(), action, key, reason=checked_reason(reason))
    asked = OrderAsked(key, action, line, variant)
    try:
        answer, where = asked_of_service(directory.orders_socket, asked), "in the running service"
        if answer is None:
            where = "from the next start on: no service runs on this data directory"
            answer = written_order(data, CatalogReader(data).catalog, Audit(data), asked)
    except NoCatalog:
        raise Refused(NO_SERVICE.format(data)) from None
    except TimeoutError as error:
        raise Refused(f"{error}: look at the status of {key} before you say it again") from None
    except (OverrideRefused, AuditUnusable) as error:
        raise Refused(str(error)) from None
    if not answer.noted:
        complain(f"warning: {Audit(data).folder} cannot be written, nothing there says who told {key} to {action}")
    if not answer.kept:
        complain(f"warning: {key} is {answer.status} now, and {data} cannot be written: a restart may forget it")
    if as_json:
        say_json({"experiment": key, "status": answer.status, "ordered_at": answer.ordered_at, "kept": answer.kept})
    else:
        say(f"{key} is {answer.status} {where}")
