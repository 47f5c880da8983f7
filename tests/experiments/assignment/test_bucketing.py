"""Hashing and ranges: the SDK's own functions are the oracle."""

import math
from typing import Any

import pytest
from growthbook.core import gbhash, getBucketRanges
from hypothesis import given
from hypothesis import strategies as st
from oracles.growthbook_features import bucket, choose_variation

from experiments.assignment.bucketing import BUCKETS, bucket_ranges, position, unit_text

shares = st.lists(st.integers(0, 100), min_size=2, max_size=6).filter(any).map(lambda raw: [n / sum(raw) for n in raw])


@pytest.mark.parametrize(("unit", "expected"), [("é", 0.976), ("😀", 0.7506)])
def test_what_is_hashed_are_utf16_code_units(unit: str, expected: float) -> None:
    assert bucket("exp", unit) == expected


@given(seed=st.text(max_size=30), unit=st.text(st.characters(), max_size=60), version=st.sampled_from([1, 2]))
def test_any_text_even_half_a_surrogate_pair_hashes_as_in_the_sdk(seed: str, unit: str, version: int) -> None:
    assert bucket(seed, unit, version) == gbhash(seed, unit, version)


def test_half_a_surrogate_pair_has_a_bucket() -> None:
    assert bucket("exp", "\ud83d") == gbhash("exp", "\ud83d", 2)


def test_a_hash_version_nobody_knows_has_no_bucket() -> None:
    assert bucket("exp", "v-1", 3) is None


@given(weights=shares, coverage=st.floats(-0.5, 1.5))
def test_ranges_are_to_the_last_bit_those_of_the_sdk(weights: list[float], coverage: float) -> None:
    assert bucket_ranges(len(weights), coverage, weights) == getBucketRanges(len(weights), coverage, weights)


@given(weights=shares, narrow=st.floats(0, 1), wide=st.floats(0, 1), where=st.integers(0, BUCKETS - 1))
def test_growing_traffic_never_moves_anyone(weights: list[float], narrow: float, wide: float, where: int) -> None:
    narrow, wide = sorted((narrow, wide))
    before = choose_variation(where / BUCKETS, bucket_ranges(len(weights), narrow, weights))
    after = choose_variation(where / BUCKETS, bucket_ranges(len(weights), wide, weights))
    assert before in (-1, after)


@pytest.mark.parametrize("weights", [[0.5, 0.5], [0.9, 0.1], [1 / 3, 1 / 3, 1 / 3]])
def test_shares_lie_within_binomial_bounds(weights: list[float]) -> None:
    visitors = 20_000
    ranges = bucket_ranges(len(weights), 1.0, weights)
    drawn = [choose_variation(position("free-shipping-banner", f"v-{n}"), ranges) for n in range(visitors)]
    for variation, weight in enumerate(weights):
        deviation = math.sqrt(visitors * weight * (1 - weight))
        assert abs(drawn.count(variation) - visitors * weight) < 4 * deviation


def test_two_experiments_draw_independently() -> None:
    both = sum(position("one", f"v-{n}") < 0.5 and position("other", f"v-{n}") < 0.5 for n in range(20_000))
    assert abs(both - 5_000) < 4 * math.sqrt(20_000 * 0.25 * 0.75)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("v-1", "v-1"),
        (" v-1 ", " v-1 "),
        (12, "12"),
        (12.0, "12"),
        (9007199254740993, "9007199254740993"),
        (-7, "-7"),
        (1e3, "1000"),
        ("0", "0"),
        ("007", "007"),
        (0.5, None),
        ("", None),
        (0, None),
        (True, None),
        (None, None),
        (math.nan, None),
        (10**400, None),
        (["v-1"], None),
    ],
)
def test_only_text_and_whole_numbers_name_a_unit(value: Any, expected: str | None) -> None:
    assert unit_text(value) == expected
