"""Corrections against statsmodels, and what holds of them always."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples
from statsmodels.stats.multitest import multipletests

from experiments.statistics.estimate import Caveat, NoEstimate
from experiments.statistics.multiplicity import adjusted, benjamini_hochberg, bonferroni, holm

families = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30)
MISSING = NoEstimate(Caveat.NO_VARIANCE)


@settings(max_examples=examples(15))  # the oracle takes 50 ms
@given(p_values=families)
def test_holm_and_bh_meet_statsmodels(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(list(multipletests(p_values, method="holm")[1]), rel=1e-12)
    assert benjamini_hochberg(p_values) == pytest.approx(list(multipletests(p_values, method="fdr_bh")[1]), rel=1e-12)


@given(p_values=families)
def test_corrections_never_lower_p_and_are_ordered_by_strictness(p_values: list[float]) -> None:
    for p, bh, step, all_of_it in zip(
        p_values, adjusted(p_values, "bh"), adjusted(p_values), bonferroni(p_values), strict=True
    ):
        assert p <= bh * (1 + 1e-12)
        assert bh <= step * (1 + 1e-12)
        assert step <= all_of_it * (1 + 1e-12)


@given(p_values=families)
def test_corrections_keep_the_order(p_values: list[float]) -> None:
    corrected = adjusted(p_values)
    ranked = sorted(range(len(p_values)), key=p_values.__getitem__)
    values = [corrected[index] for index in ranked]
    assert values == sorted(values)


def test_a_missing_p_counts_in_the_family_and_stays_missing() -> None:
    assert adjusted([0.01, MISSING, 0.02]) == (pytest.approx(0.03), MISSING, pytest.approx(0.04))
    assert adjusted([0.01, MISSING], "bh") == (pytest.approx(0.02), MISSING)
    assert bonferroni([0.4, MISSING, 0.01]) == (1.0, MISSING, 0.03)


def test_an_empty_family_has_nothing_to_correct() -> None:
    assert adjusted([]) == ()
