"""What a release says of data in another format, and what it notes where it writes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples

from events.format import UNMARKED, Format, Release, this_release

RELEASES = {1: Release("0.2.0", format=1), 4: Release("0.9.0", 4, 2, 3, 3, {1: "0.3.0", 2: "0.5.0"})}
formats = st.builds(Format, *[st.integers(1, 6)] * 3, st.sampled_from(["", "0.7.0"]))
releases = st.builds(Release, st.just("0.8.0"), *[st.integers(1, 6)] * 4)


@pytest.mark.parametrize(
    ("ours", "found", "writes", "said"),
    [
        (
            1, Format(3, 2, 3, "0.9.0"), False,
            "data directory d is in format 3, written by Resonate 0.9.0; this is 0.2.0, which reads up to 1. "
            "Install 0.9.0 or newer, or restore a backup made before the upgrade",
        ),
        (
            1, Format(3, 1, 3, "0.9.0"), True,
            "data directory d is in format 3, written by Resonate 0.9.0; this is 0.2.0, which reads it and writes up "
            "to 1. Install 0.9.0 or newer to write it, or restore a backup made before the upgrade",
        ),
        (1, Format(3, 1, 3, "0.9.0"), False, None),
        (1, Format(3, 1, 1, "0.9.0"), True, None),
        (
            4, Format(2, 1, 1, "0.4.0"), False,
            "data directory d is in format 2, written by Resonate 0.4.0; this is 0.9.0, which reads from 3 on: upgrade "
            "by way of Resonate 0.5.0",
        ),
        (
            4, UNMARKED, False,
            "data directory d is in format 1, written by a release that noted no format; this is 0.9.0, which reads "
            "from 3 on: upgrade by way of Resonate 0.3.0",
        ),
        (4, Format(3, 1, 1, "0.6.0"), True, None),
        (1, UNMARKED, True, None),
    ],
)  # fmt: skip
def test_what_a_release_says_of_data_in_another_format(
    ours: int, found: Format, writes: bool, said: str | None
) -> None:
    assert RELEASES[ours].refusal("data directory d", found, writes=writes) == said


def test_this_release_writes_what_it_reads() -> None:
    ours = this_release()
    assert ours.refusal("it", ours.noted(None), writes=True) is None
    assert ours.oldest_read <= ours.format
    assert {*ours.last_readers} == {*range(1, ours.oldest_read)}


@given(release=releases, found=formats)
@settings(max_examples=examples(200))
def test_no_number_ever_falls(release: Release, found: Format) -> None:
    noted = release.noted(found)
    assert noted.format == max(found.format, release.format)
    assert (noted.min_reader, noted.min_writer) >= (found.min_reader, found.min_writer)
    assert release.noted(noted) == noted
    assert (noted.written_by == release.version) == (release.format > found.format)


def test_a_release_and_the_one_before_it_take_turns_and_the_mark_stays_the_newer_ones() -> None:
    """The new release's form can be read and written beside by the old one, which knows nothing of the number."""
    old, new = Release("0.2.0", 1), Release("0.3.0", 2, 1, 1)
    noted = new.noted(old.noted(None))
    assert noted == Format(2, 1, 1, "0.3.0")
    assert old.refusal("it", noted, writes=True) is None
    assert old.noted(noted) == noted == new.noted(noted)
