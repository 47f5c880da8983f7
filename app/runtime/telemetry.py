"""Counters that are right across workers: each adds to doubles of its own on the board, and any of them sums all."""

import contextlib
import hashlib
import os
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from app.runtime.board import Desk
from events.scrubbing import LABELS

STATUSES: Final = (200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 406, 408, 409, 413, 414, 415, 422, 429, 500, 503)
LATENCY_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 10.0, 60.0)
EVENT_OUTCOMES: Final = (
    "stored", "duplicate", "rejected", "quarantined", "bot", "forged", "refused", "repaired", "dropped",
    "unusable",
)  # fmt: skip
EXPOSURE_OUTCOMES: Final = ("logged", "unlogged", "refused")
TROUBLES: Final = (
    "store_refused", "flush_failures", "message_conflicts", "history_failures", "log_in_failures", "unknown_parameters",
    "untrusted_forwarding",
    "page_events_refused", "cookie_domain", "audit_not_kept",
)  # fmt: skip
# of users whom pages name: proven, or why not
NAMED_USERS: Final = ("proven", "no_token", "expired", "bad_signature", "unknown_key", "not_this_user",
                      "not_this_visitor", "malformed")  # fmt: skip
NAMERS: Final = ("request", "event")
SCRUBBED: Final = LABELS  # what no row may hold and was taken out, by name
STRATEGIES: Final = ("for_you", "buy_again", "bought_together", "popular")
GROWING_SECONDS: Final = 60.0
RATE_SECONDS: Final = 10.0  # between two looks
RATE_LOOKS: Final = 30
OTHER_ROUTE: Final = "other"
OTHER_CODE: Final = "other"

Name = tuple[str, ...]  # of one counter: what is counted, and its labels


class Counters:
    """Named doubles of this worker on the board, beside those of the other workers.

    Whoever follows a worker that died goes on with its numbers, so that sums never go back. The first double is a sum
    over the names: what a worker of another release counted begins anew, and is added to nobody's.
    """

    def __init__(self, desk: Desk, names: Sequence[Name]) -> None:
        self.place = {name: place for place, name in enumerate(names)}
        self.desk = desk
        self._names = float(int.from_bytes(hashlib.sha256(repr(names).encode()).digest()[:6]) or 1)
        own = desk.board.counters(desk.number)
        if len(names) >= len(own):
            raise ValueError(f"{len(names)} counters are more than the {len(own) - 1} of a worker: raise COUNTERS")
        if own[0] != self._names:
            own[0] = 0.0  # not added to anything while it is emptied
            own[1:] = memoryview(bytes(own[1:].nbytes)).cast("d")
            own[0] = self._names
        self.values = own[1 : 1 + len(names)]

    def workers(self) -> Iterator["memoryview[float]"]:
        """The values of each worker that counts by these names."""
        board = self.desk.board
        for number in range(board.workers):
            counted = board.counters(number)
            if counted[0] == self._names:
                yield counted[1 : 1 + len(self.place)]

    def total(self, name: Name) -> float:
        """The sum of one counter over all workers."""
        place = self.place[name]
        return sum(values[place] for values in self.workers())

    def totals(self) -> dict[Name, float]:
        """The sum over all workers by name."""
        sums = [0.0] * len(self.place)
        for values in self.workers():
            sums = [total + value for total, value in zip(sums, values, strict=True)]
        return dict(zip(self.place, sums, strict=True))


class Rate:
    """How fast a count grows, by looks at it that are some seconds apart."""

    def __init__(self, count: Callable[[], float], clock: Callable[[], float] = time.monotonic) -> None:
        self._count = count
        self._clock = clock
        self._looks = deque[tuple[float, float]](maxlen=RATE_LOOKS)

    async def look(self) -> None:
        """Remembers how much it is now."""
        self._looks.append((self._clock(), self._count()))

    @property
    def per_second(self) -> float | None:
        """Over the last minutes; None before it was looked at."""
        if not self._looks:
            return None
        began, before = self._looks[0]
        seconds = self._clock() - began
        return max(0.0, self._count() - before) / seconds if seconds else None


class Telemetry:
    """What this worker counted, and the sum over all workers of the tree."""

    def __init__(self, desk: Desk, routes: Sequence[str], codes: Sequence[str] = ()) -> None:
        """`routes` are those of the service, `codes` what may be told to who is refused."""
        self.routes = (*routes, OTHER_ROUTE)
        self.codes = (*codes, OTHER_CODE)
        names: list[Name] = [
            *(("requests", route, str(status)) for route in self.routes for status in (*STATUSES, "other")),
            *(("seconds", route, str(bound)) for route in self.routes for bound in (*LATENCY_SECONDS, "+Inf", "sum")),
            *(("refused", code) for code in self.codes),
            *(("events", outcome) for outcome in EVENT_OUTCOMES),
            *(("exposures", outcome) for outcome in EXPOSURE_OUTCOMES),
            *(("users", namer, outcome) for namer in NAMERS for outcome in NAMED_USERS),
            *(("scrubbed", label) for label in SCRUBBED),
            *((kind, trouble) for trouble in TROUBLES for kind in ("trouble", "trouble at")),
            *((kind, strategy) for strategy in STRATEGIES for kind in ("lists", "fallbacks", "items")),
        ]
        self.counters = Counters(desk, names)
        place = self.counters.place
        self._values = self.counters.values
        self._exposures = {outcome: place["exposures", outcome] for outcome in EXPOSURE_OUTCOMES}
        self._first = {
            route: (place["requests", route, "200"], place["seconds", route, "0.0005"]) for route in self.routes
        }
        self.arriving = Rate(lambda: self.counters.total(("events", "stored")))
        self._status = {status: offset for offset, status in enumerate(STATUSES)}

    def answered(self, route: str, status: int, seconds: float) -> None:
        """One request of `route` was answered with `status` after `seconds`."""
        requests, latency = self._first.get(route) or self._first[OTHER_ROUTE]
        values = self._values
        values[requests + self._status.get(status, len(STATUSES))] += 1
        values[latency + bisect_left(LATENCY_SECONDS, seconds)] += 1
        values[latency + len(LATENCY_SECONDS) + 1] += seconds

    def refused(self, code: str) -> None:
        """One request was refused, and its sender told so by this code."""
        place = self.counters.place
        self._values[place.get(("refused", code)) or place["refused", OTHER_CODE]] += 1

    def events(self, outcome: str, count: int = 1) -> None:
        """`count` events ended as `outcome`, one of EVENT_OUTCOMES."""
        self._values[self.counters.place["events", outcome]] += count

    def exposures(self, outcome: str, count: int) -> None:
        """`count` evaluations exposed somebody, or who refuses: they ended as `outcome`, one of EXPOSURE_OUTCOMES."""
        self._values[self._exposures[outcome]] += count

    def named_user(self, namer: str, outcome: str) -> None:
        """A page's request or event, one of NAMERS, named a user, who was proven or not: one of NAMED_USERS."""
        self._values[self.counters.place["users", namer, outcome]] += 1

    def scrubbed(self, label: str, count: int = 1) -> None:
        """So many members or texts of this name, one of SCRUBBED, were taken out of what is stored."""
        self._values[self.counters.place["scrubbed", label]] += count

    def went_wrong(self, trouble: str, count: int = 1) -> None:
        """One of TROUBLES came up: the store refused a write, a flush, …"""
        self._values[self.counters.place["trouble", trouble]] += count
        self._values[self.counters.place["trouble at", trouble]] = time.monotonic()

    def recommended(self, strategy: str, fell_back: bool, items: int) -> None:
        """One list was given, by one of STRATEGIES or what served in its place."""
        start = self.counters.place["lists", strategy]
        self._values[start] += 1
        self._values[start + 1] += fell_back
        self._values[start + 2] += items

    def growing(self, now_seconds: float, within_seconds: float = GROWING_SECONDS) -> set[str]:
        """Those of TROUBLES that came up in any worker lately; `now_seconds` are of the monotonic clock."""
        workers, place = [*self.counters.workers()], self.counters.place
        latest = {trouble: max(each[place["trouble at", trouble]] for each in workers) for trouble in TROUBLES}
        return {trouble for trouble, at in latest.items() if at and now_seconds - at < within_seconds}

    def recommendations(self) -> dict[str, dict[str, Any]]:
        """Over all workers since the start: requests, fallbacks, items and the fallback rate of each strategy."""
        totals = self.counters.totals()
        told: dict[str, dict[str, Any]] = {}
        for strategy in STRATEGIES:
            requests, fallbacks, items = (int(totals[kind, strategy]) for kind in ("lists", "fallbacks", "items"))
            rate = fallbacks / requests if requests else None
            told[strategy] = {"requests": requests, "fallbacks": fallbacks, "items": items, "fallback_rate": rate}
        return told

    def resident(self) -> Iterator[tuple[int, int]]:
        """Each worker that lives, by its process, with the bytes of memory that it holds."""
        for pid in filter(None, (desk.pid for desk in self.counters.desk.board.desks("worker"))):
            with contextlib.suppress(OSError, IndexError):  # one that has ended, or a system without /proc
                pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
                if pages:  # else it ends at this moment
                    yield pid, pages * os.sysconf("SC_PAGE_SIZE")

    def outcomes(self) -> dict[str, int]:
        """Events by what became of them, over all workers since the start."""
        return {outcome: int(self.counters.total(("events", outcome))) for outcome in EVENT_OUTCOMES}
