"""`resonate privacy`: what is kept of whom, and how the conditions for measuring without consent stand."""

import json
from collections.abc import Mapping
from typing import Any

import typer

from app.cli.output import AsJson, environment_settings, say, say_facts, say_json

commands = typer.Typer()


@commands.command()
def privacy(as_json: AsJson = False) -> None:
    """What is kept of whom, who may read it, and what is open; exit code 1 when the service breaks a condition."""
    from app.analysis.queries import PrivacyQuery
    from app.cli.analysis import analysis_answer

    report: dict[str, Any] = json.loads(analysis_answer(environment_settings("beside"), PrivacyQuery()).body)
    if as_json:
        say_json(report)
    else:
        _say_report(report)
    if report["fails"]:
        raise typer.Exit(1)


def _say_report(report: dict[str, Any]) -> None:
    say(report["what_this_is"])
    say(f"\nOpen points ({len(report['open'])})")
    for point in report["open"]:
        say(f"  {point['code']} ({point['of']}): {point['detail']}")
    offered = "is" if report["measure_is_offered"] else "is not"
    say(f"\nConditions for measuring without consent, which {offered} done here")
    for each in report["conditions"]:
        say(f"  {each['condition']}: {each['state']} ({each['because']})")
    for mode, kept in report["modes"].items():
        say_facts(f"\nconsent: {mode}", {name: _told(value) for name, value in kept.items()})
    say_facts("\nConsent", {name: _told(value) for name, value in report["consent"].items()})
    of_days = report["consent_of_30_days"]
    told = {
        mode: f"{count} answers ({_percent(of_days['shares'][mode])})" for mode, count in of_days["answers"].items()
    }
    say_facts("\nThe last 30 days", told)
    for cookie in report["cookies"]:
        say_facts(
            f"\nCookie {cookie['name']}", {name: _told(value) for name, value in cookie.items() if name != "name"}
        )
    for title in ("retention", "scrubber", "erasures", "ids"):
        say_facts(f"\n{title.capitalize()}", {name: _told(value) for name, value in report[title].items()})
    say(f"\nWho may read people: {', '.join(report['who_may_read_people'])}")
    say(f"\n{report['safari']}")


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        counted: Mapping[str, Any] = value
        return f"{counted['count']} ({_percent(counted['share'])})"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
