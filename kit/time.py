"""Moments, as `datetime` and as the whole microseconds (UTC, since 1970) that files and the wire hold."""

import time
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

SECOND_US: Final = 1_000_000
HOUR_SECONDS: Final = 3_600
DAY_SECONDS: Final = 86_400
DAY_US: Final = DAY_SECONDS * SECOND_US
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def now_us() -> int:
    """The clock of this machine, in microseconds UTC."""
    return time.time_ns() // 1_000


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
