"""Alerts, their pages, the dashboard and the metrics know the same names, and each alert fires on what deserves it."""

from pathlib import Path

import pytest
import yaml
from servers.prometheus import needed, promtool
from worlds.alerts import (
    ALERTS,
    ALERTS_TEST,
    CAUSES,
    CODES,
    METRICS,
    REPOSITORY,
    RUNBOOK,
    alert_of,
    alerts,
    names_in,
    queries,
    takes,
)

from app.answers.refusals import REFUSAL_CODES
from app.metrics.exposition import FAMILIES, PREFIX
from app.runtime.ailments import WORDS
from events.causes import STORE_CAUSES

KNOWN = {f"{PREFIX}{family.name}" for family in FAMILIES}
HEADINGS = ["## What users notice", "## How to be sure", "## What to do", "## What not to do"]
NO_SCRAPE = {"ResonateDown"}  # its numbers are Prometheus' own


@needed
def test_promtool_checks_the_rules() -> None:
    checked = promtool("check", "rules", str(ALERTS))
    assert checked.returncode == 0, checked.stdout + checked.stderr


@needed
def test_each_alert_fires_on_what_deserves_it_and_not_on_what_nearly_does() -> None:
    tested = promtool("test", "rules", str(ALERTS_TEST))
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_each_alert_has_a_series_that_deserves_it_and_one_that_nearly_does() -> None:
    cases = yaml.safe_load(ALERTS_TEST.read_text())["tests"]
    tried: dict[str, set[str]] = {}
    for case in cases:
        for rule in case["alert_rule_test"]:
            assert rule["exp_alerts"], case["name"]
            instances = "".join(series["series"] for series in case["input_series"])
            tried.setdefault(rule["alertname"], set()).update(
                each for each in ("deserves", "nearly") if f'instance="{each}"' in instances
            )
    assert tried == {name: {"deserves", "nearly"} for name in alerts()}


@pytest.mark.parametrize("cause", WORDS)
def test_each_cause_of_readyz_belongs_to_one_alert(cause: str) -> None:
    assert len(alert_of(cause)) == 1, alert_of(cause)


def test_no_alert_looks_for_a_cause_or_a_code_that_nobody_tells() -> None:
    for name, rule in alerts().items():
        for _, pattern in CAUSES.findall(rule["expr"]):
            assert set(pattern.split("|")) <= set(WORDS), name
        for operator, pattern in CODES.findall(rule["expr"]):
            codes = [code for code in (*REFUSAL_CODES, *STORE_CAUSES) if takes(operator, pattern, code)]
            assert codes, name
    (_, pattern) = CODES.findall(alerts()["ResonateEventsRefused"]["expr"])[0]
    told = {code for code in (*REFUSAL_CODES, *STORE_CAUSES) if takes("=~", pattern, code)}
    assert told == set(STORE_CAUSES)


def test_each_alert_leads_to_a_page_of_its_own_that_says_what_to_do_and_what_not() -> None:
    pages = {file.stem for file in RUNBOOK.glob("Resonate*.md")}
    assert pages == set(alerts())
    for name, rule in alerts().items():
        page = REPOSITORY / rule["annotations"]["runbook_url"]
        assert page == RUNBOOK / f"{name}.md"
        text = page.read_text()
        assert text.startswith(f"# {name}: ")
        assert [line for line in text.splitlines() if line.startswith("## ")] == HEADINGS
        assert f"[{name}]({name}.md)" in (RUNBOOK / "README.md").read_text()


def test_the_page_of_metrics_has_every_name_and_no_other() -> None:
    assert names_in(METRICS.read_text()) - {PREFIX} == KNOWN
    for name in KNOWN:
        assert f"\n| `{name}` | " in METRICS.read_text(), name


def test_alerts_their_tests_their_pages_and_the_dashboard_name_nothing_else() -> None:
    named = {file: names_in(file.read_text()) for file in (ALERTS, ALERTS_TEST, *RUNBOOK.glob("*.md"))}
    for file, names in named.items():
        assert {name for name in names if name not in KNOWN and not is_beginning(name, file)} == set(), file
    assert names_in("\n".join(queries().values())) <= KNOWN
    for name in set(alerts()) - NO_SCRAPE:
        assert names_in(alerts()[name]["expr"]), name


def is_beginning(name: str, file: Path) -> bool:
    """What a page greps for, or says with an ellipsis, may be the beginning of several names."""
    return file.parent == RUNBOOK and any(each.startswith(name) for each in KNOWN)


def test_every_number_is_looked_at_by_an_alert_or_shown_on_the_dashboard() -> None:
    text = ALERTS.read_text() + "\n".join(queries().values())
    assert sorted(KNOWN - names_in(text)) == []


@needed
def test_every_query_of_the_dashboard_is_one(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": expr} for number, expr in enumerate(queries().values())]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    checked = promtool("check", "rules", str(file))
    assert checked.returncode == 0, checked.stdout + checked.stderr
