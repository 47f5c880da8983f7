"""The page of an experiment says what the answers say: every number of it stands in the JSON of the same query."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.answers import numbers_of
from oracles.proving import examples
from worlds.drawn_readouts import answered, world

from app.dashboard.environment import environment
from app.dashboard.pages.experiment import Detail, PageLook, content, metric_shown
from app.dashboard.pages.shown import compared
from app.dashboard.signed_in import Signed
from app.keys.scopes import ROLES
from experiments.answers.encoding import readout_json, timeseries_json
from experiments.answers.readout import Readout

VALUE = re.compile(r'<data value="([^"]*)">([^<]*)</data>')
WRONG = re.compile(r"NaN|None|Infinity|\bnan\b|undefined")
TEMPLATES = environment()
DEFINED: dict[str, Any] = {
    "key": "drawn", "name": "Drawn", "owner": None, "status": "running", "status_in_file": "running", "ordered": False,
    "state": "enrolling", "phase": 0, "phases": [], "decision": {"outcome": None, "variant": None, "note": None},
    "variants": [{"key": "control"}, {"key": "b"}],
    "definition": {
        "hypothesis": None, "unit": "visitor", "goals": ["rate"], "secondary": [], "start": None, "end": None,
        "plan": {"method": "anytime", "days": 28, "min_days": 7}, "audience": {},
        "variants": [{"key": "control", "payload": None}, {"key": "b", "payload": {"text": "</pre><script>"}}],
    },
}  # fmt: skip
ADA = Signed("ada@shop.example", "admin", ROLES["admin"], "token")


def served(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


def rendered(results: Any, look: PageLook = PageLook(), days: Any = None, sql: str | None = None) -> str:  # noqa: B008 - frozen
    detail = Detail(metric_shown(results, look), days, sql=sql, steps=())
    return TEMPLATES.get_template("experiment.html").render(
        root="", here="/dashboard/experiments/drawn", signed=ADA, places=(), style="s", script="m", icon="i",
        experiment=DEFINED, look=look, link=look.link, report=look.report, refused=None, said={}, current=True,
        **content(results, look, detail),
    )  # fmt: skip


def page_of(readout: Readout, look: PageLook) -> tuple[str, set[str]]:
    results, days = served(readout_json(readout)), served(timeseries_json(readout))
    return rendered(results, look, days), numbers_of(results) | numbers_of(days)


@given(st.integers(0, 100_000))
@settings(max_examples=examples(60), deadline=None)
def test_every_number_of_the_page_is_in_the_answer(seed: int) -> None:
    readout, _ = answered(world(seed))
    html, known = page_of(readout, PageLook(metric=readout.metrics[-1].metric))
    shown = VALUE.findall(html)
    assert shown
    assert {value for value, _ in shown} <= known
    assert not WRONG.search(" ".join(text for _, text in shown))


@given(st.integers(0, 100_000))
@settings(max_examples=examples(60), deadline=None)
def test_no_effect_is_shown_where_the_numbers_are_not_to_be_used_or_it_is_too_early(seed: int) -> None:
    readout, _ = answered(world(seed))
    html, _ = page_of(readout, PageLook())
    if readout.decision.action == "unhealthy":
        assert "Effects are not shown" in html
        assert 'class="effect' not in html
    rows = compared(served(readout_json(readout)))
    early = [row for row in rows if not row.comparison["gate"]["open"]]
    assert all((row.known, row.estimate, row.word) == (False, None, "too early") for row in early)


def test_pages_hold_at_most_60_kb_with_100_metrics_of_10_levels() -> None:
    seed = next(seed for seed in range(1_000) if _rich(seed))
    readout, _ = answered(world(seed))
    results = served(readout_json(readout))
    first = results["metrics"][0]
    level = served(first["dimensions"][0]) if first.get("dimensions") else None
    assert level is not None
    levels = [{**level, "level": f"level {n}"} for n in range(10)]
    results["metrics"] = [
        {**first, "metric": f"metric_{n}", "title": f"a metric with a long title, number {n}", "dimensions": levels}
        for n in range(100)
    ]
    days = served(timeseries_json(readout))
    days["metrics"] = [{**days["metrics"][0], "metric": f"metric_{n}"} for n in range(100)]
    for page in (1, 3, 99):
        html = rendered(results, PageLook(metric="metric_7", page=page), days)
        assert len(html.encode()) <= 60_000, (page, len(html.encode()))
        assert "Page" in html


@pytest.mark.parametrize("variants", [2, 3, 5])
@pytest.mark.parametrize("with_sql", [False, True])
def test_pages_hold_at_most_60_kb_of_60_days_and_5_variants(variants: int, with_sql: bool) -> None:
    readout, _ = answered(world(next(seed for seed in range(1_000) if _rich(seed))))
    results, days = served(readout_json(readout)), served(timeseries_json(readout))
    keys = ["control", *(f"variant {n}" for n in range(1, variants))]
    first, compared_first = results["metrics"][0], results["metrics"][0]["comparisons"][0]
    arms = [{**first["arms"][0], "variant": key} for key in keys]
    several = [{**compared_first, "variant": key} for key in keys[1:]]
    results["metrics"] = [
        {**first, "metric": f"metric_{n}", "title": f"a metric, number {n}", "arms": arms, "comparisons": several}
        for n in range(20)
    ]
    each_day = [(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=n)).date().isoformat() for n in range(60)]
    results["health"]["srm"]["drill_down"] = [
        {"dimension": "day", "level": day, "observed": [1_234] * variants, "p": 0.5, "p_adjusted": 1.0}
        for day in each_day
    ]
    row = next(row for row in days["metrics"][0]["days"] if row["kind"] == "cumulative" and row["lift"] is not None)
    told = [{**row, "variant": key, "day": day, "ci": [-0.1234, 0.2345]} for key in keys[1:] for day in each_day]
    days["metrics"] = [{**days["metrics"][0], "metric": "metric_0", "days": told}]
    level = {**first["dimensions"][0], "comparisons": several}
    results["metrics"][0]["dimensions"] = [{**level, "level": f"level {n}"} for n in range(10)]
    for look in (PageLook(), PageLook(days=1), PageLook(days=2), PageLook(days=99)):
        html = rendered(results, look, days, "SELECT sum(e.value) < 1\n" * 2_000 if with_sql else None)
        assert (html.count('<circle class="dot"') >= 20) == (not with_sql)
        assert len(html.encode()) <= 60_000, (look, len(html.encode()))
        assert ("Pages of days" in html) == (look.days is not None and not with_sql)


def _rich(seed: int) -> bool:
    drawn = world(seed)
    if not (drawn.units >= 600 and drawn.scarcity == 1.0 and drawn.status == "running" and drawn.at > 10):
        return False
    readout, _ = answered(drawn)
    first = readout.metrics[0]
    return bool(first.dimensions) and first.comparisons[0].gate.open and len(first.series) > 10


@pytest.mark.parametrize(
    "hostile", ["<img src=x onerror=alert(1)>", '"><script>alert(1)</script>', "\u202eabc", "x" * 10_000]
)
def test_hostile_texts_are_text(hostile: str) -> None:
    readout, _ = answered(world(7))
    results = served(readout_json(readout))
    for metric in results["metrics"]:
        metric["title"] = hostile
    results["sentence"] = results["health"]["checks"] = hostile
    results["health"]["checks"] = [{"code": "x", "detail": hostile, "withholds_ship": True}]
    html = rendered(results)
    assert "<img" not in html
    assert html.count("<script") == 1
    assert " style=" not in html


def test_an_unknown_metric_is_said_and_the_first_is_shown() -> None:
    readout, _ = answered(world(7))
    name = readout.metrics[0].metric
    html, _ = page_of(readout, PageLook(metric=f"{name}x"))
    assert "reads no metric" in html
    assert "did you mean" in html.lower()


def test_a_level_that_nobody_told_is_unknown_and_no_empty_cell() -> None:
    readout, _ = answered(world(next(seed for seed in range(1_000) if _rich(seed))))
    results = served(readout_json(readout))
    for level in results["metrics"][0]["dimensions"]:
        level["level"] = ""
    html = rendered(results)
    assert '<th scope="row">unknown</th>' in html
    assert '<th scope="row"></th>' not in html


def test_what_is_said_of_an_unknown_metric_ends_as_a_sentence() -> None:
    readout, _ = answered(world(7))
    html, _ = page_of(readout, PageLook(metric="zzzz"))
    assert "reads no metric &#39;zzzz&#39;. The first metric is shown instead." in html
