"""When each job ran last is told as it was noted, also where it never ran or the note cannot be read."""

from pathlib import Path

from app.backup.last_run import LAST_RUN, BackupRun, note_run
from app.metrics.jobs import LastRun, last_runs, told_runs
from app.runtime.board import Board

MOMENT = 1_795_917_600.0
NOTED = "2026-11-29T02:00:00Z"


def test_a_service_that_never_did_anything_says_so() -> None:
    runs = last_runs(Board.make(1), Path("/nowhere"), None)
    assert runs == [LastRun("training", 0.0), LastRun("backup", 0.0)]
    assert [sample.behind for sample in told_runs(runs)["last_run_ok"]] == []


def test_what_the_writer_told_the_training_reported_and_the_backup_noted_is_read(tmp_path: Path) -> None:
    board = Board.make(1)
    for gauge, value in (("compaction_at", MOMENT), ("compaction_seconds", 0.5), ("compaction_ok", 0.0)):
        board.desk("writer").gauge(gauge, value)  # pyright: ignore[reportArgumentType]
    note_run(tmp_path, BackupRun(finished_at=NOTED, seconds=2.0, ok=True, destination="/backups/1"))
    training = {"finished_at": "2026-11-29T02:00:00+00:00", "seconds": 3.0, "outcome": "refused"}
    assert last_runs(board, tmp_path, training) == [
        LastRun("compaction", MOMENT, 0.5, False),
        LastRun("training", MOMENT, 3.0, False),
        LastRun("backup", MOMENT, 2.0, True),
    ]


def test_a_note_that_cannot_be_read_tells_of_no_backup(tmp_path: Path) -> None:
    (tmp_path / LAST_RUN).write_text("{")
    assert last_runs(Board.make(1), tmp_path, None)[-1] == LastRun("backup", 0.0)
