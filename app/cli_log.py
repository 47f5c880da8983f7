"""Commands for the event log: export, verify."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from app.cli_output import AsJson, Refused, complain, environment_settings, progress, say, say_json

commands = typer.Typer()

PAGE_ROWS = 10_000


@commands.command()
def export(
    output: Annotated[Path | None, typer.Option(help="File to write; else standard output.")] = None,
    cursor: Annotated[str | None, typer.Option(help="Go on after an earlier export.")] = None,
) -> None:
    """Every event as NDJSON, in order; the cursor for the next export is printed at the end, on standard error."""
    from app.local_analysis import ask

    settings = environment_settings()
    target = output.open("wb") if output else typer.get_binary_stream("stdout")
    try:
        while True:
            page = ask(settings, "export_events", cursor=cursor, limit=PAGE_ROWS)
            cursor = page.headers["x-resonate-next-cursor"]
            target.write(page.body)
            if not page.body:
                break
        target.flush()
    finally:
        if output:
            target.close()
    complain(f"next cursor {cursor}; {page.headers['x-resonate-pending']} events are pending")


@commands.command()
def verify(
    as_json: AsJson = False,
    set_aside: Annotated[
        str | None, typer.Option(help="Go on without this damaged part; readouts go on telling that it is lost.")
    ] = None,
) -> None:
    """Check every part of the log against its digest; exit code 1 when one is damaged."""
    from events.verify import verify_log

    settings = environment_settings()
    if not settings.data.is_dir():
        raise Refused(f"there is no data directory {settings.data}; set RESONATE_DATA to the one to verify")
    if set_aside is not None:
        _set_aside(settings.data, set_aside)
    with progress() as bar:
        task = bar.add_task("parts", total=None)
        report = verify_log(settings.data, lambda done, total: bar.update(task, completed=done, total=total))
    if as_json:
        say_json(report.as_json())
    else:
        for damage in report.damages:
            complain(f"{damage.name}: {damage.cause}")
        for loss in report.set_aside:
            say(f"{loss.name}: set aside at {loss.set_aside_at}, its events are lost ({loss.cause})")
        say(f"{report.parts} parts, {report.rows} events, {len(report.damages)} damages")
    if not report.is_sound:
        raise typer.Exit(1)


def _set_aside(data: Path, name: str) -> None:
    from app.data_directory import DataDirectory, DirectoryInUse
    from events.setting_aside import NotDamaged, set_aside

    try:
        lock = DataDirectory(data.absolute()).claim()
    except DirectoryInUse as error:
        raise Refused(f"{error}; stop it first") from None
    try:
        set_aside(data, name, datetime.now(UTC))
    except NotDamaged as error:
        raise Refused(str(error)) from None
    finally:
        os.close(lock)
