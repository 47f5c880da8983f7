"""Hours of service: how much time between two moments customers were served in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from experiments.cube.shop_days import ShopDays
from experiments.definitions.shop import Shift
from kit.time import DAY_US, SECOND_US

MINUTE_US = 60 * SECOND_US
MONDAY_US = 4 * DAY_US  # 5 January 1970


@dataclass(frozen=True, slots=True, eq=False)
class ServiceClock:
    """A clock that stands still while there is no service: at each of the `moments` (µs UTC) it shows `shown` (µs)."""

    moments: npt.NDArray[np.float64]
    shown: npt.NDArray[np.float64]

    @classmethod
    def of(cls, shifts: Sequence[Shift], days: ShopDays, first_us: int, last_us: int) -> Self:
        """Of the shifts of every shop day of a span. Where the shop's clock is set, a shift is as long as it really is:
        by UTC, so that an hour that comes twice counts twice.
        """
        moments, shown, passed = [float(first_us - 8 * DAY_US)], [0.0], 0.0
        for day in range(days.day(first_us) - DAY_US, days.day(last_us) + 2 * DAY_US, DAY_US):
            weekday = (day - MONDAY_US) // DAY_US % 7
            for shift in shifts:
                if shift.weekday == weekday:
                    opens = days.moment(day + shift.opens * MINUTE_US)
                    closes = days.moment(day + shift.closes * MINUTE_US)
                    moments += [float(opens), float(closes)]
                    shown += [passed, passed := passed + closes - opens]
        return cls(np.array(moments), np.array(shown))

    def between(self, since: npt.NDArray[np.float64], until: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """How much service there was from each moment to another (µs UTC), in µs."""
        return np.interp(until, self.moments, self.shown) - np.interp(since, self.moments, self.shown)
