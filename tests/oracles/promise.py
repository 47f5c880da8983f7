"""The promise of the log held against a journal: acknowledged is exported exactly once, and nothing else is."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oracles.writing import written_ids
from servers.patience import HUNG_SECONDS, until
from servers.service import SECRET_KEY, Service

CLIENT = Path(__file__).parents[1] / "servers" / "restless_client.py"
PAGE_ROWS = 10_000


@dataclass
class Journal:
    """What was sent and what was answered, of restless clients and of a test's own requests."""

    sent: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    exposed: set[str] = field(default_factory=set)
    tries: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    unanswered: int = 0
    slowest_seconds: float = 0.0

    def read(self, path: Path) -> "Journal":
        """Add the lines of a client; a line that was cut short says nothing."""
        for line in path.read_text().splitlines(keepends=True) if path.exists() else ():
            if line.endswith("\n"):
                self._add(*line.split())
        return self

    def _add(self, word: str, *rest: str) -> None:
        if word == "sent":
            self.sent.update(rest)
        elif word == "ok":
            self.acknowledged.update(rest)
        elif word == "exposed":
            self.exposed.update(rest)
        elif word == "tried":
            self.tries[rest[0]] += 1
        elif word == "answer":
            self.statuses[int(rest[0])] += 1
            self.slowest_seconds = max(self.slowest_seconds, float(rest[1]))
        elif word == "lost":
            self.unanswered += 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the export holds against what was promised."""

    acknowledged: int
    rows: int
    lost: set[str]
    doubled: set[str]
    invented: set[str]
    doubled_on_disk: int
    statuses: Counter[int]
    unanswered: int
    slowest_seconds: float

    def __str__(self) -> str:
        failures = f"lost {len(self.lost)}, doubled {len(self.doubled)}, invented {len(self.invented)}"
        answers = ", ".join(f"{count} × {status}" for status, count in sorted(self.statuses.items()))
        return (
            f"{self.acknowledged} acknowledged, {self.rows} exported: {failures}; answers {answers}, "
            f"{self.unanswered} without one, slowest {self.slowest_seconds:.2f} s"
        )

    def hold(self) -> None:
        """Fail unless the promise was kept."""
        assert (self.lost, self.doubled, self.invented, self.doubled_on_disk) == (set(), set(), set(), 0), str(self)
        assert set(self.statuses) <= {200, 503}, str(self)


def verdict(service: Service, journal: Journal, timeout_seconds: float = HUNG_SECONDS) -> Verdict:
    """Waits until nothing is pending and compares."""
    rows = exported(service, timeout_seconds)
    counts = Counter(row["message_id"] for row in rows)
    promised = journal.acknowledged | journal.exposed
    on_disk = Counter(written_ids(service.data))
    return Verdict(
        acknowledged=len(promised),
        rows=len(rows),
        lost=promised - counts.keys(),
        doubled={message_id for message_id, count in counts.items() if count > 1},
        invented=set(_invented(rows, journal)),
        doubled_on_disk=sum(count > 1 for count in on_disk.values()),
        statuses=journal.statuses,
        unanswered=journal.unanswered,
        slowest_seconds=journal.slowest_seconds,
    )


def _invented(rows: list[dict[str, Any]], journal: Journal) -> Iterator[str]:
    """Rows that nobody sent. The id of an exposure whose answer was lost is unknown: its visitor must have tried."""
    left = journal.tries.copy()
    for row in rows:
        if row["message_id"] in journal.sent:
            continue
        if row["type"] == "exposure" and left[row["visitor_id"]] > 0:
            left[row["visitor_id"]] -= 1
        else:
            yield row["message_id"]


def exported(service: Service, timeout_seconds: float = HUNG_SECONDS) -> list[dict[str, Any]]:
    """Every row of the log, once the export said that its end was reached and nothing is pending."""
    rows: list[dict[str, Any]] = []
    cursor = ""
    with service.client() as client:

        def is_at_its_end() -> bool:
            nonlocal cursor
            query = {"limit": PAGE_ROWS} | ({"cursor": cursor} if cursor else {})
            answer = client.get("/v1/export/events", params=query)
            if answer.status_code == 503:  # the analysis process or the store is on its way back
                return False
            assert answer.status_code == 200, answer.text
            rows.extend(json.loads(line) for line in answer.text.splitlines())
            cursor = answer.headers["x-resonate-next-cursor"]
            return not answer.content and answer.headers["x-resonate-pending"] == "0"

        until(is_at_its_end, "the export comes to its end with nothing pending", timeout_seconds, service.told)
    return rows


@contextmanager
def restless(service: Service, name: str, clients: int = 4, events: int = 20, rate: int = 0) -> Iterator[Path]:
    """Clients in a process of their own while the block runs, at a rate (0: all they can); their journal."""
    path = service.data.with_name(f"{name}.journal")
    words = [service.url, SECRET_KEY, str(path), name, str(clients), str(events), str(rate)]
    process = subprocess.Popen([sys.executable, str(CLIENT), *words])
    try:
        goes_on(path, events)
        yield path
        assert process.poll() is None, "the client ended by itself"
    finally:
        process.kill()
        process.wait()


def goes_on(path: Path, events: int) -> None:
    """Until so many more events of the clients were acknowledged."""
    before = len(Journal().read(path).acknowledged)
    until(
        lambda: len(Journal().read(path).acknowledged) >= before + events,
        f"{events} more events of {path.stem} are acknowledged",
    )
