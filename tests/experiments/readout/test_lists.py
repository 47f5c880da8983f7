"""A list of experiments says what each readout says, and only what has changed is made anew."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from oracles.journeys import of_this_thread
from oracles.proving import examples
from worlds.drawn_lists import drawn_files, drawn_site, one_more
from worlds.event_log import received, write_log
from worlds.readout_studies import DAY, HOUR, SMALLEST, START, Shop, crowd, readouts

from experiments.answers.encoding import readout_json, timeseries_json
from experiments.readout import read
from experiments.readout.read import Readouts

SEEDS = st.integers(0, 1 << 32)
STATEMENTS = ("DuckEngine.materialise", "DuckEngine.columns", "DuckEngine.rows")


def close(said: Any) -> Any:
    """To compare by: numbers to nine digits of what they add up to."""
    match said:
        case float():
            return pytest.approx(said, rel=1e-7, abs=1e-11)
        case list():
            return [close(item) for item in said]
        case dict():
            return {name: close(item) for name, item in said.items()}
        case _:
            return said


def again(made: Readouts) -> Readouts:
    """The same log and moment, with nothing remembered."""
    return Readouts(made.log, made.archive, now=made.now)


def said_of(made: Readouts) -> dict[str, Any]:
    """All that is said of each experiment."""
    keys = sorted(made.archive.latest().experiments)
    return {key: [readout_json(found := Readouts.read(made, key)), timeseries_json(found)] for key in keys}


@settings(max_examples=examples(12), deadline=None)
@given(SEEDS)
@example(916_828)  # a day whose amounts cancel
def test_a_list_says_what_each_readout_says(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    chance = random.Random(seed)
    site, files = drawn_site(chance, 5, 60), drawn_files(chance, 5)
    made = readouts(tmp_path_factory.mktemp("list"), site.records, chance.choice([4.0, 9.3, 50.0]), files)
    alone = said_of(again(made))
    rows = made.results(every_status=True)
    assert said_of(made) == close(alone)
    assert {row["experiment"] for row in rows} == set(alone)


@settings(max_examples=examples(6), deadline=None)
@given(SEEDS)
def test_what_is_kept_of_a_list_is_what_would_be_computed_anew(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """After every single thing that may happen: whatever it changes is made anew."""
    chance, data = random.Random(seed), tmp_path_factory.mktemp("list")
    site, files = drawn_site(chance, 4, 30), drawn_files(chance, 4)
    made = readouts(data, site.records, 30.0, files)
    made.results(every_status=True)
    for number in range(4):
        before = len(site.records)
        one_more(site, chance, 4, 30, number)
        write_log(data, received(site.records[before:], (20 + number) * DAY), shard=number + 1)
        rows = made.results(every_status=True)
        assert rows == close(again(made).results(every_status=True))


def test_who_somebody_is_counts_for_the_experiments_that_had_not_closed_when_it_was_known(tmp_path: Path) -> None:
    shop = Shop()
    for experiment in ("ended", "running"):
        shop.expose("v", "b", START, experiment=experiment)
    shop.buy("u", START + DAY, user_id="u")
    shop.add("identify", "v", START + 45 * DAY, user_id="u")
    head = "status: running\nvariants: [control, b]\ngoal: purchase_rate\n"
    ends = {"ended": "end: 2026-01-11\n", "running": ""}
    files = {f"{key}.yaml": f"key: {key}\n{head}{end}" for key, end in ends.items()}
    made = readouts(tmp_path, shop.records, 50.0, files)
    made.results()
    bought = {key: Readouts.read(made, key).metrics[0].arms[1].numerator for key in ends}
    assert bought == {"ended": 0.0, "running": 1.0}


def several(data: Path, experiments: int) -> tuple[Readouts, Shop]:
    """Experiments of one goal, each with visitors of its own."""
    shop = Shop()
    for number in range(experiments):
        for visitor in range(20):
            name = f"v{number}-{visitor}"
            shop.expose(name, ("control", "b")[visitor % 2], START, experiment=f"exp{number}")
            shop.buy(name, START + visitor)
    head = "status: running\nvariants: [control, b]\ngoal: revenue_per_visitor\n"
    files = {f"exp{number}.yaml": f"key: exp{number}\n{head}" for number in range(experiments)}
    return readouts(data, shop.records, 20.0, files), shop


def test_a_cap_by_percentile_is_of_each_experiment_alone(tmp_path: Path) -> None:
    shop = Shop()
    for number in range(200):
        shop.expose(f"v{number}", ("control", "b")[number % 2], START, experiment=("exp0", "exp1")[number // 100])
        shop.buy(f"v{number}", START + HOUR, value=float(number + 1))
    head = "status: running\nvariants: [control, b]\ngoal: spent\n"
    files = {f"{key}.yaml": f"key: {key}\n{head}" for key in ("exp0", "exp1")}
    files["metrics.yaml"] = "spent: {type: mean, event: Order Completed, value: value, cap: p90}\n"
    made = readouts(tmp_path, shop.records, 20.0, files)
    alone = said_of(again(made))
    made.results()
    caps = {key: Readouts.read(made, key).metrics[0].cap for key in ("exp0", "exp1")}
    assert caps == {key: answer["metrics"][0]["cap"] for key, (answer, _) in alone.items()}
    assert caps == {"exp0": pytest.approx(90.0, abs=1.0), "exp1": pytest.approx(190.0, abs=1.0)}


def test_what_a_stranger_says_of_an_order_makes_the_readout_of_its_buyer_anew(tmp_path: Path) -> None:
    """A payment's webhook knows no visitor, and names the order alone."""
    made, shop = several(tmp_path, 3)
    made.results()
    first = {key: Readouts.read(made, key) for key in ("exp0", "exp1")}
    order = next(record.order_id for record in shop.records if record.visitor_id == "v1-0" and record.order_id)
    back = {"order_id": order, "value": 10.0, "currency": "EUR", "authority": 2}
    shop.add("track", "", START + DAY, event="Order Refunded", **back)
    write_log(tmp_path, received(shop.records[-1:], DAY), shard=1)
    made.results()
    then = {key: Readouts.read(made, key) for key in ("exp0", "exp1")}
    assert then["exp0"].metrics is first["exp0"].metrics
    assert [found["exp1"].metrics[0].arms[0].numerator for found in (first, then)] == [100.0, 90.0]


def test_a_new_exposure_of_one_experiment_makes_that_one_anew(tmp_path: Path) -> None:
    made, shop = several(tmp_path, 4)
    made.results()
    first = {key: Readouts.read(made, key) for key in ("exp1", "exp2")}
    shop.expose("late", "b", START + DAY, experiment="exp2")
    write_log(tmp_path, received(shop.records[-1:], DAY), shard=1)
    made.results()
    then = {key: Readouts.read(made, key) for key in ("exp1", "exp2")}
    assert then["exp1"].metrics is first["exp1"].metrics
    assert then["exp2"].metrics is not first["exp2"].metrics
    assert [arm.units for arm in then["exp2"].metrics[0].arms] == [10, 11]


def test_a_second_list_is_the_first_one(tmp_path: Path) -> None:
    made, _ = several(tmp_path, 3)
    made.results()
    first = [Readouts.read(made, f"exp{number}").metrics for number in range(3)]
    made.results()
    assert all(Readouts.read(made, f"exp{number}").metrics is first[number] for number in range(3))


def test_a_list_too_long_for_the_time_of_one_analysis_is_read_in_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = several(tmp_path, 5)
    whole, turns = again(made).results(), list[int]()
    together = Readouts._together

    def counting(reader: Readouts, inquiries: Sequence[Any]) -> Any:
        turns.append(len(inquiries))
        return together(reader, inquiries)

    monkeypatch.setattr(read, "TOGETHER", 2)
    monkeypatch.setattr(Readouts, "_together", counting)
    assert made.results() == close(whole)
    assert turns == [2, 2, 1]


def test_no_statement_is_issued_for_a_single_experiment_of_a_list(tmp_path: Path) -> None:
    asked: list[int] = []
    for experiments in (3, 9):
        made, _ = several(tmp_path / str(experiments), experiments)
        with of_this_thread() as passed:
            again(made).results()
        asked.append(sum(call.co_qualname in STATEMENTS for call in passed.calls))
    assert asked[0] == asked[1] > 20


def test_a_row_says_whose_experiment_it_is_and_what_became_of_it(tmp_path: Path) -> None:
    ended = "name: The banner\nowner: anna\nend: 2026-01-12\ndecision: {outcome: shipped, variant: b}\n"
    text = SMALLEST.replace("running", "stopped") + "goal: purchase_rate\n" + ended
    made = readouts(tmp_path, crowd(80).records, 30, {"banner.yaml": text})
    assert made.results() == []
    (row,) = made.results(every_status=True)
    assert (row["name"], row["owner"], row["outcome"]) == ("The banner", "anna", "shipped")
    assert row["end"] == "2026-01-12T00:00:00Z"
