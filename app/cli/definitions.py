"""Commands for the definition files: check, new, schema."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from app.cli.output import NO_EXPERIMENT, AsJson, Key, Refused, complain, environment_settings, say, say_facts, say_json
from kit.time import now_utc

commands = typer.Typer()

SchemaKind = Literal["experiment", "shop", "metrics", "segments", "holdouts", "recommendations"]

Folder = Annotated[Path | None, typer.Argument(help="Folder of the definition files (RESONATE_DEFINITIONS).")]


@commands.command()
def check(folder: Folder = None, as_json: AsJson = False) -> None:
    """Check all definition files, run the tests inside them, say each state; exit code 1 when something is wrong."""
    from events.parts.manifest import holds_log
    from experiments.catalog.check import check_folder, served_in

    settings = environment_settings(definitions=folder)
    if not settings.definitions.is_dir():
        raise Refused(
            f"{settings.definitions} is not a folder; begin it with `resonate new KEY`, or name another in"
            " RESONATE_DEFINITIONS"
        )
    history = None
    if holds_log(settings.data):  # the engine is loaded for no other folder
        from app.analysis.site_history import site_history
        from app.cli.analysis import local_readouts

        history = site_history(local_readouts(settings))
    result = check_folder(settings.definitions, now_utc(), served_in(settings.data), history, settings.untold)
    if as_json:
        say_json({"passed": result.passed, **asdict(result)})
    else:
        for error in result.errors:
            complain(str(error))
        for warning in result.warnings:
            complain(f"warning: {warning}")
        counts = {"experiments": result.experiments, "tests": result.tests, "errors": len(result.errors)}
        counts |= {"warnings": len(result.warnings)}
        counted = ", ".join(f"{count} {name if count != 1 else name[:-1]}" for name, count in counts.items())
        say_facts(counted, {key: state.replace("_", " ") for key, state in result.states.items()})
        if not result.experiments and not result.errors:
            complain(NO_EXPERIMENT.format(settings.definitions))
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
def schema(kind: Annotated[SchemaKind, typer.Argument(help="Which kind of file.")] = "experiment") -> None:
    """The JSON Schema of a definition file, so that an editor completes and checks it; that beside the files anew."""
    from experiments.definitions.folder import builtin_metrics, read_folder
    from experiments.definitions.schema import json_schema, refresh_schema

    folder = environment_settings().definitions
    content = read_folder(folder).content
    say_json(json_schema(kind, builtin_metrics() if content is None else content.metrics))
    try:
        written = refresh_schema(folder)
    except OSError as error:
        raise Refused(f"{folder}: the schema beside the files cannot be written: {error.strerror}") from None
    if written is not None:
        complain(f"wrote {written}")
