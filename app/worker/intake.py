"""What a worker tells of events that it did not take as they were sent, and of evaluations that expose nothing."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Final

import msgspec

from app.runtime.telemetry import Telemetry
from events.consent import USER_ALONE
from events.dialects.validation import NOTHING_READS_IT, Reading, Remark
from events.libraries import NO_LIBRARY, library_label
from events.scrubbing import Scrubber
from events.tallies.evaluations import Evaluations, Tallies
from events.tallies.refused_events import (
    LAST,
    LONGEST,
    Cause,
    DaySum,
    Note,
    Outcome,
    RefusedEvents,
    digests_of,
    keep_refused,
    kept_field,
    kept_sentence,
    read_refused,
    without_erased,
)
from kit.time import iso, moment_of, now_seconds, now_us

logger = logging.getLogger("resonate.events")

REJECTED: Final[Outcome] = "rejected"
REPAIRED: Final[Outcome] = "repaired"
DROPPED: Final[Outcome] = "dropped"
UNUSABLE: Final[Outcome] = "unusable"
ROUTE: Final = "GET /v1/events/rejected"
REQUEST: Final = "request"
SEGMENT: Final = "segment"
DIALECTS: Final = {"/track": "growthbook", "/mp/collect": "ga4"}  # of routes; the rest is Segment's
VISITORS: Final = {"growthbook": "device_id", "ga4": "client_id"}  # where they name the visitor
GIVEN_UP: Final = frozenset({400, 401, 403, 404, 413, 415, 422})  # clients send such a request once and no more


class Answered(msgspec.Struct, frozen=True):
    """What a problem says."""

    code: str = "unreadable_body"
    detail: str = ""


class IntakeTold:
    """What one worker noted since it last told the others, which it does twice a second: a file has it of all of them.

    A disk that takes nothing makes it wait, as large as that of one code and cause.
    """

    def __init__(self, data: Path, zone: Callable[[], tzinfo], telemetry: Telemetry, scrubber: Scrubber) -> None:
        """`zone` is the shop's."""
        self._scrubber = scrubber
        self.evaluations = Evaluations(data)
        self._data = data
        self._tallies = Tallies(data)
        self._zone = zone
        self._telemetry = telemetry
        self._noted: RefusedEvents | None = None
        self._telling = asyncio.Lock()

    def noted(self, reading: Reading) -> None:
        """What of a request was not stored as it was sent, once the rest of it is."""
        if reading.refusals:
            self._remarked(REJECTED, reading.dialect, reading.refusals)
        if reading.repairs:
            self._remarked(REPAIRED, reading.dialect, reading.repairs)
        if reading.useless:
            self._remarked(UNUSABLE, reading.dialect, reading.useless)
        if reading.dropped:
            counts = {(NOTHING_READS_IT, "event"): reading.dropped - reading.alone,
                      (USER_ALONE, VISITORS.get(reading.dialect, "anonymousId")): reading.alone}  # fmt: skip
            for (code, field), count in counts.items():
                if count:
                    self._add(DROPPED, Cause(code, field, NO_LIBRARY, reading.dialect), count, now_us())

    def whole(self, route: str, status: int, body: bytes) -> None:
        """A request with events was refused as a whole, whose client will not send it again: it counts as one event."""
        if status not in GIVEN_UP:
            return
        problem = msgspec.json.decode(body, type=Answered)
        self.refused_whole(DIALECTS.get(route, SEGMENT), problem.code, problem.detail)

    def refused_whole(self, dialect: str, code: str, message: str) -> None:
        """Nobody knows how many events a request had."""
        now = now_us()
        self._telemetry.events(REJECTED, 1)
        self._add(REJECTED, Cause(code, REQUEST, NO_LIBRARY, dialect), 1, now)
        note = Note(now, REQUEST, NO_LIBRARY, dialect, kept_sentence(message))
        self._noting(now).outcomes[REJECTED].note(code, [note])

    async def tell(self) -> None:
        """Puts what was noted among what all workers told; while the disk takes nothing, it waits."""
        async with self._telling:
            noted, self._noted = self._noted, None
            if noted is None:
                return
            try:
                known, new = await asyncio.to_thread(keep_refused, self._data, noted)
            except (OSError, ValueError):  # ValueError: nobody can say who was erased
                if self._noted is not None:
                    noted.take_over(self._noted)
                self._noted = noted
                return
        for day, each in new:
            if each.outcome == REJECTED:
                _warn(known, day, each)

    async def tell_evaluations(self) -> None:
        """Puts what was evaluated among what all workers told."""
        told = self.evaluations.due()
        if told:
            try:
                await asyncio.to_thread(self.evaluations.keep, told, now_seconds())
            except OSError:
                self.evaluations.give_back(told)

    async def all(self) -> RefusedEvents:
        """What all workers told, this one's included; raises OSError, ValueError where it cannot be read."""
        await self.tell()
        if self._noted is None:
            return await asyncio.to_thread(self._tallies.refused, now_us())
        known = read_refused(self._data, now_us())  # the disk takes nothing
        known.take_over(without_erased(self._noted, self._data))
        return known

    async def close(self) -> None:
        """Tells what is left."""
        with contextlib.suppress(OSError):
            await self.tell()
        await self.tell_evaluations()

    def _remarked(self, outcome: Outcome, dialect: str, remarks: Sequence[Remark]) -> None:
        now = now_us()
        counts = Counter([(each.code, each.field, each.library) for each in remarks])
        for (code, field, library), count in counts.items():
            self._add(outcome, Cause(code, kept_field(field), library_label(library), dialect), count, now)
        tally = self._noting(now).outcomes[outcome]
        for each in remarks[-LAST:]:
            note = Note(
                at=now,
                field=kept_field(each.field),
                library=library_label(each.library),
                dialect=dialect,
                message=kept_sentence(each.message),
                message_id=(each.message_id or "")[:LONGEST] or None,
                type=self._scrubber.text(each.type)[:LONGEST] or None,
                event=self._scrubber.text(each.event)[:LONGEST] or None,
                people=digests_of(each.ids),
            )
            tally.note(each.code, [note])

    def _add(self, outcome: Outcome, cause: Cause, count: int, now: int) -> None:
        day = moment_of(now).astimezone(self._zone()).date()
        self._noting(now).add(outcome, cause, count, now, day.isoformat())

    def _noting(self, now: int) -> RefusedEvents:
        if self._noted is None:
            self._noted = RefusedEvents(now)
        return self._noted


def _warn(known: RefusedEvents, day: str, each: DaySum) -> None:
    """The one line a day of a cause."""
    since, total = iso(moment_of(known.since), "seconds"), known.count(REJECTED, each.code, each.field, each.library)
    who = "a client that names no library" if each.library == NO_LIBRARY else f"library {each.library}"
    logger.warning(
        "events are refused: %s in %s, from %s; %d since %s; %s shows the last ones",
        each.code, each.field, who, total, since, ROUTE,
        extra={"code": each.code, "field": each.field, "library": each.library, "count": total, "day": day},
    )  # fmt: skip
