"""What a page shows of what is held about a person: what they saw of experiments, what they are given now and why, and
their events page by page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from app.analysis.queries import PersonKind
from app.dashboard.paging import Paged, one_page
from events.records import EXPOSURE
from experiments.assignment.assign import USER_ATTRIBUTE, Assignment, assign
from experiments.catalog.visible import Visible
from experiments.wording.figures import moment_text
from kit.time import moment_of

ROWS: Final = 20  # events on a page
NO_TIME: Final = "an impossible time"
LEFT_OUT: Final = ("bot", "forged", "forced", "quarantined")
"""Marks of a row that no result counts."""
TOLD: Final = frozenset(
    {"shard", "stream_id", "position", "message_id", "type", "event", "time", "received_at", "authority", "experiment",
     "variant", "phase", "visitor_id", "user_id", "network", "issued", "consent", *LEFT_OUT}
)  # fmt: skip
"""Columns that a page says in words of their own, or that say where a row lies."""
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SeenVariant:
    """A variant that somebody saw: of which phase, from when to when, as whom, and what keeps it out of results."""

    experiment: str
    phase: int
    variant: str
    unit: str
    first: str
    last: str
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HeldEvent:
    """One row as a page says it; `held` is all else that it holds, as JSON."""

    at: str
    name: str
    visitor: str
    user: str
    authority: str
    consent: str
    held: str
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GivenNow:
    """What running experiments give somebody, as whom they are asked, and by which attributes."""

    visitor: str
    user: str
    attributes: Mapping[str, Any]
    assignments: Sequence[Assignment]


def newest_events(rows: Sequence[Row], number: int) -> Paged:
    """A page of a person's events, the newest first."""
    paged = one_page(rows[::-1], number, ROWS)
    return Paged([_event(row) for row in paged.items], paged.page, paged.pages, paged.whole)


def variants_seen(rows: Sequence[Row]) -> list[SeenVariant]:
    """Which variants somebody saw, those of the same phase of an experiment beside each other."""
    seen: dict[tuple[str, int, str, str], list[Row]] = {}
    for row in rows:
        if row["type"] == EXPOSURE and "experiment" in row:
            key = (row["experiment"], row.get("phase", 0), row.get("variant", ""), row["visitor_id"])
            seen.setdefault(key, []).append(row)
    found: list[SeenVariant] = []
    for (experiment, phase, variant, unit), shown in sorted(seen.items()):
        times = [row["time"] for row in shown]
        marks = tuple(mark for mark in LEFT_OUT if all(row.get(mark) for row in shown))
        found.append(SeenVariant(experiment, phase, variant, unit, said_at(min(times)), said_at(max(times)), marks))
    return found


def given_now(visible: Visible, held: Mapping[str, Any], kind: PersonKind, asked: str, now: float) -> GivenNow:
    """What pages that know what the newest exposure knew would be given for this person; nobody is exposed by it.

    Of a user that is the visitor who came last, and of a visitor the one user who was seen with it.
    """
    rows: Sequence[Row] = held["events"]
    newest = next((row["visitor_id"] for row in reversed(rows) if row["visitor_id"]), "")
    visitor = asked if kind == "visitor" else newest
    users: list[str] = held["users"]
    user = asked if kind == "user" else users[0] if len(users) == 1 else ""
    known = (row for row in reversed(rows) if row["type"] == EXPOSURE and row["visitor_id"] == visitor)
    attributes: dict[str, Any] = dict(next(known, {}).get("properties", {}))
    asking = attributes | ({USER_ATTRIBUTE: user} if user else {})
    assignments = [assign(each, visitor, asking, now) for each in visible.shown]
    return GivenNow(visitor, user, attributes, assignments)


def said_at(time_us: int) -> str:
    """A moment of a row."""
    try:
        return moment_text(moment_of(time_us))
    except OverflowError:  # what the log holds as quarantined may lie anywhere
        return NO_TIME


def _event(row: Row) -> HeldEvent:
    name = row.get("event") or row["type"]
    if "experiment" in row:
        name = f"{name}: {row['experiment']}, {row.get('variant', '')}"
    others = {column: value for column, value in row.items() if column not in TOLD}
    return HeldEvent(
        at=said_at(row["time"]),
        name=name,
        visitor=row["visitor_id"],
        user=row.get("user_id", ""),
        authority=row["authority"],
        consent=row["consent"],
        held=msgspec.json.encode(others).decode() if others else "",
        left_out=tuple(mark for mark in LEFT_OUT if row.get(mark)),
    )
