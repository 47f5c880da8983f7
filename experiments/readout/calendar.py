"""When a phase enrols, which of its shop days have closed, and on which of them a look is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from experiments.catalog.phases import Pause
from experiments.cube.shop_days import ShopDays
from experiments.definitions.model import Plan, Status
from kit.time import DAY_US

State = Literal["draft", "not_started", "enrolling", "paused", "ended", "closed"]
"""`ended`: nobody is enrolled any more, and windows are still open; `closed`: the last one has closed too."""
ENROLS_NO_MORE: Final[tuple[State, ...]] = ("ended", "closed")


@dataclass(frozen=True, slots=True)
class Calendar:
    """The dates of a phase. `stop` is the earlier of its end and its stop, and may lie ahead; `start` too.

    `status` is what the definition says; a stopped one without a `stop` ended at a moment that nobody knows.
    `window_seconds` is the longest window of its metrics.
    """

    status: Status
    start: datetime | None
    stop: datetime | None
    pauses: tuple[Pause, ...]
    window_seconds: int

    def state_at(self, moment: datetime) -> State:
        """What the phase is at a moment: the one place where its dates are compared with one."""
        if self.status == "draft":
            return "draft"
        if self.stop is not None and self.stop <= moment:
            return "closed" if self.stop + timedelta(seconds=self.window_seconds) <= moment else "ended"
        if self.status in ("stopped", "archived"):
            return "ended"
        if self.start is not None and self.start > moment:
            return "not_started"
        paused = any(pause.since <= moment and (pause.until is None or pause.until > moment) for pause in self.pauses)
        return "paused" if paused or self.status == "paused" else "enrolling"

    def stopped_by(self, moment: datetime) -> datetime | None:
        """The moment it ceased to enrol; None while it may still enrol then."""
        return self.stop if self.stop is not None and self.stop <= moment else None


@dataclass(frozen=True, slots=True)
class LookDay:
    """One look of a plan: it holds the units exposed until the close of a day, and is read when the last of their
    windows has closed."""

    number: int
    exposed_until: int
    read_on: int


@dataclass(frozen=True, slots=True)
class ClosedDays:
    """Which days count: looks are closed shop days, never calls.

    `first` is the day of the first exposure (None without one), `today` the one that is open, `last` the day of the
    stop once that has come. Days are integers of `experiments.cube.shop_days`.
    """

    days: ShopDays
    first: int | None
    today: int
    last: int | None = None

    @property
    def count(self) -> int:
        """How many days have closed since the first exposure."""
        return 0 if self.first is None else max(0, (self.today - self.first) // DAY_US)

    @property
    def newest(self) -> int | None:
        """The newest closed day since the first exposure."""
        return self.today - DAY_US if self.count else None

    def closed(self, day: int) -> bool:
        return day < self.today

    def until(self, day: int) -> int:
        """How many days have still to close until this one has."""
        return max(0, (day - self.today) // DAY_US + 1)

    def matures(self, day: int, window_us: int) -> int:
        """The day at whose close the windows of all units exposed on a day have closed."""
        return self.days.day(self.days.close(day) + window_us - 1) if window_us > 0 else day

    def looks(self, plan: Plan, window_us: int) -> list[LookDay]:
        """The looks of a planned or fixed test, those to come too; a fixed one has one, at its end.

        A stop makes the look that would have come after it the last: it holds everybody who was enrolled.
        """
        if self.first is None:
            return []
        looks = plan.looks if plan.method == "planned" else 1
        found: list[LookDay] = []
        for number in range(1, looks + 1):
            until = self.first + (-(-plan.days * number // looks) - 1) * DAY_US  # whole days, rounded up
            final = number == looks or (self.last is not None and self.last <= until)
            if self.last is not None:
                until = min(until, self.last)
            found.append(LookDay(looks if final else number, until, self.matures(until, window_us)))
            if final:
                break
        return found

    def read(self, looks: Sequence[LookDay]) -> list[LookDay]:
        """Those of the looks that have been read."""
        return [look for look in looks if self.closed(look.read_on)]
