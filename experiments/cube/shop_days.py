"""Shop days: which calendar day of the shop a moment belongs to, in Python and in SQL alike."""

from bisect import bisect
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from events.engines.sql import Expression
from kit.time import DAY_US, microseconds

EPOCH: Final = date(1970, 1, 1)
_MARGIN: Final = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class ShopDays:
    """A day is the integer of its local midnight, in µs as if the shop's clock were UTC; days are DAY_US apart.

    `offsets` are (from this moment in µs UTC, the shop's clock is this many µs ahead), ascending; they hold the changes
    of daylight saving time in the span that is analysed.
    """

    offsets: tuple[tuple[int, int], ...]

    def day(self, time_us: int) -> int:
        """The day of a moment."""
        offset = self.offsets[0][1]
        for since, shifted in self.offsets:
            if time_us >= since:
                offset = shifted
        local = time_us + offset
        return local - local % DAY_US

    def moment(self, local: int) -> int:
        """When the shop's clock shows a time, in µs UTC; the later of two. A day begins at `moment(day)`."""
        for since, shifted in reversed(self.offsets):
            if local - shifted >= since:
                return local - shifted
        return local - self.offsets[0][1]

    def sql(self, column: str) -> Expression:
        """The same in SQL."""
        offset = str(self.offsets[-1][1])
        if len(self.offsets) > 1:
            cases = [f"WHEN {column} < {since} THEN {before}" for (_, before), (since, _) in pairwise(self.offsets)]
            offset = f"CASE {' '.join(cases)} ELSE {offset} END"
        local = f"({column} + {offset})"
        return Expression.of(f"{local} - {local} % {DAY_US}")


def shop_days(timezone: str, first_us: int, last_us: int) -> ShopDays:
    """The days of a shop over a span of moments (µs UTC)."""
    first = datetime.fromtimestamp(first_us / 1e6, UTC) - _MARGIN
    last = datetime.fromtimestamp(last_us / 1e6, UTC) + _MARGIN
    return _days(timezone, first.date(), last.date())


def calendar_date(day: int) -> date:
    """The calendar date of a day."""
    return EPOCH + timedelta(days=day // DAY_US)


@lru_cache(maxsize=256)
def _days(timezone: str, first: date, last: date) -> ShopDays:
    zone = ZoneInfo(timezone)
    moments = [
        datetime(first.year, first.month, first.day, tzinfo=UTC) + timedelta(days=n)
        for n in range((last - first).days + 1)
    ]
    offsets = [(microseconds(moments[0]), _offset(moments[0], zone))]
    for before, after in pairwise(moments):
        old = _offset(before, zone)
        if old != _offset(after, zone):  # at which second, by halving
            seconds = range(int(after.timestamp() - before.timestamp()))
            passed = bisect(seconds, False, key=lambda n: _offset(before + timedelta(seconds=n), zone) != old)
            offsets.append((microseconds(before + timedelta(seconds=passed)), _offset(after, zone)))
    return ShopDays(tuple(offsets))


def _offset(moment: datetime, zone: ZoneInfo) -> int:
    offset = moment.astimezone(zone).utcoffset() or timedelta()
    return offset // timedelta(microseconds=1)
