"""What `/metrics` answers: everything of the table that is known now, put together in slices."""

import math
import os
import resource
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.metrics.counted import counter_samples
from app.metrics.exposition import Samples, labelled, lines
from app.metrics.jobs import last_runs, told_runs
from app.metrics.pipeline import Disk, known
from app.runtime.board import Board, GaugeName, RoleName
from app.runtime.telemetry import Telemetry
from kit.tasks import in_slices

ROLES: Final[tuple[RoleName, ...]] = ("worker", "writer", "analysis", "trainer", "store")
OF_PIPELINE: Final[Mapping[str, GaugeName]] = {
    "pending_events": "pending_events",
    "lag_seconds": "lag_seconds",
    "store_used_bytes": "store_used_bytes",
    "store_limit_bytes": "store_limit_bytes",
    "store_aof_bytes": "store_aof_bytes",
    "store_days_to_full": "store_days_to_full",
}
OF_WRITER: Final[Mapping[str, GaugeName]] = {
    "last_part_timestamp_seconds": "last_part_at",
    "log_bytes": "log_bytes",
    "log_parts": "log_parts",
}


@dataclass(frozen=True, slots=True)
class Scraped:
    """What the worker that answers knows of itself and of the service: numbers by family, the causes of `/readyz` by
    their codes, events that were rejected by code and library, and the report of the last training.
    """

    gauges: Mapping[str, float]
    causes: Iterable[str]
    rejected: Mapping[tuple[str, str], int]
    training: Mapping[str, Any] | None
    version: str
    format: int


async def exposition(telemetry: Telemetry, data: Path, disk: Disk | None, scraped: Scraped) -> str:
    """The text. What takes long is made in slices, between which the worker answers others."""
    board = telemetry.counters.desk.board
    samples: Samples = {
        **counter_samples(telemetry, scraped.rejected),
        **of_board(board),
        **machine(telemetry),
        "disk_free_bytes": [labelled(disk.free)] if disk else [],
        "disk_size_bytes": [labelled(disk.size)] if disk else [],
        **told_runs(last_runs(board, data, scraped.training)),
        **{name: [labelled(value)] for name, value in scraped.gauges.items()},
        "degraded": [labelled(1, cause=code) for code in sorted(set(scraped.causes))],
        "build_info": [labelled(1, version=scraped.version, format=str(scraped.format))],
    }
    return "".join(await in_slices(lines(samples)))


def of_board(board: Board) -> Samples:
    """What the processes told of themselves and each other."""
    pipeline, writer = known(board), board.desk("writer").gauges()
    restarts = {role: sum(desk.restarts for desk in board.desks(role)) for role in ROLES}
    silences = {
        role: [desk.silent_seconds for desk in board.desks(role) if desk.pid and desk.beat_at] for role in ROLES
    }
    return {
        **{
            name: [labelled(pipeline[gauge])]
            for name, gauge in OF_PIPELINE.items()
            if not math.isnan(pipeline.get(gauge, math.nan))
        },
        **{name: [labelled(writer[gauge])] for name, gauge in OF_WRITER.items() if gauge in writer},
        "restarts_total": [labelled(count, role=role) for role, count in restarts.items()],
        "heartbeat_age_seconds": [
            labelled(round(max(seconds), 3), role=role) for role, seconds in silences.items() if seconds
        ],
    }


def machine(telemetry: Telemetry) -> Samples:
    """What can be read of it, but for its disks."""
    board = telemetry.counters.desk.board
    pids = [desk.pid for desk in board.desks("worker") if desk.pid]
    opened = max((count for pid in pids if (count := open_descriptors(pid)) is not None), default=None)
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    connections = [desk.gauges().get("open_connections", 0.0) for desk in board.desks("worker") if desk.pid]
    return {
        "open_connections": [labelled(sum(connections))],
        "open_descriptors": [] if opened is None else [labelled(opened)],
        "descriptor_limit": [] if limit == resource.RLIM_INFINITY else [labelled(limit)],
        "worker_resident_bytes": [labelled(held, pid=str(pid)) for pid, held in telemetry.resident()],
    }


def open_descriptors(pid: int) -> int | None:
    """How many files a process has open; None where the system does not say, or the process has ended."""
    folder = f"/proc/{pid}/fd"
    try:
        return os.stat(folder).st_size or len(os.listdir(folder))  # Linux 6.2 knows without a list
    except OSError:
        return None
