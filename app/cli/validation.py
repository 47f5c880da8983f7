"""Commands that make the statistics prove themselves: simulate, aa."""

from dataclasses import asdict
from typing import Annotated

import typer

from app.cli.output import AsJson, Key, Refused, complain, environment_settings, progress, say_json, say_table

commands = typer.Typer()


@commands.command()
def simulate(
    figure: Annotated[list[str] | None, typer.Option(help="Only figures whose name has this word; repeat.")] = None,
    runs: Annotated[int, typer.Option(min=100, help="Simulated experiments per figure.")] = 4000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same table.")] = 20260101,
    as_json: AsJson = False,
) -> None:
    """Measure the error rates that the statistics promise; exit code 1 when a promise is not kept."""
    from experiments.validation.simulation import error_rates

    with progress() as bar:
        task = bar.add_task("figures", total=None)
        rates = error_rates(
            figure or None, runs, seed, lambda name, done, total: bar.update(task, completed=done, total=total)
        )
    if not rates:
        raise Refused(
            f"no figure has {' or '.join(figure or [])} in its name; `resonate simulate` alone lists them all"
        )
    if as_json:
        say_json([asdict(rate) for rate in rates])
    else:
        rows = [
            [rate.figure, rate.demand, f"{rate.ours:.4g}", "kept" if rate.met else "BROKEN", rate.peers]
            for rate in rates
        ]
        say_table(f"{runs} simulated experiments per figure", ["figure", "promise", "ours", "", "peers"], rows)
    if not all(rate.met for rate in rates):
        raise typer.Exit(1)


@commands.command()
def aa(
    key: Key,
    runs: Annotated[int, typer.Option("--replays", min=10, help="How often the logged units are split anew.")] = 1000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same answer.")] = 20260105,
    as_json: AsJson = False,
) -> None:
    """Split the logged units of an experiment anew, many times: how often does each metric find what is not there?"""
    from app.cli.analysis import local_readouts
    from events.parts.part import DataDamaged
    from experiments.readout.study import NotFound
    from experiments.validation.aa import FEWEST_UNITS, aa_rates

    readouts = local_readouts(environment_settings())
    try:
        with progress() as bar:
            task = bar.add_task("A/A runs", total=None)
            rates = aa_rates(
                readouts, key, runs, seed, lambda done, total: bar.update(task, completed=done, total=total)
            )
    except (NotFound, DataDamaged) as error:
        raise Refused(str(error)) from None
    if as_json:
        say_json([asdict(rate) for rate in rates])
        return
    if not rates:
        complain(f"{key}: no metric has the {FEWEST_UNITS} exposed units yet that can be split anew")
        return
    names = list(asdict(rates[0]))
    rows = [
        [f"{value:.4g}" if isinstance(value, float) else str(value) for value in asdict(rate).values()]
        for rate in rates
    ]
    say_table(f"{key}: {runs} A/A runs", names, rows)
