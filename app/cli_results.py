"""Commands for analysts: results, plan, import."""

import json
from pathlib import Path
from typing import Annotated

import typer

from app.cli_output import AsJson, Key, Refused, environment_settings, say_json

commands = typer.Typer()

Option = typer.Option


@commands.command()
def results(
    key: Key,
    at: Annotated[str | None, Option(help="Repeat the look at this time, such as 2026-01-20T09:00:00Z.")] = None,
    metric: Annotated[str | None, Option(help="Only this metric.")] = None,
    dimension: Annotated[str | None, Option(help="Split by this dimension.")] = None,
    phase: Annotated[int | None, Option(help="An earlier phase.")] = None,
    as_json: AsJson = False,
) -> None:
    """The readout of an experiment as a table."""
    from app.local_analysis import ask
    from app.readout_table import say_readout

    answer = ask(environment_settings(), "results", key=key, at=at, metric=metric, dimension=dimension, phase=phase)
    readout = json.loads(answer.body)
    (say_json if as_json else say_readout)(readout)


@commands.command()
def plan(key: Key, as_json: AsJson = False) -> None:
    """Visitors a day, the smallest effect that can be seen, and the days until the planned one can."""
    from app.local_analysis import ask
    from app.readout_table import say_plan

    answer = json.loads(ask(environment_settings(), "plan", key=key).body)
    (say_json if as_json else say_plan)(answer)


@commands.command("import")
def import_file(  # noqa: PLR0913 (one parameter per option of the command)
    file: Annotated[Path, typer.Argument(help="CSV or Parquet file, one row per unit.", show_default=False)],
    experiment: Annotated[str, Option(help="Name that the readout gets.", show_default=False)],
    unit: Annotated[str, Option(help="Column of the unit's id.", show_default=False)],
    variant: Annotated[str, Option(help="Column of the variant.", show_default=False)],
    metric: Annotated[list[str], Option(help="NAME=TYPE:COLUMN, NAME=ratio:NUM/DEN; repeat.", show_default=False)],
    control: Annotated[str | None, Option(help="The control's value; else the first in order.")] = None,
    weights: Annotated[str | None, Option(help="Planned shares: VALUE=WEIGHT,… ; else equal.")] = None,
    covariate: Annotated[list[str] | None, Option(help="METRIC=COLUMN measured before exposure; repeat.")] = None,
    method: Annotated[str, Option(help="anytime, fixed or bayesian.")] = "fixed",
    units: Annotated[int | None, Option(help="Planned units, all variants together; else those of the table.")] = None,
    as_json: AsJson = False,
) -> None:
    """Analyse a table with the same engine and print the same readout."""
    from app.readout_table import say_readout
    from experiments.importing import ImportFailed, import_request, import_table
    from experiments.readout_types import readout_json

    try:
        request = import_request(
            experiment=experiment, unit=unit, variant=variant, metrics=metric, control=control, weights=weights,
            covariates=covariate or [], method=method, planned_units=units,
        )  # fmt: skip
        readout = readout_json(import_table(file, request))
    except ImportFailed as error:
        raise Refused(str(error)) from None
    (say_json if as_json else say_readout)(readout)
