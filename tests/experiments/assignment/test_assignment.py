"""The table of what is served and what is counted, row by row, and the promises that assignment keeps."""

import math
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.assignment.assign import Assignment, CompiledExperiment, Reason, assign, expected_variant, plausible
from experiments.assignment.bucketing import position
from experiments.assignment.compilation import compile_as_designed, compile_experiment
from experiments.definitions.model import Audience, DecisionNote, Experiment, Layer, Preview, TrafficStep, Variant
from experiments.definitions.shop import Holdout, Segment

START = datetime(2026, 1, 5, tzinfo=UTC)
NOW = START.timestamp()
DAY = 86_400.0
SEGMENTS = {"eu": Segment(name="eu", where={"country": {"$in": ["SK", "AT"]}})}
HOLDOUTS = {"q1": Holdout(name="q1", share=0.3)}


def compiled(**changes: Any) -> CompiledExperiment:
    return compile_experiment(experiment(**changes), SEGMENTS, HOLDOUTS)


def experiment(**changes: Any) -> Experiment:
    variants = (
        Variant(key="control", weight=0.5, payload={"banner": None}),
        Variant(key="threshold", weight=0.5, payload={"banner": "Free shipping from 50 EUR"}),
    )
    plain: dict[str, Any] = {
        "key": "banner",
        "name": "Banner",
        "status": "running",
        "variants": variants,
        "goals": ("g",),
    }
    return Experiment(**plain | changes)


def ask(one: CompiledExperiment, visitor: str = "v-1", now: float = NOW, **attributes: Any) -> Assignment:
    return assign(one, visitor, attributes, now)


def visitors(count: int = 2_000) -> list[str]:
    return [f"v-{number}" for number in range(count)]


def test_an_assigned_visitor_is_split_and_may_be_enrolled() -> None:
    answer = ask(compiled())
    assert (answer.reason, answer.in_experiment, answer.enrols, answer.because) == (Reason.SPLIT, True, True, None)
    assert (answer.experiment, answer.phase, answer.unit, answer.propensity) == ("banner", 0, "v-1", 0.5)
    assert answer.payload == experiment().variants[["control", "threshold"].index(answer.variant)].payload


@pytest.mark.parametrize(
    ("changes", "now"),
    [
        ({"start": START + timedelta(days=1)}, NOW),
        ({"end": START}, NOW),
        ({"status": "paused"}, NOW),
        ({"status": "stopped"}, NOW),
        ({"status": "stopped", "decision": DecisionNote(outcome="rolled_back", variant="control")}, NOW),
    ],
)
def test_an_experiment_that_does_not_run_gives_control_to_everyone(changes: dict[str, Any], now: float) -> None:
    one = compiled(**changes)
    expected = Assignment("banner", 0, "control", {"banner": None}, False, Reason.DISABLED)
    assert all(ask(one, visitor, now) == expected for visitor in visitors(20))


def test_dates_open_and_close_to_the_second() -> None:
    dated = compiled(start=START, end=START + timedelta(days=1))
    reasons = [ask(dated, now=NOW + seconds).reason for seconds in (-0.001, 0, DAY - 0.001, DAY)]
    assert reasons == [Reason.DISABLED, Reason.SPLIT, Reason.SPLIT, Reason.DISABLED]


def test_a_shipped_variant_goes_to_its_audience_and_to_nobody_else() -> None:
    shipped = compiled(
        status="stopped",
        decision=DecisionNote(outcome="shipped", variant="threshold"),
        audience=Audience(segments=("eu",)),
        holdouts=("q1",),
        unit="user",
    )
    inside, outside = ask(shipped, country="SK"), ask(shipped, country="US")
    assert (inside.variant, inside.reason, inside.enrols) == ("threshold", Reason.STATIC, False)
    assert (outside.variant, outside.reason, outside.because) == ("control", Reason.UNKNOWN, "audience")


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"unit": "user"}, "unit"),
        ({"audience": Audience(where={"device": "mobile"})}, "audience"),
        ({"audience": Audience(segments=("eu",))}, "audience"),
        ({"layer": Layer(name="pdp", start=0.0, end=0.0)}, "layer"),
        ({"traffic": (TrafficStep(since=None, share=0.0),)}, "traffic"),
        ({"traffic": (TrafficStep(since=START + timedelta(days=1), share=1.0),)}, "traffic"),
    ],
)
def test_whoever_is_left_out_gets_control_and_the_word_for_why(changes: dict[str, Any], because: str) -> None:
    answer = ask(compiled(**changes))
    assert (answer.variant, answer.reason, answer.because) == ("control", Reason.UNKNOWN, because)
    assert not answer.in_experiment
    assert not answer.enrols


def test_the_first_no_in_the_order_unit_audience_holdout_layer_traffic_is_the_one_told() -> None:
    nobody: dict[str, Any] = {
        "unit": "user",
        "audience": Audience(where={"device": "mobile"}),
        "holdouts": ("all",),
        "layer": Layer(name="pdp", start=0.0, end=0.0),
        "traffic": (TrafficStep(since=None, share=0.0),),
    }
    steps = [("unit", "visitor"), ("audience", Audience()), ("holdouts", ()), ("layer", None)]
    told: list[str | None] = []
    for name, allowed in steps:
        one = compile_experiment(experiment(**nobody), {}, {"all": Holdout(name="all", share=1.0)})
        told.append(ask(one).because)
        nobody[name] = allowed
    told.append(ask(compiled(**nobody)).because)
    assert told == ["unit", "audience", "holdout", "layer", "traffic"]


@pytest.mark.parametrize(
    "changes", [{}, {"status": "paused"}, {"unit": "user"}, {"audience": Audience(where={"x": 1})}]
)
def test_a_preview_outranks_everything_and_is_never_counted(changes: dict[str, Any]) -> None:
    answer = ask(compiled(preview=Preview(variant="threshold", visitors=("qa-1",)), **changes), "qa-1")
    assert (answer.variant, answer.reason, answer.forced) == ("threshold", Reason.TARGETING_MATCH, True)
    assert not answer.enrols
    assert not answer.in_experiment


def test_a_forced_variant_is_given_where_it_exists() -> None:
    one = compiled()
    assert assign(one, "v-1", {}, NOW, {"banner": "threshold"}).forced
    assert assign(one, "v-1", {}, NOW, {"banner": "nonsense"}) == ask(one)
    assert assign(one, "v-1", {}, NOW, {"other": "threshold"}) == ask(one)


def test_the_unit_user_hashes_the_user_and_not_the_visitor() -> None:
    by_user, by_visitor = compiled(unit="user"), compiled()
    for number in range(50):
        answer = ask(by_user, f"v-{number}", user_id=f"u-{number % 5}")
        assert answer.variant == ask(by_visitor, f"u-{number % 5}").variant
        assert answer.unit == f"u-{number % 5}"


def test_conditions_on_id_see_the_visitor_id_whatever_the_attributes_say() -> None:
    one = compiled(audience=Audience(where={"id": {"$in": ["v-1"]}}))
    assert ask(one, "v-1", id="forged").in_experiment
    assert ask(one, "v-2", id="v-1").because == "audience"


def test_layers_are_mutually_exclusive() -> None:
    layers = [Layer(name="pdp", start=low / 10, end=(low + 3) / 10) for low in (0, 3, 6)]
    sharing = [compiled(key=f"e{at}", layer=layer) for at, layer in enumerate(layers)]
    inside = [[ask(one, visitor).in_experiment for one in sharing] for visitor in visitors()]
    assert max(map(sum, inside)) == 1
    assert abs(sum(map(sum, inside)) - 1_800) < 4 * math.sqrt(2_000 * 0.9 * 0.1)


def test_a_holdout_keeps_out_the_same_visitors_of_all_its_experiments() -> None:
    held = [
        {visitor for visitor in visitors() if ask(compiled(key=key, holdouts=("q1",)), visitor).because == "holdout"}
        for key in ("one", "other")
    ]
    assert held[0] == held[1] == {visitor for visitor in visitors() if position("holdout:q1", visitor) < 0.3}


def test_a_new_phase_draws_anew() -> None:
    first, second = compiled(), compiled(phase=1)
    moved = sum(ask(first, visitor).variant != ask(second, visitor).variant for visitor in visitors())
    assert abs(moved - 1_000) < 4 * math.sqrt(2_000 * 0.25)


@given(
    shares=st.lists(st.integers(0, 10_000), min_size=1, max_size=4).map(sorted), unit=st.text(min_size=1, max_size=20)
)
def test_growing_traffic_never_moves_anyone(shares: list[int], unit: str) -> None:
    steps = tuple(TrafficStep(since=START + timedelta(days=at), share=n / 10_000) for at, n in enumerate(shares))
    one = compiled(traffic=steps)
    answers = [ask(one, unit, NOW + at * DAY) for at in range(len(shares))]
    entered = [answer.variant for answer in answers if answer.in_experiment]
    assert len(set(entered)) <= 1
    assert [answer.in_experiment for answer in answers] == sorted(answer.in_experiment for answer in answers)


@given(unit=st.text(min_size=1, max_size=20), others=st.lists(st.sampled_from(["a", "b", "c"]), max_size=3))
def test_other_experiments_never_matter(unit: str, others: list[str]) -> None:
    before = ask(compiled(), unit)
    for other in others:
        ask(compiled(key=other, layer=Layer(name="pdp", start=0.0, end=0.5)), unit)
    assert ask(compiled(), unit) == before


def test_a_variant_of_weight_zero_serves_nobody() -> None:
    weights = {"control": 0.0, "a": 0.5, "nobody": 0.0, "b": 0.5}
    variants = tuple(Variant(key=key, weight=weight, payload={}) for key, weight in weights.items())
    assert {ask(compiled(variants=variants), visitor).variant for visitor in visitors()} == {"a", "b"}


@given(unit=st.text(min_size=1, max_size=20))
def test_the_expected_variant_is_the_assigned_one(unit: str) -> None:
    one = compiled(holdouts=("q1",), layer=Layer(name="pdp", start=0.2, end=0.9))
    answer = ask(one, unit)
    assert expected_variant(one, unit, None) == (answer.variant if answer.in_experiment else None)


def test_an_exposure_is_plausible_in_any_phase_but_only_with_the_variant_hashing_gives() -> None:
    phases = [compiled(), compiled(phase=1)]
    visitor = next(v for v in visitors() if ask(phases[0], v).variant == ask(phases[1], v).variant == "control")
    mover = next(v for v in visitors() if ask(phases[0], v).variant != ask(phases[1], v).variant)
    assert plausible(phases, visitor, None, "control")
    assert not plausible(phases, visitor, None, "threshold")
    assert plausible(phases, mover, None, "control")
    assert plausible(phases, mover, None, "threshold")
    assert not plausible([compiled(unit="user")], mover, None, "control")


def test_a_design_is_tested_without_status_dates_and_preview_and_with_its_final_traffic() -> None:
    steps = (TrafficStep(since=START, share=0.1), TrafficStep(since=START + timedelta(days=9), share=1.0))
    draft = experiment(
        status="draft",
        end=START,
        traffic=steps,
        preview=Preview(variant="threshold", visitors=("v-1",)),
        audience=Audience(segments=("eu",)),
    )
    assert ask(compile_as_designed(draft, SEGMENTS, HOLDOUTS)).because == "audience"
    assert ask(compile_as_designed(draft, SEGMENTS, HOLDOUTS, ["eu"])).reason == Reason.SPLIT


def test_the_assignment_path_loads_neither_scipy_nor_duckdb() -> None:
    modules = (
        "experiments.assignment.bucketing, experiments.assignment.assign, experiments.assignment.compilation, "
        "experiments.assignment.payload"
    )
    heavy = "{'scipy', 'duckdb', 'pyarrow', 'statsmodels', 'sqlglot', 'pandas', 'numpy'}"
    code = f"import sys, {modules}; print(*({heavy} & sys.modules.keys()))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert loaded.stdout.strip() == ""
