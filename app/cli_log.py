"""Commands for the event log: export, verify."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli_output import AsJson, complain, environment_settings, progress, say, say_json

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
def verify(as_json: AsJson = False) -> None:
    """Check every part of the log against its digest; exit code 1 when one is damaged."""
    from events.verify import verify_log

    settings = environment_settings()
    with progress() as bar:
        task = bar.add_task("parts", total=None)
        report = verify_log(settings.data, lambda done, total: bar.update(task, completed=done, total=total))
    if as_json:
        say_json(report.as_json())
    else:
        for damage in report.damages:
            complain(f"{damage.name}: {damage.cause}")
        say(f"{report.parts} parts, {report.rows} events, {len(report.damages)} damages")
    if not report.is_sound:
        raise typer.Exit(1)
