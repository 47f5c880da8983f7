"""Commands for the definition files: check, new, schema."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.cli.output import NO_EXPERIMENT, AsJson, Key, Refused, complain, environment_settings, say, say_json

if TYPE_CHECKING:
    from app.runtime.settings import Settings
    from experiments.catalog.check import SiteHistory

commands = typer.Typer()

SchemaKind = Literal["experiment", "shop", "metrics", "segments", "holdouts", "recommendations"]

Folder = Annotated[Path | None, typer.Argument(help="Folder of the definition files (RESONATE_DEFINITIONS).")]


@commands.command()
def check(folder: Folder = None, as_json: AsJson = False) -> None:
    """Check all definition files and run the tests inside them; exit code 1 when something is wrong."""
    from experiments.catalog.check import check as checked
    from experiments.catalog.check import served_in

    settings = environment_settings()
    result = checked(_folder(folder), datetime.now(UTC), served_in(settings.data), _history(settings))
    if as_json:
        say_json({"passed": result.passed, **asdict(result)})
    else:
        for error in result.errors:
            complain(str(error))
        for warning in result.warnings:
            complain(f"warning: {warning}")
        counts = {"experiments": result.experiments, "tests": result.tests, "errors": len(result.errors)}
        counts |= {"warnings": len(result.warnings)}
        say(", ".join(f"{count} {name if count != 1 else name[:-1]}" for name, count in counts.items()))
        if not result.experiments and not result.errors:
            complain(NO_EXPERIMENT.format(_folder(folder)))
    if not result.passed:
        raise typer.Exit(1)


@commands.command()
def new(key: Key, folder: Folder = None) -> None:
    """Write a commented file for a new experiment."""
    from experiments.definitions.schema import ScaffoldRefused, new_experiment

    target = environment_settings(definitions=folder).definitions
    try:
        written = new_experiment(key, target)
        say(f"wrote {written}: fill it in, ask `resonate check`, and set status: running when it may go live")
    except ScaffoldRefused as error:
        raise Refused(str(error)) from None


@commands.command()
def schema(
    kind: Annotated[SchemaKind, typer.Argument(help="Which kind of file.")] = "experiment",
) -> None:
    """The JSON Schema of a definition file, so that an editor completes and checks it."""
    from experiments.definitions.schema import json_schema

    say_json(json_schema(kind))


def _history(settings: "Settings") -> "SiteHistory | None":
    """What the log says, where there is one; the engine is loaded for no other folder."""
    from events.parts.manifest import holds_log

    if not holds_log(settings.data):
        return None
    from app.cli.analysis import local_readouts
    from app.cli.site_history import site_history

    return site_history(local_readouts(settings))


def _folder(given: Path | None) -> Path:
    folder = environment_settings(definitions=given).definitions
    if not folder.is_dir():
        raise Refused(
            f"{folder} is not a folder; begin it with `resonate new KEY`, or name another in RESONATE_DEFINITIONS"
        )
    return folder
