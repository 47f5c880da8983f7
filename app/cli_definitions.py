"""Commands for the definition files: check, new, schema."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli_output import AsJson, Key, Refused, complain, environment_settings, say, say_json

commands = typer.Typer()

Folder = Annotated[Path | None, typer.Argument(help="Folder of the definition files (RESONATE_DEFINITIONS).")]


@commands.command()
def check(folder: Folder = None, as_json: AsJson = False) -> None:
    """Check all definition files and run the tests inside them; exit code 1 when something is wrong."""
    from experiments.checking import check as checked

    result = checked(_folder(folder))
    failed = [test for test in result.tests if not test.passed]
    if as_json:
        say_json(result.as_json())
    else:
        for error in result.errors:
            complain(str(error))
        for warning in result.warnings:
            complain(f"warning: {warning}")
        for test in failed:
            complain(str(test))
        say(f"{len(result.errors)} errors, {len(result.warnings)} warnings, {len(result.tests)} tests")
    if result.errors or failed:
        raise typer.Exit(1)


@commands.command()
def new(key: Key, folder: Folder = None) -> None:
    """Write a commented file for a new experiment."""
    from experiments.scaffold import ScaffoldRefused, new_experiment

    target = environment_settings(definitions=folder).definitions
    try:
        say(f"wrote {new_experiment(key, target)}")
    except ScaffoldRefused as error:
        raise Refused(str(error)) from None


@commands.command()
def schema() -> None:
    """The JSON Schema of an experiment file, so that an editor completes and checks it."""
    from experiments.schema import json_schema

    say_json(json_schema())


def _folder(given: Path | None) -> Path:
    folder = environment_settings(definitions=given).definitions
    if not folder.is_dir():
        raise Refused(f"{folder} is not a folder; name the folder of the definition files or set RESONATE_DEFINITIONS")
    return folder
