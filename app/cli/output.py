"""How commands speak: tables and progress for people, JSON for machines, refusals on standard error."""

import json
import os
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from kit.private import keep_private

if TYPE_CHECKING:
    from rich.progress import Progress

    from app.runtime.settings import Settings


AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, for machines.")]
NO_SERVICE: Final = (
    "no service has run in {}; start one with `resonate serve`, or set RESONATE_DATA to its data directory"
)
NO_EXPERIMENT: Final = "{} holds no experiment yet; begin one with `resonate new KEY`"
Key = Annotated[str, typer.Argument(help="Key of the experiment.", show_default=False)]


SettingsFile = Annotated[
    Path | None, typer.Option("--settings", help="TOML file of settings (RESONATE_SETTINGS).", show_default=False)
]
Use = Literal["reads", "writes", "beside", "restores"]
"""What a command does with the data directory."""
Reason = Annotated[str | None, typer.Option(help="Why, for the audit; at most 500 characters.")]


class Refused(Exception):
    """A command cannot do what it was asked to; the text says what is wrong and what would be right."""


def checked_reason(reason: str | None) -> str | None:
    """A reason that the audit can keep. Raises Refused."""
    if reason is not None and len(reason) > 500:
        raise Refused(f"--reason has {len(reason)} characters, it may have 500")
    return reason


def environment_with(settings_file: Path | None) -> Mapping[str, str]:
    """The environment, in which `--settings FILE` goes before its own variable."""
    from app.runtime.sources import PLACE

    return os.environ if settings_file is None else {**os.environ, PLACE: str(settings_file)}


def environment_settings(use: Use = "reads", /, *, settings_file: Path | None = None, **given: Any) -> "Settings":
    """The settings by the command's own options (None is not given), by environment and file.

    Raises Refused, also for a data directory in a format that this release may not read, or not write where the
    command `writes`; for one that is half restored, unless it `restores`; and for root where a service of another user
    is, if it writes or speaks with that service, `beside` it.
    """
    from app.runtime.format import FormatRefused, check_format, check_user, check_whole
    from app.runtime.settings import SettingsError, load_settings

    options = {name: value for name, value in given.items() if value is not None}
    try:
        settings = load_settings(environment_with(settings_file), **options)
        if use != "restores":
            check_whole(settings.data, writes=use == "writes")
        if use in ("writes", "beside"):
            check_user(settings.data)
        check_format(settings.data, writes=use == "writes")
    except (SettingsError, FormatRefused) as error:
        raise Refused(str(error)) from None
    keep_private(group_reads=settings.data_group)
    return settings


def complain(text: str) -> None:
    """A line on standard error."""
    print(text, file=sys.stderr, flush=True)


def say(text: str) -> None:
    """A line on standard output, as it is."""
    print(text, flush=True)


def harmless_text(text: Any) -> str:
    """What somebody else wrote, on one line and without what would steer a terminal."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in str(text))


def say_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, indent=2, default=str, ensure_ascii=False), flush=True)


def say_table(title: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table for people; what does not fit beside each other stands below its row, whole."""
    from experiments.wording.printed import table_lines

    say(title)
    for line in table_lines([*names], [[harmless_text(cell) for cell in row] for row in rows], width()):
        say(line)


def width() -> int:
    """Letters of a line: those of the terminal, or of COLUMNS; where there is neither, what a page of text has."""
    return get_terminal_size((120, 24)).columns


def say_facts(title: str, facts: Mapping[str, Any]) -> None:
    """A title and its facts, one a line."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    console.print(Text(title, style="bold"))
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        console.print(Text(f"  {name:<{width}}  {value}"))


@contextmanager
def progress() -> "Generator[Progress]":
    """A progress bar on standard error, so that standard output stays what was asked for."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        yield bar


NOTHING = "–"
LEFT_OUT: Final = {  # of an imported table
    "both_groups": "in several groups",
    "duplicates": "in several rows",
    "missing": "without a number",
}


def say_readout(readout: dict[str, Any]) -> None:
    """The sentence first, then health and decision, a table per metric, and what the codes that occur mean."""
    from experiments.wording.printed import in_letters, wrapped

    for line in wrapped(harmless_text(readout["sentence"]), width(), ""):
        say(line)
    state = in_letters(readout["state"])
    say(f"{readout['experiment']}, phase {readout['phase']}, {state}, as of {readout['as_of']}")
    _say_findings(readout)


def say_holdout(report: dict[str, Any]) -> None:
    """What was measured of everything together, and what the shipped changes said one by one."""
    until = f" to {report['end']}" if report["end"] else ""
    said = f"{report['share']:.4g} of the {report['unit']}s are held back"
    say(f"{report['holdout']}, from {report['start']}{until}, {said}, as of {report['as_of']}")
    _say_findings(report)
    points = report["metrics"][0]["effect_scale"] == "points"
    shown, unit = (_signed, " points") if points else (_percent, "")
    names = ["shipped", "variant", "on", "difference" if points else "lift", "interval"]
    rows = [
        [f"{each['experiment']}, phase {each['phase']}", each["variant"], each["on"], shown(each["lift"]),
         _span(each["ci"], shown)] for each in report["shipped"]
    ]  # fmt: skip
    say_table(f"shipped meanwhile, by {report['metrics'][0]['metric']}{unit and ' (points)'}", names, rows)
    summed, shrunk = shown(report["sum_of_lifts"]), shown(report["shrunk_sum"])
    say(f"  what they said adds up to {summed}{unit}, shrunk to {shrunk}{unit}")


def _say_findings(readout: dict[str, Any]) -> None:
    from app.glossary.entries import descriptions
    from experiments.wording.printed import footnotes, in_letters, metric_lines, wrapped

    health = readout["health"]
    srm = health["srm"]
    alarm = ": the shares are NOT as planned, do not trust this readout" if srm["alarm"] else ""
    say(f"  units {' / '.join(map(str, srm['observed']))}, sample ratio p {_number(srm['p'])}{alarm}")
    counts = {LEFT_OUT.get(name, name): count for name, count in health["excluded"].items() if name != "currency"}
    foreign = health["excluded"]["currency"]
    counts |= {f"of {metric} in a currency without a rate": count for metric, count in foreign.items()}
    excluded = ", ".join(f"{count} {in_letters(str(name))}" for name, count in counts.items() if count)
    said = [f"left out: {excluded}"] if excluded else []
    said += [check["detail"] for check in health["checks"]]
    if decision := readout.get("decision"):
        variant = f" {decision['variant']}" if decision.get("variant") else ""
        said += [f"{in_letters(decision['action'])}{variant}", *(f"because: {each}" for each in decision["because"])]
    if readout.get("worth"):
        said.append(f"assumed of the worth: {readout['worth']['assumption']}")
    if readout["pending"]:
        said.append(f"{readout['pending']} events were acknowledged and are not counted yet")
    lines = [line for text in said for line in wrapped(harmless_text(text), width())]
    lines += [harmless_text(line) for metric in readout["metrics"] for line in metric_lines(metric, width())]
    for line in (*lines, *footnotes(readout, descriptions(), width())):
        say(line)


def say_plan(plan: dict[str, Any]) -> None:
    """Units a day and what they can show, a line per metric."""
    facts = {name: value for name, value in plan.items() if name not in ("experiment", "metrics")}
    say_facts(f"plan of {plan['experiment']}", facts)
    if not plan["metrics"]:
        say("  too little traffic was logged to say what can be seen; send events, then ask again")
        return
    names = ["metric", "value now", "smallest lift seen", "wanted lift (mde)", "units per variant", "days to mde"]
    rows: list[list[str]] = []
    for metric in plan["metrics"]:
        effects = [metric["detectable_lift"], metric["mde"]]
        points = metric["effect_scale"] == "points"
        shown = [f"{_number(each)} points" if points and each is not None else _percent(each) for each in effects]
        row = [metric["metric"], _number(metric["mean"]), *shown]
        rows.append([*row, _units(metric["units_per_variant"]), _count(metric["days_to_mde"])])
    say_table("metrics", names, rows)
    for metric in plan["metrics"]:
        gate = f"; the gate opens on {_day(metric['gate_opens_day'])}" if metric["gate_opens_day"] else ""
        say(f"  {metric['metric']}: {metric['wait_days']} more days until the last unit's window has closed{gate}")
        if metric["note"]:
            say(f"  {metric['metric']}: {metric['note']}")


OUTLOOK_REASONS: Final = {
    "not_enough_units": "so few units find no lift, however large",
    "out_of_range": "no number of units finds this lift",
    "gate_opens_later": "no verdict before the gate opens: too few events are expected in the smallest variant",
    "events_unknown": "when the gate opens is not known: it counts units whose value is not 0",
}


def say_outlook(plan: dict[str, Any]) -> None:
    """What a test of any traffic needs: one answer, or a line per span of days."""
    rows: list[dict[str, Any]] = plan.get("table", [plan])
    first = rows[0]
    of = _percent(first["baseline"]).lstrip("+") if first["type"] == "proportion" else _number(first["baseline"])
    weights = " / ".join(_percent(weight).lstrip("+") for weight in first["weights"])
    looks = f", {first['looks']} looks" if first["looks"] else ""
    each, alpha = first["alpha_per_comparison"], first["alpha"]
    shared = "" if each == alpha else f", {each:.4g} for each comparison"
    say(f"{first['units_a_day']:,g} units a day ({weights}) at {of}, {first['method']}{looks}, alpha {alpha:g}{shared}")
    names = ["days", "units", "units per variant", "lift found", "with power", "gate opens"]
    cells = [
        [_count(row["days"]), _count(row["units"]), _units(row["units_per_variant"]), _percent(row["mde"]),
         _number(row["power"]), _day(row["gate_opens_day"])] for row in rows
    ]  # fmt: skip
    say_table("plan", names, cells)
    say(f"  {first['wait_days']} more days until the last unit's window has closed")
    for reason in dict.fromkeys(reason for row in rows for reason in row["reasons"]):
        say(f"  {OUTLOOK_REASONS[reason]}")


def say_program(report: dict[str, Any]) -> None:
    """What was concluded, and per metric what the shipped changes add up to."""
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in report["outcomes"].items() if count)
    say(f"{report['experiments']} experiments are concluded: {counts or 'none yet'}")
    if report["win_rate"] is not None:
        low, high = report["win_rate_ci"]
        days = f"{report['median_days']:g} days at the median"
        say(f"  {report['win_rate']:.0%} were shipped ({low:.0%} to {high:.0%}), {days}")
    names = ["metric", "experiments", "shipped", "measured sum", "shrunk sum", "90 % interval"]
    rows: list[list[str]] = []
    told: dict[str, tuple[str, Callable[[float | None], str]]] = {}  # how a metric is named, and its numbers
    for metric in report["metrics"]:
        points = metric["effect_scale"] == "points"
        name, effect = (f"{metric['metric']} (points)", _signed) if points else (metric["metric"], _percent)
        told[metric["metric"]] = name, effect
        sums = [effect(metric["naive_sum"]), effect(metric["shrunk_sum"]), _span(metric["shrunk_ci"], effect)]
        rows.append([name, str(metric["experiments"]), str(metric["shipped"]), *sums])
    say_table("what was shipped adds up to", names, rows)
    names = ["experiment", "variant", "metric", "outcome", "decided", "lift", "shrunk"]
    cells: list[list[str]] = []
    for row in report["rows"]:
        name, effect = told[row["metric"]]
        about = [f"{row['experiment']}, phase {row['phase']}", row["variant"], name, row["outcome"].replace("_", " ")]
        cells.append([*about, row["decided_on"], effect(row["lift"]), effect(row["shrunk_lift"])])
    say_table("experiments", names, cells)


def _count(count: int | None) -> str:
    return NOTHING if count is None else f"{count:,}"


def _units(units: Sequence[int] | None) -> str:
    return NOTHING if units is None else " / ".join(f"{count:,}" for count in units)


def _day(day: int | None) -> str:
    return NOTHING if day is None else f"day {day:,}"


def _signed(value: float | None) -> str:
    return NOTHING if value is None else f"{value:+.4g}"


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.4g}"


def _span(bounds: Sequence[float] | None, shown: Callable[[float | None], str]) -> str:
    return f"{shown(bounds[0])} … {shown(bounds[1])}" if bounds else NOTHING


def _percent(value: float | None) -> str:
    return NOTHING if value is None else f"{value:+.2%}"
