"""What was not taken is summed over workers, bounded in size, and holds little of an event: its name, type and id."""

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples

from app.runtime.board import Desk
from app.runtime.telemetry import Telemetry
from app.worker.intake import IntakeTold
from events.deletes.erased_rows import tombstone
from events.deletes.tombstones import add_tombstones, exact_digest
from events.dialects.validation import Reading, Refusal
from events.libraries import LABELS_OF_LIBRARIES, library_label
from events.scrubbing import Scrubber
from events.tallies.evaluations import Evaluations, Tallies, read_evaluations
from events.tallies.refused_events import (
    LAST,
    LONGEST,
    LONGEST_MESSAGE,
    MOST_BYTES,
    REFUSED_EVENTS,
    Cause,
    Note,
    RefusedEvents,
    bounded,
    causes_of,
    forget_people,
    keep_refused,
    kept_field,
    kept_sentence,
    read_refused,
)

pytestmark = pytest.mark.anyio
CAUSE = Cause("invalid_id", "userId", "none", "segment")


def told(count: int, at: int = 1, day: str = "2026-01-05", cause: Cause = CAUSE) -> RefusedEvents:
    known = RefusedEvents(at)
    known.add("rejected", cause, count, at, day)
    known.outcomes["rejected"].note(cause.code, [Note(at, cause.field, cause.library, cause.dialect, "why", f"m-{at}")])
    return known


def test_several_workers_add_up_and_the_first_of_a_day_is_new_once(tmp_path: Path) -> None:
    _, first = keep_refused(tmp_path, told(2, at=5))
    _, again = keep_refused(tmp_path, told(3, at=4))
    known, next_day = keep_refused(tmp_path, told(1, at=6, day="2026-01-06"))
    assert [len(new) for new in (first, again, next_day)] == [1, 0, 1]
    [(each, notes)] = causes_of(known, "rejected")
    assert (each.count, each.first, each.last) == (6, 4, 6)
    assert [note.at for note in notes] == [6, 5, 4]


@settings(max_examples=examples(8))
@given(
    count=st.integers(1, 1_500),
    letters=st.integers(1, 100),
    codes=st.integers(1, 60),
    fields=st.integers(1, 900),
)
def test_however_much_is_refused_it_is_told_in_1_mb_and_none_is_uncounted(
    count: int, letters: int, codes: int, fields: int
) -> None:
    known = RefusedEvents(0)
    text = "x" * letters
    for number in range(count):
        code, field = f"code_{number % codes}", kept_field(f"{number % fields}.{text}")
        cause = Cause(code, field, LABELS_OF_LIBRARIES[number % len(LABELS_OF_LIBRARIES)], "segment")
        known.add("rejected", cause, 1, number, f"2026-{1 + number % 12:02d}-{1 + number % 28:02d}")
        known.outcomes["rejected"].note(code, [Note(number, field, cause.library, "segment", text, text, text, text)])
    assert all(len(notes) <= LAST for notes in known.outcomes["rejected"].last.values())
    written = bounded(known)
    assert len(written) <= MOST_BYTES
    read = msgspec.json.decode(written, type=RefusedEvents)
    assert sum(read.totals.values()) == count


def test_a_file_that_nobody_can_read_begins_anew(tmp_path: Path) -> None:
    (tmp_path / REFUSED_EVENTS).write_bytes(b"{torn")
    keep_refused(tmp_path, told(2))
    assert sum(read_refused(tmp_path, 0).totals.values()) == 2


def test_a_label_is_one_of_a_fixed_list_whatever_is_said() -> None:
    assert library_label("@segment/analytics-node") == "analytics-node"
    assert library_label("RudderLabs JavaScript SDK") == "rudder-sdk-js"
    assert library_label(None) == library_label("") == "none"
    assert library_label('x"} 1\nfake_metric 2') == "other"
    assert {library_label(label) for label in LABELS_OF_LIBRARIES} == set(LABELS_OF_LIBRARIES)


@given(said=st.one_of(st.none(), st.integers(), st.text(), st.lists(st.text())))
def test_no_caller_invents_a_label(said: object) -> None:
    assert library_label(said) in LABELS_OF_LIBRARIES


@given(value=st.text(st.characters(codec="utf-8", exclude_characters="'\"\\"), min_size=3))
def test_of_a_quoted_value_nothing_is_kept(value: str) -> None:
    marked = f"zz{value}zz"
    assert "zz" not in kept_sentence(f"userId: {marked!r} is an id that thousands of visitors share")


@given(value=st.text(st.sampled_from("zé'\"\\\n"), max_size=30), quote=st.sampled_from("'\""))
def test_a_quote_that_nobody_ends_holds_the_rest(value: str, quote: str) -> None:
    kept = kept_sentence(f"userId: {quote}{value}")
    assert kept.startswith("userId: …")
    assert ("z" in kept) <= (quote in value)


def test_an_apostrophe_is_no_quote() -> None:
    assert (
        kept_sentence("a path of another vendor's client, 'zz' it is") == "a path of another vendor's client, … it is"
    )


@pytest.mark.parametrize("piece", ["'", '"', "\\'", "'\\", "[1", "this is 1"])
def test_no_sentence_is_looked_through_over_and_over(piece: str) -> None:
    """One that were would hang here."""
    assert len(kept_sentence(f" '{piece * 300_000}")) <= LONGEST_MESSAGE
    assert len(kept_field(piece * 300_000)) <= LONGEST


async def test_while_the_disk_takes_nothing_it_waits_and_is_told_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    telemetry = Telemetry(Desk.alone(), [])
    intake = IntakeTold(tmp_path, lambda: __import__("datetime").UTC, telemetry, Scrubber())
    refusal = Refusal(0, "m-1", "userId", "invalid_id", "userId: it is a list", "track", "x", "")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("events.tallies.refused_events.replace_file", full)
        intake.noted(Reading([], [refusal]))
        await intake.tell()
        intake.noted(Reading([], [refusal]))
        assert sum((await intake.all()).totals.values()) == 2
    await intake.tell()
    assert sum(read_refused(tmp_path, 0).totals.values()) == 2
    assert json.loads((tmp_path / REFUSED_EVENTS).read_bytes())["outcomes"]["rejected"]["last"]["invalid_id"]


def test_evaluations_of_workers_add_up_for_about_a_day(tmp_path: Path) -> None:
    one, two = Evaluations(tmp_path), Evaluations(tmp_path)
    phases = (("banner", 0), ("other", 2))
    for _ in range(3):
        one.given("payload", phases)
    two.add("ofrep_bulk", [("banner", 0)])
    two.add("ofrep_bulk", [])
    day = 1_767_571_200.0
    for each in (one, two):
        each.keep(each.due(), day)
        each.keep(each.due(), day + 1)
    lately = read_evaluations(tmp_path, day + 3_600)
    counts = {(each.experiment, each.phase, each.dialect): count for each, count in lately.counts.items()}
    assert counts == {("banner", 0, "payload"): 3, ("other", 2, "payload"): 3, ("banner", 0, "ofrep_bulk"): 1}
    assert day - 86_400 < lately.since <= day
    assert read_evaluations(tmp_path, day + 86_400).counts == {}


async def test_what_a_refused_event_calls_itself_is_scrubbed_as_rows_are(tmp_path: Path) -> None:
    telemetry = Telemetry(Desk.alone(), [])
    intake = IntakeTold(tmp_path, lambda: __import__("datetime").UTC, telemetry, Scrubber())
    told = "https://shop.example/in?token=geheim"
    intake.noted(Reading([], [Refusal(0, "m-1", "type", "unknown_type", "type: which", "203.0.113.77", told, "")]))
    await intake.tell()
    written = (tmp_path / REFUSED_EVENTS).read_bytes()
    assert b"geheim" not in written
    assert b"203.0.113.77" not in written


def noted_of(at: int, message_id: str, *ids: str, event: str = "x") -> RefusedEvents:
    known = RefusedEvents(at)
    known.add("rejected", CAUSE, 1, at, "2026-01-05")
    people = tuple(map(exact_digest, ids))
    note = Note(at, CAUSE.field, CAUSE.library, CAUSE.dialect, "why", message_id, "track", event, people)
    known.outcomes["rejected"].note(CAUSE.code, [note])
    return known


def message_ids(known: RefusedEvents) -> list[str | None]:
    return [note.message_id for _, notes in causes_of(known, "rejected") for note in notes]


def test_of_who_was_erased_no_refused_event_is_told_and_the_sums_stay(tmp_path: Path) -> None:
    for told_of in (
        noted_of(1, "m-1", "visitor-1"),
        noted_of(2, "m-2", "visitor-2", "u-1"),
        noted_of(3, "mail-visitor-1-7"),
        noted_of(4, "m-4", event="visitor-1 came"),
        noted_of(5, "mail-7-x"),
        noted_of(6, "m-77"),
    ):
        keep_refused(tmp_path, told_of)
    forget_people(tmp_path, {"visitor-1", "u-1", "7"})
    assert message_ids(read_refused(tmp_path, 9)) == ["m-77"]
    assert read_refused(tmp_path, 9).totals == {(CAUSE.code, CAUSE.library): 6}
    written = (tmp_path / REFUSED_EVENTS).read_bytes()
    assert not [
        each for each in ("visitor-1", exact_digest("visitor-1"), exact_digest("u-1")) if each.encode() in written
    ]


def test_what_a_worker_tells_after_an_erasure_of_before_it_is_not_kept(tmp_path: Path) -> None:
    add_tombstones(tmp_path, [tombstone("visitor", "v-1", {0: 1}, erased_at=5)])
    known, _ = keep_refused(tmp_path, noted_of(5, "before", "v-1"))
    assert message_ids(known) == []
    known, _ = keep_refused(tmp_path, noted_of(6, "after", "v-1"))
    assert message_ids(known) == ["after"]


def test_a_list_that_was_put_back_from_a_copy_hides_the_erased(tmp_path: Path) -> None:
    keep_refused(tmp_path, noted_of(5, "before", "v-1"))
    tallies = Tallies(tmp_path)
    assert message_ids(tallies.refused(9)) == ["before"]
    add_tombstones(tmp_path, [tombstone("visitor", "v-1", {0: 1}, erased_at=7)])
    assert message_ids(tallies.refused(9)) == []


def test_while_nobody_can_say_who_was_erased_nothing_is_told_or_lost(tmp_path: Path) -> None:
    keep_refused(tmp_path, noted_of(5, "before", "v-1"))
    (tmp_path / "tombstones.json").write_text("[")
    with pytest.raises(ValueError, match="truncated"):
        read_refused(tmp_path, 9)
    (tmp_path / "tombstones.json").unlink()
    assert message_ids(read_refused(tmp_path, 9)) == ["before"]


def test_where_nothing_was_ever_refused_that_is_said_since_now_and_not_since_1970(tmp_path: Path) -> None:
    tallies, now = Tallies(tmp_path), 1_767_571_200_000_000
    assert tallies.refused(now).since == now
    assert tallies.refused(now + 1).since == now
