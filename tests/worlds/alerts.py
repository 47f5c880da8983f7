"""What is kept for who watches a service: the alerts with their tests, the page of each, the dashboard, the metrics."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

REPOSITORY: Final = Path(__file__).parents[2]
ALERTS: Final = REPOSITORY / "ops/prometheus/alerts.yml"
ALERTS_TEST: Final = REPOSITORY / "ops/prometheus/alerts_test.yml"
DASHBOARD: Final = REPOSITORY / "ops/grafana/resonate.json"
METRICS: Final = REPOSITORY / "docs/metrics.md"
RUNBOOK: Final = REPOSITORY / "docs/runbook"
NAME: Final = re.compile(r"\bresonate_[a-z_]+")
SUFFIX: Final = re.compile(r"_(bucket|sum|count)$")
CAUSES: Final = re.compile(r'cause(=~?|!~)"([^"]+)"')
CODES: Final = re.compile(r'code(=~?)"([^"]+)"')


def alerts() -> dict[str, dict[str, Any]]:
    """Every alert by its name."""
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def names_in(text: str) -> set[str]:
    """The families of ours that a text names."""
    return {SUFFIX.sub("", name) if "seconds" in name else name for name in NAME.findall(text)}


def takes(operator: str, pattern: str, word: str) -> bool:
    """Whether a matcher of Prometheus takes a word."""
    if operator == "=":
        return word == pattern
    return (re.fullmatch(pattern, word) is not None) == (operator == "=~")


def alert_of(cause: str) -> list[str]:
    """The alerts that look for a cause of `/readyz`."""
    return [
        name
        for name, rule in alerts().items()
        if any(takes(operator, pattern, cause) for operator, pattern in CAUSES.findall(rule["expr"]))
    ]


def panels() -> Iterator[Mapping[str, Any]]:
    """Every panel of the dashboard that shows something."""
    yield from (panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row")


def queries() -> dict[str, str]:
    """Every query of the dashboard by its panel, as Grafana would send it."""
    return {
        f"{panel['title']} {target['refId']}": target["expr"]
        .replace("$__rate_interval", "5m")
        .replace("$instance", ".*")
        for panel in panels()
        for target in panel["targets"]
    }
