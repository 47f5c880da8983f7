"""What of a readout is asked for."""

from dataclasses import dataclass
from datetime import UTC, datetime

from experiments.readout_errors import InvalidDate


@dataclass(frozen=True, slots=True)
class ReadoutQuery:
    """`at` repeats a past look. `pending` and `watermark` are what the store says at the moment of asking.

    `pending` is how many acknowledged events are not in the log yet, None where the store cannot be asked.
    """

    at: datetime | None = None
    metric: str | None = None
    dimension: str | None = None
    phase: int | None = None
    include_sql: bool = False
    pending: int | None = 0
    watermark: datetime | None = None


def moment(text: str) -> datetime:
    """A moment in ISO 8601; a date is its first instant, and without a zone it is UTC. Raises `InvalidDate`."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidDate(f"at: {text[:40]!r} is not a moment; write 2026-01-20T09:00:00Z") from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def microseconds(time: datetime) -> int:
    """A moment as the log writes it."""
    whole = int(time.astimezone(UTC).replace(microsecond=0).timestamp())
    return whole * 1_000_000 + time.microsecond


def moment_of(time_us: int) -> datetime:
    """A moment of the log."""
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).replace(microsecond=time_us % 1_000_000)
