"""The wall clock, which is read here alone, and moments: as `datetime`, and as the whole microseconds (UTC, since 1970)
that files and the wire hold. What passes between two moments is no matter of it: that is `time.monotonic`.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

SECOND_US: Final = 1_000_000
HOUR_SECONDS: Final = 3_600
DAY_SECONDS: Final = 86_400
DAY_US: Final = DAY_SECONDS * SECOND_US
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

Clock = Callable[[], int]  # nanoseconds since 1970
MACHINE_CLOCK: Final[Clock] = time.time_ns
_clock = MACHINE_CLOCK


def keep_time(clock: Clock) -> None:
    """This process goes by that wall clock from now on. The main of each process says so, first of all."""
    global _clock  # one for the whole process: docs/decisions/one-wall-clock.md
    _clock = clock


def now_seconds() -> float:
    """The wall clock, in seconds since 1970."""
    return _clock() / 1e9


def now_us() -> int:
    """The wall clock, in microseconds since 1970."""
    return _clock() // 1_000


def now_utc() -> datetime:
    """The wall clock, in UTC."""
    return moment_of(now_us())


def monotonic_of(seconds: float) -> float:
    """When it was so many seconds since 1970, on `time.monotonic`; what the wall clock has ahead is now.

    To be asked once for each moment and kept: from then on no jump of the wall clock makes it longer ago, or less long.
    """
    return time.monotonic() - max(0.0, now_seconds() - seconds)


def microseconds(moment: datetime) -> int:
    """A moment that names its zone, as microseconds UTC: exact, where the way over a float of seconds is not."""
    return (moment - EPOCH) // _MICROSECOND


def moment_of(time_us: int) -> datetime:
    """The moment in UTC, exact. Raises OverflowError outside the years 1 to 9999."""
    return EPOCH + timedelta(microseconds=time_us)


def parsed(text: str, zone: tzinfo = UTC) -> datetime:
    """An ISO 8601 text as a moment in UTC; a date is its first instant, and a text without a zone is in `zone`.

    Raises ValueError for a text that is none, or none within the years 1 to 9999.
    """
    moment = datetime.fromisoformat(text)
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} lies outside the years 1 to 9999") from error


def iso(moment: datetime, timespec: str = "auto") -> str:
    """UTC with Z; `timespec` as in `datetime.isoformat`: "auto" writes fractions of a second where there are any."""
    return moment.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")
