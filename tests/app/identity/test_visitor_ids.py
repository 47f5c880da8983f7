"""Ids that the service issues: nobody else makes one, none has two spellings, rotated keys know theirs 13 months."""

import base64
import json
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples

from app.identity.visitor_ids import (
    LENGTH,
    VisitorIds,
    VisitorKeysUnusable,
    day_of,
    make_keys,
    read_visitor_keys,
    rotate_keys,
)
from events.records import Record
from kit.time import DAY_SECONDS

TODAY = 20_786
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class Clock:
    """A day that tests set."""

    def __init__(self, day: int = TODAY) -> None:
        self.day = day

    def __call__(self) -> float:
        return self.day * DAY_SECONDS + 3_600


def ids_of(folder: Path, clock: Clock) -> VisitorIds:
    return VisitorIds(folder / "secrets" / "visitor-ids.json", clock)


def test_an_id_tells_its_day_and_its_key_and_is_recognised_by_every_process(tmp_path: Path) -> None:
    ours = ids_of(tmp_path, Clock()).issue()
    assert (len(ours), ours[:3], ours[25], day_of(ours)) == (LENGTH, "v1.", ".", TODAY)
    assert base64.urlsafe_b64decode(ours[3:25] + "==")[:3] == TODAY.to_bytes(2) + b"\0"
    assert ids_of(tmp_path, Clock()).issued(ours)
    assert not ids_of(tmp_path / "elsewhere", Clock()).issued(ours)


def test_ids_are_104_random_bits_apart(tmp_path: Path) -> None:
    ids = ids_of(tmp_path, Clock())
    random = {base64.urlsafe_b64decode(ids.issue()[3:25] + "==")[3:] for _ in range(2_000)}
    assert len(random) == 2_000
    assert {len(each) for each in random} == {13}
    for place in range(13):  # each byte takes nearly all of its values
        assert len({each[place] for each in random}) > 240


@settings(max_examples=examples(300))
@given(place=st.integers(0, LENGTH - 1), letter=st.sampled_from(LETTERS + ".=+/é \0"))
def test_no_other_spelling_is_ours(issuer: VisitorIds, place: int, letter: str) -> None:
    ours = issuer.issue()
    other = ours[:place] + letter + ours[place + 1 :]
    assert issuer.issued(other) is (other == ours)
    assert not issuer.issued(other + letter)
    assert not issuer.issued(ours.swapcase())


@given(st.text(max_size=60))
def test_nothing_that_somebody_sends_is_ours_or_raises(issuer: VisitorIds, text: str) -> None:
    assert not issuer.issued(text)
    assert not issuer.issued(f"v1.{text}")


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> VisitorIds:
    return ids_of(tmp_path_factory.mktemp("issuer"), Clock())


def test_records_under_our_ids_are_marked_and_no_others(issuer: VisitorIds) -> None:
    ours, forged = issuer.issue(), "v1." + "A" * 22 + "." + "B" * 16
    records = [Record(message_id=str(n), type="page", visitor_id=v, time=0) for n, v in enumerate((ours, forged, "v"))]
    assert [record.issued for record in issuer.marked(records)] == [True, False, False]


@pytest.mark.anyio
async def test_a_retired_key_verifies_for_13_months_what_it_issued_and_nothing_later(tmp_path: Path) -> None:
    clock = Clock()
    ids = ids_of(tmp_path, clock)
    before = ids.issue()
    made = rotate_keys(tmp_path / "secrets" / "visitor-ids.json", TODAY)
    assert made.number == 1
    await ids.look()
    assert (ids.issue()[3:8], ids.issued(before)) != (before[3:8], False)
    clock.day = TODAY + 395
    await ids.look()
    assert ids.issued(before)
    clock.day = TODAY + 396
    await ids.look()
    assert not ids.issued(before)


def test_whoever_stole_a_retired_key_makes_no_ids_of_later_days(tmp_path: Path) -> None:
    clock = Clock()
    thief = ids_of(tmp_path, clock)
    rotate_keys(tmp_path / "secrets" / "visitor-ids.json", TODAY)
    shop = ids_of(tmp_path, clock)
    assert shop.issued(thief.issue())
    clock.day = TODAY + 2
    assert not shop.issued(thief.issue())


def test_a_key_that_another_process_made_is_taken_up_by_the_first_id_of_its(tmp_path: Path) -> None:
    ids = ids_of(tmp_path, Clock())
    rotate_keys(tmp_path / "secrets" / "visitor-ids.json", TODAY)
    newer = ids_of(tmp_path, Clock()).issue()
    assert ids.issued(newer)


def test_numbers_of_keys_are_never_used_twice_within_13_months(tmp_path: Path) -> None:
    file = tmp_path / "secrets" / "visitor-ids.json"
    made = [rotate_keys(file, TODAY).number for _ in range(255)]
    assert made == list(range(1, 256))
    with pytest.raises(VisitorKeysUnusable, match="256 keys"):
        rotate_keys(file, TODAY)
    assert rotate_keys(file, TODAY + 396).number == 0


def test_of_several_processes_that_start_at_once_all_have_one_key(tmp_path: Path) -> None:
    file = tmp_path / "secrets" / "visitor-ids.json"
    threads = [threading.Thread(target=make_keys, args=(file, TODAY)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_visitor_keys(file)) == 1
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


@pytest.mark.parametrize("content", ["", "{}", '{"keys": []}', '{"keys": [{"number": 1}]}', "[]", "\x00"])
def test_a_spoilt_file_stops_the_start_and_keeps_what_a_running_worker_knows(tmp_path: Path, content: str) -> None:
    clock = Clock()
    ids = ids_of(tmp_path, clock)
    ours, file = ids.issue(), tmp_path / "secrets" / "visitor-ids.json"
    file.write_text(content)
    with pytest.raises(VisitorKeysUnusable, match="put it back from a backup"):
        ids_of(tmp_path, clock)
    assert not ids.issued("v1." + "_" * 22 + "." + "_" * 16)  # which looks at the file
    assert ids.issued(ours)
    assert ids.issued(ids.issue())


def test_no_secret_is_told_by_a_key(tmp_path: Path) -> None:
    made = rotate_keys(tmp_path / "secrets" / "visitor-ids.json", TODAY)
    stored = json.loads((tmp_path / "secrets" / "visitor-ids.json").read_text())["keys"]
    assert base64.b64decode(stored[-1]["secret"]) == made.secret
    assert str(made.secret) not in repr(made)
