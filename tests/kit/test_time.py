"""Moments and microseconds say the same, to the last digit."""

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.time import DAY_SECONDS, DAY_US, SECOND_US, iso, microseconds, moment_of, now_us, parsed

offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=st.just(UTC) | offsets)


@given(moment=moments)
def test_a_moment_survives_the_way_over_microseconds_in_any_zone(moment: datetime) -> None:
    assert moment_of(microseconds(moment)) == moment
    assert moment_of(microseconds(moment)).tzinfo is UTC


@given(time_us=st.integers(-62_000_000_000_000_000, 253_000_000_000_000_000))
def test_microseconds_survive_the_way_over_a_moment_and_over_its_text(time_us: int) -> None:
    assert microseconds(moment_of(time_us)) == time_us
    assert microseconds(parsed(iso(moment_of(time_us)))) == time_us


@given(moment=moments)
def test_a_text_ends_with_z_and_is_read_as_the_same_moment(moment: datetime) -> None:
    assert iso(moment).endswith("Z")
    assert parsed(iso(moment)) == moment


@given(moment=moments)
def test_cut_to_seconds_a_text_loses_less_than_a_second(moment: datetime) -> None:
    assert timedelta(0) <= moment - parsed(iso(moment, "seconds")) < timedelta(seconds=1)


@given(moment=st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)), zone=offsets)
def test_a_text_without_a_zone_is_in_the_zone_that_is_given(moment: datetime, zone: timezone) -> None:
    assert parsed(moment.isoformat(), zone) == moment.replace(tzinfo=zone)
    assert parsed(moment.isoformat()) == moment.replace(tzinfo=UTC)


def test_a_date_is_its_first_instant() -> None:
    assert parsed("2026-01-20") == datetime(2026, 1, 20, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-02-30", "0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00"])
def test_a_text_that_names_no_moment_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parsed(text)


def test_a_day_is_as_long_in_both_units_and_the_clock_counts_microseconds() -> None:
    assert moment_of(DAY_US) == datetime(1970, 1, 2, tzinfo=UTC)
    assert DAY_US == DAY_SECONDS * SECOND_US
    assert time.time_ns() // 1000 <= now_us() <= time.time_ns() // 1000 + DAY_US
