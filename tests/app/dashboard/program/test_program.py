"""The page of the program says what its answers say, and nothing of what is not to be used."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.answers import numbers_of
from oracles.proving import examples
from servers.patience import until
from servers.people import signed_in_visitor
from servers.service import running
from worlds.programmes import Programme

from app.dashboard.environment import environment
from app.dashboard.program.program import ProgramLook, program_shown
from app.dashboard.signed_in import Signed
from app.keys.scopes import ROLES
from experiments.answers.encoding import plain
from experiments.program.report import ProgramQuery, program_report

VALUE = re.compile(r'<data value="([^"]*)">([^<]*)</data>')
WRONG = re.compile(r"NaN|None|Infinity|\bnan\b|undefined")
TEMPLATES = environment()
ADA = Signed("ada@shop.example", "admin", ROLES["admin"], "token")
METRICS = [{"name": "purchase_rate", "title": "purchase rate", "quantity": "rate"},
           {"name": "nps", "title": "NPS", "quantity": "points"}]  # fmt: skip
SHIPPED = "{outcome: shipped, variant: b}"
NUMBERS = st.none() | st.floats(-1e9, 1e9, allow_nan=False) | st.sampled_from([0.0, -0.0, 1e-300, 5e-324, -1e15])
ENDS = st.none() | st.tuples(*[st.floats(-10, 10)] * 2).map(sorted)
OUTCOMES = ("shipped", "rolled_back", "inconclusive", "unhealthy", "not_shipped")


def served(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


def rendered(program: Any, look: ProgramLook = ProgramLook(), holdouts: Any = ()) -> str:  # noqa: B008 - frozen
    return TEMPLATES.get_template("program.html").render(
        root="", here="/dashboard/program", signed=ADA, places=(), style="s", script="m", icon="i",
        **program_shown(METRICS, program, holdouts, look), refused="", more=0, late=False,
    )  # fmt: skip


@st.composite
def programs(draw: st.DrawFn) -> Any:
    """An answer with nulls, huge, tiny and negative numbers, of metrics that are defined and of one that is no more."""
    names = ("purchase_rate", "nps", "gone")
    row = st.builds(
        dict, experiment=st.sampled_from(["banner", "<img src=x>"]), phase=st.integers(0, 9), variant=st.just("b"),
        metric=st.sampled_from(names), outcome=st.sampled_from(OUTCOMES), decided_on=st.just("2026-01-31"),
        lift=NUMBERS, standard_error=NUMBERS, shrunk_lift=NUMBERS, shrunk_ci=ENDS,
    )  # fmt: skip
    prior = st.none() | st.just("default") | st.just({"weights": [0.25, 0.75], "scales": [0.0, 0.02]})
    metrics = [
        {
            "metric": name, "effect_scale": "points" if name == "nps" else "relative",
            "experiments": draw(st.integers(0, 10**6)), "shipped": draw(st.integers(0, 10**6)),
            "naive_sum": draw(st.floats(-1e9, 1e9)), "shrunk_sum": draw(NUMBERS), "shrunk_ci": draw(ENDS),
            "prior": draw(prior),
        }
        for name in names
    ]  # fmt: skip
    return {
        "as_of": "2026-02-01T00:00:00Z", "experiments": draw(st.integers(0, 10**6)),
        "outcomes": {name: draw(st.integers(0, 10**6)) for name in OUTCOMES[:4]},
        "win_rate": draw(st.none() | st.floats(0, 1)), "win_rate_ci": draw(ENDS), "median_days": draw(NUMBERS),
        "metrics": metrics, "rows": draw(st.lists(row, max_size=30)),
    }  # fmt: skip


@given(programs(), st.integers(1, 3))
@settings(max_examples=examples(100), deadline=None)
def test_every_number_of_the_page_is_in_the_answer(program: Any, number: int) -> None:
    program = served(program)
    html = rendered(program, ProgramLook(page=number))
    values = VALUE.findall(html)
    assert {value for value, _ in values} <= numbers_of(program)
    assert not WRONG.search(" ".join(text for _, text in values))
    assert "<img" not in html
    assert len(html.encode()) <= 60_000


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Programme:
    """One that shipped, one taken back, and one whose arms did not fill."""
    programme = Programme(tmp_path_factory.mktemp("programme"))
    programme.begin("banner", "price", "broken")
    for key, rate in {"banner": 0.36, "price": 0.22}.items():
        programme.crowd(key, (0.30, rate))
    programme.crowd("broken", (0.30, 0.40), (400, 200))
    programme.conclude("banner", 14, SHIPPED)
    programme.conclude("price", 15, "{outcome: rolled_back}")
    programme.conclude("broken", 16, SHIPPED)
    return programme


def test_what_was_measured_stands_beside_what_is_likely_left_and_the_unhealthy_without_numbers(
    world: Programme,
) -> None:
    program = served(plain(program_report(*world.readouts(40), ProgramQuery())))
    html = rendered(program)
    shown_values = {value for value, _ in VALUE.findall(html)}
    for row in program["rows"]:
        told = {msgspec.json.encode(row[name]).decode() for name in ("lift", "shrunk_lift") if row[name] is not None}
        assert told
        assert (told <= shown_values) == (row["outcome"] != "unhealthy"), row
    assert "Its numbers are not to be used, and in no sum." in html
    assert str(program["win_rate"]) in shown_values


def test_a_holdout_stands_with_what_it_measured(tmp_path: Path) -> None:
    files = {
        "banner.yaml": "key: banner\nstatus: running\nvariants: [control, b]\ngoal: purchase_rate\nholdouts: [q1]\n",
        "holdouts.yaml": "q1: {share: 50%}\n",
    }
    with (
        running(tmp_path, files, RESONATE_WORKERS="1") as shop,
        signed_in_visitor(shop.url, shop.data, "viewer") as ada,
        shop.client() as client,
    ):
        batch = [{"type": "page", "anonymousId": f"v-{n}", "messageId": f"m-{n}"} for n in range(40)]
        assert client.post("/v1/batch", json={"batch": batch}).status_code == 200

        def read() -> str:
            html = ada.get("/dashboard/program").text
            return html if "What q1 measured" in html else ""

        html = until(read, "the holdout is measured")
        report = client.get("/v1/holdouts/q1/results").json()
        listed = client.get("/v1/holdouts").json()
        refused = ada.get("/dashboard/program?from=soon")
        unknown = ada.get("/dashboard/program?metric=purchase_rat")
    values = {value for value, _ in VALUE.findall(html)}
    assert "too early" in html  # with so few nothing is said of a difference
    assert values <= numbers_of(report) | numbers_of(listed) | {"0"}
    assert (refused.status_code, "is no date" in refused.text) == (400, True)
    assert (unknown.status_code, "did you mean purchase_rate" in unknown.text) == (404, True)
