"""The promised error rates, measured; the same seeds as `resonate simulate`."""

import inspect

import pytest

from app.cli.results import simulate
from experiments.validation.simulation import FIGURES, RUNS, SEED, error_rates


@pytest.mark.slow
@pytest.mark.drawn(8)
@pytest.mark.parametrize("figure", [figure.name for figure in FIGURES if "milliseconds" not in figure.name])
def test_the_promised_figure_is_met(figure: str) -> None:
    row = next(row for row in error_rates([figure]) if row.figure == figure)
    assert row.met, row


def test_the_same_seed_gives_the_same_table_and_another_seed_another() -> None:
    one, again, other = (error_rates(["90:10"], runs=200, seed=seed) for seed in (1, 1, 2))
    assert one == again != other


def test_progress_names_each_figure_and_ends_complete() -> None:
    told: list[tuple[str, int, int]] = []
    rows = error_rates(["CUPED"], runs=20, progress=lambda *step: told.append(step))
    assert [name for name, _, _ in told] == [row.figure for row in rows] + [""]
    assert told[-1][1:] == (4, 4)


def test_a_new_figure_moves_no_other() -> None:
    (alone,) = error_rates(["power at +10 % on 5 %, planned"], runs=100)
    assert alone in error_rates(["power", "ratio"], runs=100)


def test_every_figure_is_measured_with_few_runs_too() -> None:
    rows = error_rates(["at any look", "contradict", "1,000 per arm", "milliseconds", "alarms"], runs=40)
    assert len(rows) == 17
    assert all(row.ours >= 0.0 for row in rows)


def test_the_command_draws_what_the_tests_draw() -> None:
    given = inspect.signature(simulate).parameters
    assert (given["runs"].default, given["seed"].default) == (RUNS, SEED)
    assert RUNS == 4000
