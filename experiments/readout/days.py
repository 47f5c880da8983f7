"""Which shop days of a phase have closed, and on which of them a look is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from experiments.cube.shop_days import ShopDays
from experiments.definitions.model import Plan
from kit.time import DAY_US

WAITING: Final = ("planned", "fixed")  # the methods that decide at the close of some days only


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
        return self.days.day(self.days.moment(day + DAY_US) + window_us - 1) if window_us > 0 else day

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
