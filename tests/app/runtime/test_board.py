"""The board: what is read of it is whole, whoever is killed while writing it, and every page of it is there."""

import multiprocessing
import os
import signal
from multiprocessing.connection import Connection
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples

from app.runtime import board as board_module
from app.runtime.ailments import Ailment, AilmentCode
from app.runtime.board import CAUSES_BYTES, DESK_BYTES, PAGE, Board, BoardUnusable, Desk
from app.runtime.telemetry import Telemetry

CODES: list[AilmentCode] = ["disk_low", "busy", "data_damaged", "log_behind", "store_down"]


def test_what_a_desk_notes_all_read_until_it_is_over() -> None:
    board = Board.make(2)
    writer, worker = board.desk("writer"), board.desk("worker", 1)
    writer.note("log_disk_full")
    worker.note("log_disk_full")
    worker.note("data_damaged", "part 7")
    other = Board.attach(os.dup(board.descriptor))
    assert set(other.causes()) == {Ailment("log_disk_full"), Ailment("data_damaged", "part 7")}
    writer.note("log_disk_full", None)
    worker.note("log_disk_full", None)
    assert other.causes() == [Ailment("data_damaged", "part 7")]


def test_a_successor_begins_without_what_ailed_its_predecessor_but_with_what_is_of_the_data() -> None:
    board = Board.make(1)
    for code in CODES:
        board.desk("analysis").note(code, "it")
    successor = board.desk("analysis")
    successor.sit_down()
    assert board.causes() == [Ailment("data_damaged", "it")]
    successor.note("data_damaged", None)
    assert board.causes() == []


def test_what_ailed_a_process_that_has_ended_is_over_before_another_one_sits_there() -> None:
    """That one may come late, fail in its imports, or be started by the next call alone."""
    board = Board.make(2)
    theirs = Board.attach(os.dup(board.descriptor)).desk("worker", 1)
    ours, standing = board.desk("worker", 1), Ailment("data_damaged", "part 7")
    for life in range(3):
        ours.started(100 + life, again=life > 0)
        for code in CODES:
            theirs.note(code, "part 7")
        board.desk("worker", 0).note("busy", "another")
        assert len(board.causes()) == len(CODES) + 1
        ours.ended(-9)
        assert board.causes() == [Ailment("busy", "another"), standing]
        theirs = Board.attach(os.dup(board.descriptor)).desk("worker", 1)
        theirs.sit_down()
        assert board.causes() == [Ailment("busy", "another"), standing]


@given(st.lists(st.tuples(st.sampled_from(CODES), st.none() | st.text(max_size=2_000)), max_size=30))
def test_a_desk_says_what_a_dictionary_would_hold_with_texts_cut_where_they_are_many(
    notes: list[tuple[AilmentCode, str | None]],
) -> None:
    desk, expected = Desk.alone(), dict[AilmentCode, str]()
    for code, named in notes:
        desk.note(code, named)
        expected.pop(code, None)
        if named is not None:
            expected[code] = named
    found = {each.code: each.named for each in desk.causes()}
    assert found.keys() == expected.keys()
    assert all(expected[code].startswith(named) for code, named in found.items())
    assert all(len(named) >= min(20, len(expected[code])) for code, named in found.items())


@given(st.integers(0, 2 * CAUSES_BYTES), st.booleans())
def test_whoever_is_killed_while_writing_leaves_what_was_there_before_or_what_it_wrote(
    cut: int, beginning: bool
) -> None:
    """Any bytes of a writing may be there and the others not: first its beginning, or first its end."""
    desk = Desk.alone()
    desk.note("disk_low", "before")
    whole = desk.board.bytes_at(PAGE, DESK_BYTES)
    desk.note("disk_low", "after")
    after = desk.board.bytes_at(PAGE, DESK_BYTES)
    at = DESK_BYTES - 2 * CAUSES_BYTES + cut
    desk.board.write(PAGE, after[:at] + whole[at:] if beginning else whole[:at] + after[at:])
    [found] = desk.causes()
    assert found in (Ailment("disk_low", "before"), Ailment("disk_low", "after"))
    successor = Desk(desk.board, "worker", 0, PAGE)
    successor.note("disk_low", "successor")
    assert desk.board.causes() == [Ailment("disk_low", "successor")]


def test_every_page_is_there_before_a_full_disk_can_refuse_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        status = os.fstat(Board.make(3).descriptor)
        assert status.st_blocks * 512 >= status.st_size > 0
        assert status.st_nlink == 0
        monkeypatch.delattr(os, "memfd_create", raising=False)  # as on other systems: a file without a name


def test_nobody_can_cut_it_off() -> None:
    with pytest.raises(OSError, match="not permitted"):
        os.ftruncate(Board.make(1).descriptor, 0)


def test_a_start_without_memory_for_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(board_module.os, "pwrite", full)
    with pytest.raises(BoardUnusable, match="No space left"):
        Board.make(1)


def test_a_child_of_another_release_is_told_to_be_started_with_its_service(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board.make(1)
    monkeypatch.setattr(board_module, "LAYOUT", b"of another time.")
    with pytest.raises(BoardUnusable, match="restart the service"):
        Board.attach(os.dup(board.descriptor))


def test_a_desk_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="desk 2 of a worker: the board has 2"):
        Board.make(2).desk("worker", 2)


def test_what_the_supervisor_says_of_a_process_is_read_by_all() -> None:
    desk = Board.make(1).desk("writer")
    desk.started(17, again=False)
    desk.ended(-9)
    desk.started(18, again=True)
    desk.was_silent(4.0)
    desk.gauge("open_descriptors", 12)
    read = desk.board.desk("writer")
    assert (read.pid, read.ending, read.restarts, read.silent_seconds) == (18, -9, 1, 4.0)
    assert read.gauges() == {"open_descriptors": 12.0}
    assert read.beat_at == 0.0
    desk.beat()
    assert read.beat_at > 0.0


def writing(descriptor: int, number: int, told: Connection) -> None:
    """Notes and counts without end; every text of a cause is one letter many times over."""
    desk = Board.attach(descriptor).desk("worker", number)
    desk.sit_down()
    telemetry = Telemetry(desk, ["/x"])
    told.send(True)
    turn = 0
    while True:
        turn += 1
        desk.note("disk_low", chr(97 + turn % 26) * (turn % 390 + 1))
        telemetry.events("stored")
        telemetry.answered("/x", 200, 0.1)


class Reader:
    """Looks at the board as `/readyz` and `/metrics` do; `look` fails where something is torn or goes back."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.telemetry = Telemetry(board.desk("worker"), ["/x"])
        self.most = dict[Any, float]()

    def look(self) -> None:
        for cause in self.board.causes():
            assert cause.code == "disk_low"
            assert len(set(cause.named)) == 1, cause.named
        for name, value in self.telemetry.counters.totals().items():
            assert value >= self.most.get(name, 0.0), name
            self.most[name] = value


def step_of(process: Any, act: str) -> None:
    if act == "kill":
        process.kill()
        process.join()
    else:
        os.kill(process.pid, signal.SIGSTOP if act == "stop" else signal.SIGCONT)


@settings(max_examples=examples(8))
@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.sampled_from(["kill", "stop", "go on", "read"])), max_size=25))
def test_whoever_writes_and_is_killed_or_stopped_no_reader_sees_a_torn_cause_or_a_counter_that_goes_back(
    acts: list[tuple[int, str]],
) -> None:
    board, fork = Board.make(3), multiprocessing.get_context("fork")
    reader, children = Reader(board), dict[int, Any]()

    def start(number: int) -> None:
        ours, theirs = fork.Pipe()
        children[number] = fork.Process(target=writing, args=(board.descriptor, number, theirs), daemon=True)
        children[number].start()
        assert ours.poll(60)
        ours.recv()

    try:
        for number in (1, 2):
            start(number)
        for number, act in acts:
            for _ in range(5):
                reader.look()
            if act != "read":
                step_of(children[number], act)
            if act == "kill":
                reader.look()
                start(number)
        reader.look()
    finally:
        for child in children.values():
            child.kill()
            child.join()
    reader.look()
