"""When each job of the service ran last, how long that took, and whether it went well."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from app.backup.last_run import last_run
from app.metrics.exposition import Samples, labelled
from app.runtime.board import Board
from kit.time import parsed

WENT_WELL: Final = ("published", "too_little_data")  # of trainings; a shop that is young has no model, and needs nobody


class LastRun(NamedTuple):
    """`at` is when it ended, in seconds since 1970: 0 where it never ran, and then nothing else is known."""

    job: str
    at: float
    seconds: float | None = None
    ok: bool | None = None


def last_runs(board: Board, data: Path, training: Mapping[str, Any] | None) -> list[LastRun]:
    """Of every job that runs by itself, and of the backup, which somebody else starts; `training` is its report."""
    found = [*_of_writer(board)]
    if training is None:
        found.append(LastRun("training", 0.0))
    else:
        at = parsed(training["finished_at"]).timestamp()
        found.append(LastRun("training", at, training["seconds"], training["outcome"] in WENT_WELL))
    return [*found, _backup(data)]


def told_runs(runs: list[LastRun]) -> Samples:
    """Their samples."""
    return {
        "last_run_timestamp_seconds": [labelled(run.at, job=run.job) for run in runs],
        "last_run_seconds": [labelled(run.seconds, job=run.job) for run in runs if run.seconds is not None],
        "last_run_ok": [labelled(run.ok, job=run.job) for run in runs if run.ok is not None],
    }


def _of_writer(board: Board) -> Iterator[LastRun]:
    """What the writer tells of its jobs; nothing before it has done one since the service started."""
    gauges = board.desk("writer").gauges()
    if "compaction_at" in gauges:
        ok = bool(gauges["compaction_ok"])
        yield LastRun("compaction", gauges["compaction_at"], gauges["compaction_seconds"], ok)
    if "retention_at" in gauges:
        ok = bool(gauges["retention_ok"])
        yield LastRun("retention", gauges["retention_at"], gauges["retention_seconds"], ok)


def _backup(data: Path) -> LastRun:
    """What somebody else started, and noted in the data directory."""
    noted = last_run(data)
    if noted is None:
        return LastRun("backup", 0.0)
    return LastRun("backup", parsed(noted.finished_at).timestamp(), noted.seconds, noted.ok)
