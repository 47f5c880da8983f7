"""The promised error rates, measured; the same seeds as `resonate simulate`."""

import numpy as np
import pytest

from experiments.validation import simulation
from experiments.validation.simulation import (
    FIGURES,
    RUNS,
    anytime_rejections,
    error_rates,
    planned_rejections,
    revenue_rejections,
)


@pytest.mark.slow
@pytest.mark.parametrize("figure", [figure.name for figure in FIGURES if "milliseconds" not in figure.name])
def test_the_promised_figure_is_met(figure: str) -> None:
    (row,) = error_rates([figure])
    assert row.met, row


def test_the_same_seed_gives_the_same_table_and_another_seed_another() -> None:
    one, again, other = (error_rates(["anytime", "planned"], runs=200, seed=seed) for seed in (1, 1, 2))
    assert one == again != other


def test_progress_names_each_figure_and_ends_complete() -> None:
    told: list[tuple[str, int, int]] = []
    rows = error_rates(["CUPED"], runs=20, progress=lambda *step: told.append(step))
    assert [name for name, _, _ in told] == [row.figure for row in rows] + [""]
    assert told[-1][1:] == (4, 4)


def test_every_figure_is_measured_with_few_runs_too() -> None:
    rows = error_rates(["looks", "contradict", "1,000 per arm", "milliseconds"], runs=40)
    assert len(rows) == 13
    assert all(row.ours >= 0.0 for row in rows)
    assert RUNS == 4000


def test_peeking_keeps_its_promise_with_the_bounds_that_are_made_for_it_and_not_with_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for rejections in (anytime_rejections, planned_rejections):
        assert rejections(1000, np.random.default_rng(1), 28, 2500, 0.05, 0.05) < 0.07
    monkeypatch.setattr(simulation, "anytime_critical", lambda *_: 1.959963984540054)
    assert anytime_rejections(1000, np.random.default_rng(1), 28, 2500, 0.05, 0.05) > 0.2


def test_peeking_at_heavy_tailed_revenue_keeps_its_promise_and_a_tighter_bound_would_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert revenue_rejections(1000, np.random.default_rng(1), 28, 2500) < 0.05
    monkeypatch.setattr(simulation, "anytime_critical", lambda *_: 1.959963984540054)
    assert revenue_rejections(1000, np.random.default_rng(1), 28, 2500) > 0.2
