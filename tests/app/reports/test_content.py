"""What a report says: only numbers of the answer, nothing that runs or leads elsewhere, nothing too early."""

import random
import re
from html import unescape
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds.readout_studies import DAY, HOUR, SMALLEST, START, Shop, readouts

from app.reports.content import NOT_TO_BE_USED, ReportedLook, report_of
from app.reports.rendering import html, markdown
from experiments.answers.encoding import plain, readout_json, timeseries_json

HOSTILE = '<img src=x onerror=alert(1)>"><script>alert(1)</script>\u202ejavascript: url(https://evil.example) @import'
WORLDS = {
    "anytime": "goals: [purchase_rate, revenue_per_visitor]\nsecondary: [nps, engaged_time, time_on_site_p75]\n"
    "guardrails: {refund_rate: 10%}\n",
    "planned": "goals: [nps]\nsecondary: [purchase_rate]\nplan: {method: planned, looks: 4, days: 16}\n",
    "fixed": "goals: [purchase_rate]\nplan: {method: fixed, days: 8}\n",
    "bayesian": "goals: [purchase_rate]\nplan: {method: bayesian, days: 8}\n",
}
REFERENCE = re.compile(
    r"""\b(?:src|srcset|href|action|data-\w+)\s*=\s*["']?[^"'#\s>]|url\(|@import|<script|<link|<iframe"""
)
EXTREME: tuple[float | None, ...] = (None, 0.0, -1e300, 1e300, 5e-324, -5e-324, 0.1 + 0.2, 1e18, -0.999999, 123456789.0)


def answer(folder: Path, world: str, visitors: int) -> dict[str, Any]:
    """What the analysis answers to a report, of a small world."""
    chance, shop = random.Random(7), Shop()
    for number in range(visitors):
        name, time = f"v{number}", START + chance.randrange(5 * DAY)
        shop.expose(name, "b" if number % 2 else "control", time)
        if chance.random() < 0.3 + 0.2 * (number % 2):
            shop.buy(name, time + chance.randrange(2 * DAY), value=float(chance.randrange(1, 90)))
        if chance.random() < 0.4:
            score = float(chance.randrange(11))
            shop.add("track", name, time + HOUR, event="Survey Answered", value=score, properties={"survey": "nps"})
    read = readouts(folder, shop.records, 13, {"banner.yaml": f"{SMALLEST}{WORLDS[world]}"})
    found = read.read("banner")
    told = {
        "results": readout_json(found),
        "timeseries": timeseries_json(found),
        "definition": plain(read.archive.latest().experiments["banner"].model_dump(mode="json")),
    }
    return msgspec.json.decode(msgspec.json.encode(told))


class Answers(list[dict[str, Any]]):
    """What the small worlds answer; a failure need not print it."""

    def __repr__(self) -> str:
        return "answers"


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return Answers(
        answer(tmp_path_factory.mktemp("world"), world, visitors) for world in WORLDS for visitors in (0, 3, 240)
    )


def leaves(value: Any) -> set[str]:
    """Every number and text of an answer, as JSON writes it."""
    match value:
        case dict():
            return set().union(*map(leaves, value.values()))
        case list():
            return set().union(*map(leaves, value))
        case str():
            return {value}
        case _:
            return {msgspec.json.encode(value).decode()}


def values(page: str) -> list[str]:
    return [unescape(value) for value in re.findall(r'<data value="([^"]*)">', page)]


def shaken(value: Any, draw: random.Random) -> Any:
    """An answer of the same form, with some of its estimates and counts far out, or gone."""
    match value:
        case dict():
            return {
                name: item if name in ("weights", "traffic", "variants", "plan", "expected") else shaken(item, draw)
                for name, item in value.items()
            }
        case list():
            return [shaken(item, draw) for item in value]
        case float():
            return draw.choice([value, *EXTREME])
        case _:
            return value


@given(seed=st.integers(0, 1 << 32))
def test_every_number_of_a_report_is_one_of_the_answer(answers: list[dict[str, Any]], seed: int) -> None:
    draw = random.Random(seed)
    said = shaken(draw.choice(answers), draw)
    for shared in (False, True):
        report = report_of(ReportedLook(**said, shared=shared))
        page = html(report)
        assert set(values(page)) <= leaves(said)
        assert "nan" not in re.sub(r"<[^>]*>", " ", page).lower().split()
        assert "None" not in re.sub(r"<[^>]*>", " ", page)
        assert markdown(report)


def test_both_forms_say_the_same_texts(answers: list[dict[str, Any]]) -> None:
    for said in answers:
        report = report_of(ReportedLook(**said))
        page, text = html(report), markdown(report).replace("\\", "")
        for section in report.sections:
            for line in section.said:
                assert line in unescape(page).replace("\u00a0", " ")
                assert line in text
            for row in section.table.rows if section.table else ():
                assert f"| {' | '.join(cell.text for cell in row)} |" in text


def hostile(value: Any, name: str = "") -> Any:
    """The answer of somebody who names everything as badly as can be."""
    match value:
        case dict():
            return {key: hostile(item, key) for key, item in value.items()}
        case list():
            return [hostile(item, name) for item in value]
        case str() if name in (
            "variant",
            "name",
            "title",
            "hypothesis",
            "owner",
            "sentence",
            "detail",
            "key",
            "because",
        ):
            return value + HOSTILE * 20
        case _:
            return value


def test_whatever_things_are_called_a_report_runs_nothing_and_leads_nowhere(answers: list[dict[str, Any]]) -> None:
    for said in map(hostile, answers):
        page = html(report_of(ReportedLook(**said)))
        tags = "".join(re.findall(r"<[^>]*>", page))
        assert not REFERENCE.search(tags), REFERENCE.search(tags)
        style = page[page.index("<style>") : page.index("</style>")]
        assert "url(" not in style
        assert "@import" not in style
        assert page.count("<style>") == 1
        assert "<script" not in page
        assert "<img" not in page


def test_the_largest_report_is_one_file_of_200_kb_at_most(answers: list[dict[str, Any]]) -> None:
    said = hostile(answers[2])
    [metric, *_] = said["results"]["metrics"]
    row = metric["comparisons"][0]
    metric["comparisons"] = [row | {"variant": f"variant-{number}", "sentence": "s" * 320} for number in range(9)]
    said["results"]["metrics"] = [metric, *(metric | {"metric": f"m{number}"} for number in range(99))]
    series = said["timeseries"]["metrics"][0]
    day = next(each for each in series["days"] if each["kind"] == "cumulative")
    series["days"] = [
        day | {"variant": f"variant-{arm}", "day": f"2026-0{month}-{number:02}"}
        for month in range(1, 7) for number in range(1, 29) for arm in range(9)
    ]  # fmt: skip
    checks = [{"code": "paused", "detail": "x" * 5_000, "metric": None, "variant": None, "withholds_ship": False}]
    said["results"]["health"]["checks"] = 200 * checks
    page = html(report_of(ReportedLook(**said)))
    assert len(page.encode()) <= 200_000


def test_no_effect_is_told_of_what_cannot_be_trusted_or_judged(answers: list[dict[str, Any]]) -> None:
    for said in answers:
        row = said["results"]["metrics"][0]["comparisons"][0]
        unhealthy = said | {
            "results": said["results"] | {"decision": said["results"]["decision"] | {"action": "unhealthy"}}
        }
        text = markdown(report_of(ReportedLook(**unhealthy)))
        assert NOT_TO_BE_USED in text
        told = values(html(report_of(ReportedLook(**unhealthy))))
        if not row["gate"]["open"]:
            told += values(html(report_of(ReportedLook(**said))))
        estimates = [row["lift"], row["difference"], *(row["ci"] or ()), *(row["difference_ci"] or ())]
        near = [each for each in estimates if isinstance(each, float) and each not in (0.0, 1.0)]
        assert not {msgspec.json.encode(each).decode() for each in near} & set(told)


def test_a_shared_report_names_no_other_experiment_and_nobody(answers: list[dict[str, Any]]) -> None:
    said = answers[2] | {"definition": answers[2]["definition"] | {"owner": "anna@shop.example"}}
    told = "purchase_rate: the effect of b differs between a and b of other-test by 0.1; read both together"
    check = {"code": "interaction", "detail": told, "metric": None, "variant": None, "withholds_ship": False}
    said["results"]["health"]["checks"] = [check]
    look = ReportedLook(**said, shared=True, hidden=frozenset({"other-test", "other"}))
    assert "another experiment by 0.1" in html(report_of(look))
    assert "other-test" not in html(report_of(look))
    assert "anna@" not in markdown(report_of(look))
    assert "anna@" in markdown(report_of(ReportedLook(**said)))
