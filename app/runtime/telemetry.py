"""Counters that are right across workers: each worker adds to a mapped file of doubles, any worker sums all files."""

import hashlib
import mmap
import os
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

STATUSES: Final = (200, 202, 204, 304, 400, 401, 403, 404, 405, 406, 408, 409, 413, 414, 415, 422, 429, 500, 503)
LATENCY_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 10.0, 60.0)
EVENT_OUTCOMES: Final = ("stored", "duplicate", "rejected", "quarantined", "bot", "forged")
EXPOSURE_OUTCOMES: Final = ("logged", "unlogged")
TROUBLES: Final = ("store_refused", "flush_failures", "message_conflicts", "history_failures")
GROWING_SECONDS: Final = 60.0
DOUBLE_BYTES: Final = 8
OTHER_ROUTE: Final = "other"


class Telemetry:
    """What this worker counted, and the sum over all workers of the tree.

    The layout of the file is a function of `routes` alone, so all workers of one release agree on it. A worker that
    dies leaves its file, so that sums never go back; the supervisor clears the folder before it starts any worker.
    """

    def __init__(self, folder: Path, routes: Sequence[str]) -> None:
        self.routes = (*routes, OTHER_ROUTE)
        self.folder = folder
        self._latency_start = len(self.routes) * (len(STATUSES) + 1)
        self._latency_width = len(LATENCY_SECONDS) + 2  # one bucket past the last bound, and the sum of seconds
        self._events_start = self._latency_start + len(self.routes) * self._latency_width
        self._exposures_start = self._events_start + len(EVENT_OUTCOMES)
        self._troubles_start = self._exposures_start + len(EXPOSURE_OUTCOMES)
        self.size = self._troubles_start + 2 * len(TROUBLES)  # each with the time of its last growth
        names = (self.routes, STATUSES, LATENCY_SECONDS, EVENT_OUTCOMES, TROUBLES)
        layout = hashlib.sha256(repr(names).encode()).hexdigest()[:8]
        self.pattern = f"*.{layout}.counters"
        folder.mkdir(parents=True, exist_ok=True)
        self._map = _mapped(folder / f"{os.getpid()}.{layout}.counters", self.size * DOUBLE_BYTES)
        self._values = memoryview(self._map).cast("d")
        self._route_index = {route: index for index, route in enumerate(self.routes)}
        self._status_index = {status: index for index, status in enumerate(STATUSES)}
        self._event_index = {outcome: self._events_start + index for index, outcome in enumerate(EVENT_OUTCOMES)}

    def answered(self, route: str, status: int, seconds: float) -> None:
        """One request of `route` was answered with `status` after `seconds`."""
        index = self._route_index.get(route, len(self.routes) - 1)
        values = self._values
        values[index * (len(STATUSES) + 1) + self._status_index.get(status, len(STATUSES))] += 1
        start = self._latency_start + index * self._latency_width
        values[start + bisect_left(LATENCY_SECONDS, seconds)] += 1
        values[start + self._latency_width - 1] += seconds

    def events(self, outcome: str, count: int = 1) -> None:
        """`count` events ended as `outcome`, one of EVENT_OUTCOMES."""
        self._values[self._event_index[outcome]] += count

    def exposures(self, logged: bool, count: int) -> None:
        """`count` evaluations exposed a visitor; `logged` tells whether the store took them."""
        self._values[self._exposures_start + (not logged)] += count

    def went_wrong(self, trouble: str, count: int = 1) -> None:
        """One of TROUBLES came up: the store refused a write, a flush, …"""
        index = self._troubles_start + 2 * TROUBLES.index(trouble)
        self._values[index] += count
        self._values[index + 1] = time.time()

    def growing(self, now_seconds: float) -> set[str]:
        """Those of TROUBLES that came up in any worker within the last minute."""
        files = [values for _, values in self._files()]
        return {
            trouble
            for index, trouble in enumerate(TROUBLES)
            if any(now_seconds - values[self._troubles_start + 2 * index + 1] < GROWING_SECONDS for values in files)
        }

    def exposition(self, gauges: Mapping[str, float]) -> str:
        """All workers' counters and this worker's `gauges` in Prometheus' text format 0.0.4."""
        totals, workers = self._totals()
        lines = [*self._request_lines(totals), *self._latency_lines(totals), *self._event_lines(totals)]
        lines.append("# TYPE resonate_worker_resident_bytes gauge")
        lines += [f'resonate_worker_resident_bytes{{pid="{pid}"}} {size}' for pid, size in workers.items()]
        for name, value in gauges.items():
            lines += [f"# TYPE {name} gauge", f"{name} {value:g}"]
        return "\n".join(lines) + "\n"

    def close(self) -> None:
        """Unmaps the file and leaves it, so that what was counted stays counted."""
        self._values.release()
        self._map.close()

    def _totals(self) -> tuple[list[float], dict[str, int]]:
        totals = [0.0] * self.size
        workers: dict[str, int] = {}
        for pid, values in self._files():
            totals = [total + value for total, value in zip(totals, values, strict=True)]
            resident = _resident_bytes(pid)
            if resident:
                workers[pid] = resident
        return totals, workers

    def _files(self) -> Iterator[tuple[str, "memoryview[float]"]]:
        """The process and the counts of each worker of this run."""
        for path in sorted(self.folder.glob(self.pattern)):
            data = path.read_bytes()
            if len(data) == self.size * DOUBLE_BYTES:
                yield path.name.partition(".")[0], memoryview(data).cast("d")

    def _request_lines(self, totals: list[float]) -> list[str]:
        lines = ["# TYPE resonate_http_requests_total counter"]
        for index, route in enumerate(self.routes):
            for offset, status in enumerate((*STATUSES, "other")):
                count = totals[index * (len(STATUSES) + 1) + offset]
                if count:
                    lines.append(f'resonate_http_requests_total{{route="{route}",status="{status}"}} {count:.0f}')
        return lines

    def _latency_lines(self, totals: list[float]) -> list[str]:
        lines = ["# TYPE resonate_http_request_seconds histogram"]
        for index, route in enumerate(self.routes):
            start = self._latency_start + index * self._latency_width
            counts = totals[start : start + self._latency_width - 1]
            if any(counts):
                lines += _histogram(route, counts, totals[start + self._latency_width - 1])
        return lines

    def _event_lines(self, totals: list[float]) -> list[str]:
        lines = ["# TYPE resonate_events_total counter"]
        for offset, outcome in enumerate(EVENT_OUTCOMES):
            lines.append(f'resonate_events_total{{outcome="{outcome}"}} {totals[self._events_start + offset]:.0f}')
        lines.append("# TYPE resonate_exposures_total counter")
        for offset, outcome in enumerate(EXPOSURE_OUTCOMES):
            count = totals[self._exposures_start + offset]
            lines.append(f'resonate_exposures_total{{outcome="{outcome}"}} {count:.0f}')
        for offset, trouble in enumerate(TROUBLES):
            name, count = f"resonate_{trouble}_total", totals[self._troubles_start + 2 * offset]
            lines += [f"# TYPE {name} counter", f"{name} {count:.0f}"]
        return lines


def _histogram(route: str, counts: Sequence[float], seconds: float) -> list[str]:
    name, lines, running = "resonate_http_request_seconds", [], 0.0
    for bound, count in zip((*LATENCY_SECONDS, "+Inf"), counts, strict=True):
        running += count
        lines.append(f'{name}_bucket{{route="{route}",le="{bound}"}} {running:.0f}')
    lines += [f'{name}_sum{{route="{route}"}} {seconds:.6f}', f'{name}_count{{route="{route}"}} {running:.0f}']
    return lines


def _mapped(path: Path, size: int) -> mmap.mmap:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.ftruncate(descriptor, size)
        return mmap.mmap(descriptor, size)
    finally:
        os.close(descriptor)


def _resident_bytes(pid: str) -> int:
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


STRATEGIES: Final = ("for_you", "buy_again", "bought_together", "popular")
COUNTED: Final = ("requests", "fallbacks", "items")
PATTERN: Final = "*.recommendations"
_WORDS: Final = len(STRATEGIES) * len(COUNTED)
_WORD_BYTES: Final = 8


class RecommendationCounts:
    """This worker's counts, in a mapped file beside the others'; the supervisor clears the folder at a start."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        descriptor = os.open(folder / f"{os.getpid()}.recommendations", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(descriptor, _WORDS * _WORD_BYTES)
            self._map = mmap.mmap(descriptor, _WORDS * _WORD_BYTES)
        finally:
            os.close(descriptor)
        self._values = memoryview(self._map).cast("d")

    def served(self, strategy: str, fell_back: bool, items: int) -> None:
        """One list was given."""
        start = STRATEGIES.index(strategy) * len(COUNTED)
        self._values[start] += 1
        self._values[start + 1] += fell_back
        self._values[start + 2] += items

    def totals(self) -> dict[str, dict[str, Any]]:
        """Over all workers since the start: requests, fallbacks, items and the fallback rate of each strategy."""
        sums = [0.0] * _WORDS
        for path in self._folder.glob(PATTERN):
            data = path.read_bytes()
            if len(data) == _WORDS * _WORD_BYTES:
                sums = [total + value for total, value in zip(sums, memoryview(data).cast("d"), strict=True)]
        return {strategy: _figures(sums[place * 3 : place * 3 + 3]) for place, strategy in enumerate(STRATEGIES)}

    def close(self) -> None:
        """Unmaps the file and leaves it, so that what was counted stays counted."""
        self._values.release()
        self._map.close()


def _figures(counts: list[float]) -> dict[str, Any]:
    requests, fallbacks, items = (int(count) for count in counts)
    rate = fallbacks / requests if requests else None
    return {"requests": requests, "fallbacks": fallbacks, "items": items, "fallback_rate": rate}
