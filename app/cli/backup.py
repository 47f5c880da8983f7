"""Commands that keep data: backup, restore, and verify of the log or of a backup."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.output import AsJson, Refused, complain, environment_settings, progress, say, say_json
from kit.time import now_utc

if TYPE_CHECKING:
    from events.log.verify import LogReport

commands = typer.Typer()


@commands.command()
def backup(
    destination: Annotated[Path, typer.Argument(metavar="DEST", help="A folder that is not there yet.")],
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="Keys and what signs links and visitor ids are in it too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a backup of the data directory; the service may go on. All that was acknowledged before is in it."""
    from msgspec import to_builtins

    from app.backup.making import BackupRefused, make_backup

    try:
        made = make_backup(environment_settings("beside"), destination, with_keys=with_keys)
    except BackupRefused as error:
        raise Refused(str(error)) from None
    if as_json:
        told = {name: value for name, value in to_builtins(made).items() if name != "files"}
        say_json({"backup": str(destination.absolute()), **told, "files": len(made.files), "bytes": made.bytes})
    else:
        for damage in made.damages:
            complain(f"{damage.name}: {damage.cause}")
        found = f"{made.parts} parts with {made.rows} events, {made.waiting} more that waited for one"
        say(f"{destination}: {found}; {len(made.files)} files, {made.bytes} bytes")
    if made.damages:
        complain(f"the log was damaged already: {destination} has everything else")
        raise typer.Exit(1)


@commands.command()
def restore(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="A backup.", show_default=False)],
    erasures: Annotated[
        Path | None, typer.Option(help="The erasure journal, where RESONATE_ERASURE_JOURNAL does not name it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a backup into RESONATE_DATA, which must be absent or empty; exit code 1 when it is damaged."""
    from app.backup.restoring import RestoreRefused, restore_backup

    settings = environment_settings("restores")
    journal = erasures or settings.erasure_journal
    try:
        with progress() as bar:
            task = bar.add_task("files", total=None)
            restored = restore_backup(
                source,
                settings.data,
                [] if journal is None else [journal],
                lambda done, total: bar.update(task, completed=done, total=total),
            )
    except RestoreRefused as error:
        raise Refused(str(error)) from None
    if as_json:
        say_json(restored.as_json())
    else:
        say(f"{restored.data}: restored from {restored.backup}, made at {restored.made_at}")
        if restored.erased_again:
            say(f"{restored.erased_again} ids were erased since, and are erased here too")
        _say_log(restored.log)
    if restored.erasures_known_until is not None:
        complain(
            f"erasures are known until {restored.erasures_known_until}: who was erased since then is there again. Name"
            " the journal, by RESONATE_ERASURE_JOURNAL or --erasures FILE, or erase them again"
        )
    if not restored.with_keys:
        complain(
            "it holds neither keys.json nor secrets: put the former ones there, or the next start makes keys, where"
            " no setting names any, and visitor ids and links that were signed before are not known any more"
        )
    if not restored.log.is_sound:
        raise typer.Exit(1)


@commands.command()
def verify(
    backup: Annotated[
        Path | None, typer.Argument(metavar="BACKUP", help="A backup; else the log of the data directory.")
    ] = None,
    as_json: AsJson = False,
    set_aside: Annotated[
        str | None, typer.Option(help="Go on without this damaged part; readouts go on telling that it is lost.")
    ] = None,
) -> None:
    """Check every part of the log, or every file of a backup, against its digest; exit code 1 when one is damaged."""
    if backup is not None:
        if set_aside is not None:
            raise Refused("--set-aside is of the data directory: a backup is never changed")
        _verify_backup(backup, as_json)
        return
    from events.log.verify import verify_log

    settings = environment_settings("reads" if set_aside is None else "writes")
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
        _say_log(report)
    if not report.is_sound:
        raise typer.Exit(1)


def _verify_backup(folder: Path, as_json: bool) -> None:
    from msgspec import to_builtins

    from app.backup.manifest import BackupUnusable, check_backup

    try:
        with progress() as bar:
            task = bar.add_task("files", total=None)
            report = check_backup(folder, lambda done, total: bar.update(task, completed=done, total=total))
    except BackupUnusable as error:
        raise Refused(str(error)) from None
    if as_json:
        say_json(to_builtins(report))
    else:
        for damage in report.damages:
            complain(f"{damage.name}: {damage.cause}")
        say(f"{folder}, made at {report.made_at}: {report.files} files, {report.events} events,"
            f" {len(report.damages)} damages")  # fmt: skip
    if not report.sound:
        raise typer.Exit(1)


def _say_log(report: "LogReport") -> None:
    for damage in report.damages:
        complain(f"{damage.name}: {damage.cause}")
    for loss in report.set_aside:
        say(f"{loss.name}: set aside at {loss.set_aside_at}, its events are lost ({loss.cause})")
    for name in report.outside_erasure:
        say(f"{name}: outside erasure, it may hold people who were erased; look at it, then delete it")
    say(f"{report.parts} parts, {report.rows} events, {len(report.damages)} damages")


def _set_aside(data: Path, name: str) -> None:
    from app.runtime.data_directory import DataDirectory, DirectoryInUse
    from events.log.verify import NotDamaged, set_aside

    try:
        lock = DataDirectory(data.absolute()).claim()
    except DirectoryInUse as error:
        raise Refused(f"{error}; stop it first") from None
    try:
        set_aside(data, name, now_utc())
    except NotDamaged as error:
        raise Refused(str(error)) from None
    finally:
        os.close(lock)
