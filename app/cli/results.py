"""Commands for analysts: results, plan, program, holdout, import, export of the event log, simulate, aa."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from app.cli.output import (
    AsJson,
    Key,
    Reason,
    Refused,
    complain,
    environment_settings,
    progress,
    say,
    say_holdout,
    say_json,
    say_outlook,
    say_plan,
    say_program,
    say_readout,
    say_table,
)

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
    from app.analysis.queries import ResultsQuery
    from app.cli.analysis import analysis_answer

    answer = analysis_answer(environment_settings("beside"), ResultsQuery(key, at, phase, metric, dimension))
    readout = json.loads(answer.body)
    (say_json if as_json else say_readout)(readout)


@commands.command()
def report(
    key: Key,
    phase: Annotated[int | None, Option(help="An earlier phase.")] = None,
    at: Annotated[str | None, Option(help="Repeat the look at this time, such as 2026-01-20T09:00:00Z.")] = None,
    form: Annotated[Literal["html", "md"], Option("--format", help="html: one file with its pictures; md.")] = "html",
    output: Annotated[Path | None, Option("--output", "-o", help="File to write; else standard output.")] = None,
) -> None:
    """The readout of an experiment as a document for people: one file, which needs nothing besides."""
    from app.analysis.queries import ReportQuery
    from app.cli.analysis import analysis_answer
    from app.reports.content import ReportedLook, report_of
    from app.reports.rendering import html, markdown

    answer = analysis_answer(environment_settings("beside"), ReportQuery(key, at, phase))
    found = report_of(ReportedLook(**json.loads(answer.body)))
    text = html(found) if form == "html" else markdown(found)
    if output is None:
        say(text.removesuffix("\n"))
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Refused(f"{output}: {error.strerror}") from None


@commands.command()
def plan(  # noqa: PLR0913 (one parameter per option of the command)
    key: Annotated[str | None, typer.Argument(help="Key of the experiment; none for a plan without any log.")] = None,
    units_a_day: Annotated[str | None, Option(help="Units that arrive each day, all variants together.")] = None,
    baseline: Annotated[str | None, Option(help="The rate of today, such as 3%; of a mean its value.")] = None,
    lift: Annotated[str | None, Option(help="Relative lift to find, such as 5%: how many days does it take?")] = None,
    kind: Annotated[str | None, Option("--type", help="proportion or mean; without a key proportion.")] = None,
    sd: Annotated[str | None, Option(help="Standard deviation of a unit's value, for a mean.")] = None,
    days: Annotated[str | None, Option(help="Days of enrolment: which lift do they find?")] = None,
    weights: Annotated[str | None, Option(help="Shares of the variants, control first: 90,10; else equal.")] = None,
    method: Annotated[str | None, Option(help="anytime, planned or fixed; without a key anytime.")] = None,
    looks: Annotated[str | None, Option(help="Looks of the planned method.")] = None,
    alpha: Annotated[str | None, Option(help="Of all comparisons together; without a key 0.05.")] = None,
    power: Annotated[str | None, Option(help="Chance to find the lift; without a key 0.8.")] = None,
    window: Annotated[str | None, Option(help="How long a unit's values count; without a key 7 days.")] = None,
    as_json: AsJson = False,
) -> None:
    """Days for a lift, or the smallest lift of some days: of an experiment by its log, or of any traffic you name."""
    from experiments.planning.assumptions import InvalidPlan, assumptions, plan_request

    given = {
        "units_a_day": units_a_day, "baseline": baseline, "lift": lift, "type": kind, "sd": sd, "days": days,
        "weights": weights, "method": method, "looks": looks, "alpha": alpha, "power": power, "window": window,
    }  # fmt: skip
    try:
        said = assumptions(given)
        request = plan_request(said) if key is None else None
    except InvalidPlan as error:
        raise Refused(str(error)) from None
    if request is not None:
        from experiments.planning.plan import plan_json

        (say_json if as_json else say_outlook)(plan_json(request))
    if key is None:
        return
    from app.analysis.queries import PlanQuery
    from app.cli.analysis import analysis_answer

    answer = json.loads(analysis_answer(environment_settings("beside"), PlanQuery(key, said)).body)
    (say_json if as_json else say_plan)(answer)


@commands.command()
def program(
    since: Annotated[str | None, Option("--from", help="Decided on this day or later.")] = None,
    until: Annotated[str | None, Option("--to", help="Decided on this day or before.")] = None,
    metric: Annotated[str | None, Option(help="Only experiments whose first goal it is.")] = None,
    as_json: AsJson = False,
) -> None:
    """Did testing pay? Every concluded experiment, and the sum of what was shipped, as measured and shrunk."""
    from app.analysis.queries import ProgramReportQuery
    from app.cli.analysis import analysis_answer

    answer = analysis_answer(environment_settings("beside"), ProgramReportQuery(since, until, metric))
    (say_json if as_json else say_program)(json.loads(answer.body))


@commands.command()
def holdout(
    key: Annotated[str, typer.Argument(help="Name of the holdout.", show_default=False)],
    metric: Annotated[str | None, Option(help="This metric instead of its own.")] = None,
    since: Annotated[str | None, Option("--from", help="Who arrived from this day on.")] = None,
    until: Annotated[str | None, Option("--to", help="Who arrived before this day.")] = None,
    at: Annotated[str | None, Option(help="Repeat the look at this time, such as 2026-01-20T09:00:00Z.")] = None,
    as_json: AsJson = False,
) -> None:
    """What all that was shipped and all that runs did together, against the visitors who are held back."""
    from app.analysis.queries import HoldoutResultsQuery
    from app.cli.analysis import analysis_answer

    answer = analysis_answer(environment_settings("beside"), HoldoutResultsQuery(key, at, since, until, metric))
    (say_json if as_json else say_holdout)(json.loads(answer.body))


@commands.command("import")
def import_file(  # noqa: PLR0913 (one parameter per option of the command)
    file: Annotated[Path, typer.Argument(help="CSV or Parquet file with a header.", show_default=False)],
    experiment: Annotated[str, Option(help="Name that the readout gets.", show_default=False)],
    variant: Annotated[str, Option(help="Column of the variant.", show_default=False)],
    metric: Annotated[
        list[str],
        Option(help="NAME=TYPE:COLUMN, NAME=ratio:NUM/DEN, NAME=quantile:COLUMN@0.9; repeat.", show_default=False),
    ],
    unit: Annotated[str | None, Option(help="Column of the unit's id; else each row is a unit.")] = None,
    control: Annotated[str | None, Option(help="The control's value; else the first in order.")] = None,
    weights: Annotated[str | None, Option(help="Planned shares: VALUE=WEIGHT,… ; else equal.")] = None,
    covariate: Annotated[list[str] | None, Option(help="METRIC=COLUMN measured before exposure; repeat.")] = None,
    dimension: Annotated[list[str] | None, Option(help="Split by this column too; repeat.")] = None,
    method: Annotated[str, Option(help="anytime, fixed or bayesian.")] = "fixed",
    units: Annotated[int | None, Option(help="Planned units, all variants together; else those of the table.")] = None,
    alpha: Annotated[float, Option(help="Share of false positives that is accepted.")] = 0.05,
    correction: Annotated[str, Option(help="For several metrics or variants: holm or bh.")] = "holm",
    decimal: Annotated[str | None, Option(help="Decimal sign, . or , ; else what the numbers show.")] = None,
    missing: Annotated[str, Option(help="Cells without a number: error, drop (their rows) or 0.")] = "error",
    duplicates: Annotated[
        str | None, Option(help="Units in several rows: error, first, last, sum or drop; else error.")
    ] = None,
    events: Annotated[bool, Option("--events", help="Each row is an event: the rows of a unit are summed.")] = False,
    counts: Annotated[
        bool, Option("--counts", help="Rows count units: NAME=proportion:CONVERSIONS/VISITORS, no --unit.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Analyse a table with the same engine and print the same readout."""
    from experiments.answers.encoding import readout_json
    from experiments.importing.request import ImportFailed, import_request
    from experiments.importing.table import import_table

    try:
        request = import_request(
            experiment=experiment, unit=unit, variant=variant, metrics=metric, control=control, weights=weights,
            covariates=covariate or [], dimensions=dimension or [], method=method, planned_units=units, alpha=alpha,
            correction=correction, decimal=decimal, missing=missing, duplicates=duplicates, events=events,
            counts=counts,
        )  # fmt: skip
        readout = readout_json(import_table(file, request))
    except ImportFailed as error:
        raise Refused(str(error)) from None
    (say_json if as_json else say_readout)(readout)


PAGE_ROWS = 10_000


@commands.command()
def export(
    output: Annotated[Path | None, typer.Option(help="File to write; else standard output.")] = None,
    cursor: Annotated[str | None, typer.Option(help="Go on after an earlier export.")] = None,
    reason: Reason = None,
) -> None:
    """Every event as NDJSON, in order; the cursor for the next export is printed at the end, on standard error."""

    from app.analysis.queries import EventsQuery
    from app.cli.analysis import analysis_answer, note_act

    settings = environment_settings("beside")
    note_act(settings, "export", "events", {"behind": cursor}, reason)
    target = output.open("wb") if output else typer.get_binary_stream("stdout")
    try:
        while True:
            page = analysis_answer(settings, EventsQuery(cursor, PAGE_ROWS))
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

    readouts = local_readouts(environment_settings("beside"))
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
