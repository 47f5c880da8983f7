"""Percentages, durations, money, dates, hours, names and conditions as a marketer writes them."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from experiments.definitions.grammar import NAME_PATTERN, Kind, Schema, checked, either, listed, scalar, words
from experiments.targeting.attributes import ATTRIBUTES
from experiments.targeting.predicates import read_condition
from kit.conditions import Mistake
from kit.located import Located, Location, Wrong, joined, shortened
from kit.time import DAY_SECONDS

KEY_PATTERN: Final = r"[a-z0-9][a-z0-9._-]{0,99}"
NUMBER: Final = r"[0-9]{1,12}(?:\.[0-9]{1,9})?"
DURATION_UNITS: Final = {
    "second": 1, "seconds": 1, "minute": 60, "minutes": 60, "hour": 3600, "hours": 3600,
    "day": DAY_SECONDS, "days": DAY_SECONDS, "week": 7 * DAY_SECONDS, "weeks": 7 * DAY_SECONDS,
}  # fmt: skip
DURATION: Final = rf"{NUMBER} ?(?:{'|'.join(DURATION_UNITS)})"
PERCENTAGE: Final = rf"{NUMBER} ?%"
MONEY: Final = rf"{NUMBER} [A-Z]{{3}}"
DATE_PATTERN: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2})?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?"
FINEST_SHARE: Final = Decimal("0.01")  # in percent: bucketing has 10,000 buckets
TOO_FINE: Final = "finer than 0.01 %, the finest share bucketing knows"
LONGEST_SECONDS: Final = 1000 * DAY_SECONDS
MOST_CONDITION_MISTAKES: Final = 20  # told of one condition
_SCALAR: Final = ["string", "number", "boolean"]  # an editor may read a text that looks like one of these as one


def as_text(node: Located) -> str:
    """A text on one line or several; a number or `true` is taken as it was written."""
    if node.value is None or isinstance(node.value, (tuple, Mapping)):
        raise Wrong(f"{node.described} stands where a text is needed")
    if not node.text.strip():
        raise Wrong("is empty, write a text or leave the field out")
    if len(node.text) > 2000:
        raise Wrong(f"{len(node.text)} characters, a text may have 2000")
    return node.text


def as_line(node: Located) -> str:
    """A text of one line without control characters, such as an event's or an attribute's name."""
    text = as_text(node)
    if not text.isprintable() or len(text) > 250:
        raise Wrong(f'"{shortened(text)}" must be one line of at most 250 printable characters')
    return text


def as_name(node: Located) -> str:
    """A name of a variant, metric, segment, holdout, layer or slot."""
    return _matching(
        node, NAME_PATTERN, "letters, digits, dots, dashes and underscores, at most 100, a letter or digit first"
    )


def as_key(node: Located) -> str:
    """An experiment's key."""
    return _matching(node, KEY_PATTERN, "a-z, 0-9, dots, dashes and underscores, at most 100, a letter or digit first")


def _matching(node: Located, pattern: str, allowed: str) -> str:
    text = as_text(node)
    if not re.fullmatch(pattern, text):
        raise Wrong(f'"{shortened(text)}" is no name here; allowed are {allowed}')
    return text


def decimal_comma(text: str) -> str:
    """`; write 33.3% with a point` after a number with a decimal comma, else nothing."""
    found = re.fullmatch(r"(-?[0-9]{1,12}),([0-9]{1,9})( ?%?)", text)
    return f"; write {found[1]}.{found[2]}{found[3]}, with a point" if found else ""


def as_number(node: Located) -> float:
    """A finite number."""
    if isinstance(node.value, bool) or not isinstance(node.value, (int, float, str)):
        raise Wrong(f"{node.described} is no number")
    if not re.fullmatch(rf"-?{NUMBER}", node.text):
        raise Wrong(f"{node.described} is no number{decimal_comma(node.text)}")
    return float(node.text)


def whole(least: int, most: int) -> Kind[int]:
    """A whole number within bounds."""

    def convert(node: Located) -> int:
        if not re.fullmatch(r"-?[0-9]{1,12}", node.text) or not least <= int(node.text) <= most:
            raise Wrong(f"{node.described} is no whole number from {least} to {most}")
        return int(node.text)

    return scalar(convert, {"type": "integer", "minimum": least, "maximum": most})


def percent(node: Located) -> Decimal:
    """The number before the percent sign."""
    if isinstance(node.value, (tuple, Mapping)) or not re.fullmatch(PERCENTAGE, node.text):
        meant = "2%"
        if re.fullmatch(NUMBER, node.text):  # `80` → 80%, `0.04` → 4%
            share = (Decimal(node.text) * 100).normalize()
            meant = f"{node.text}%" if float(node.text) >= 1 else f"{share:f}%"
        right = decimal_comma(node.text) or f", write it with its sign, as in {meant}"
        raise Wrong(f"{node.described} is no percentage{right}")
    return Decimal(node.text.rstrip("% "))


def as_fraction(node: Located) -> float:
    """A percentage as a fraction of 1."""
    return float(percent(node) / 100)


def share_percent(node: Located) -> Decimal:
    """A share of visitors in percent: 0 to 100, in steps of 0.01."""
    value = percent(node)
    if value > 100:
        raise Wrong(f"{words_of(value)} is more than everyone, a share may not exceed 100 %")
    if value % FINEST_SHARE:
        raise Wrong(f"{words_of(value)} is {TOO_FINE}")
    return value


def as_share(node: Located) -> float:
    """A share of visitors as a fraction of 1."""
    return float(share_percent(node) / 100)


def words_of(value: Decimal | float) -> str:
    """A percentage in words: Decimal("12.50") → `12.5 %`."""
    return f"{float(value):.6f}".rstrip("0").rstrip(".") + " %"


def as_seconds(node: Located) -> int:
    """A duration such as `7 days` or `30 minutes`, in whole seconds."""
    if isinstance(node.value, (tuple, Mapping)) or not re.fullmatch(DURATION, node.text):
        number = node.text if re.fullmatch(NUMBER, node.text) else "7"
        raise Wrong(
            f"{node.described} is no duration, write a number and seconds, minutes, hours, days or weeks: {number} days"
        )
    number, unit = re.match(rf"({NUMBER}) ?(\w+)\Z", node.text).groups()  # pyright: ignore[reportOptionalMemberAccess]
    seconds = Decimal(number) * DURATION_UNITS[unit]
    if seconds % 1 or not 1 <= seconds <= LONGEST_SECONDS:
        raise Wrong(f"{node.described} must be whole seconds, at least 1 and at most 1000 days")
    return int(seconds)


def moment_in(text: str, zone: tzinfo) -> datetime:
    """The moment a date names, or date and time; without a zone it is the shop's. Raises Wrong."""
    hint = "write 2026-01-05, 2026-01-05T12:00 (the shop's time) or 2026-01-05T12:00:00Z"
    if not re.fullmatch(DATE_PATTERN, text):
        raise Wrong(f'"{shortened(text)}" is no date, {hint}')
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        raise Wrong(f'"{text}" is no date ({error}), {hint}') from None
    if not 2000 <= parsed.year < 3000:
        raise Wrong(f'"{text}" lies outside the years 2000 to 2999')
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)).astimezone(UTC)


def _days(node: Located) -> int:
    found = re.fullmatch(r"([0-9]{1,4})(?: ?(days?|weeks?))?", node.text)
    days = int(found[1]) * (7 if (found[2] or "").startswith("week") else 1) if found else 0
    if not 1 <= days <= 1000:
        raise Wrong(f"{node.described} is no whole number of days from 1 to 1000, write 28, 28 days or 4 weeks")
    return days


def _moment(place: Location) -> datetime | None:
    zone = place.problems.zone
    return place.attempt(
        lambda node: moment_in(node.described if isinstance(node.value, (tuple, Mapping)) else node.text, zone)
    )


def as_mapping(node: Located) -> dict[str, Any]:
    """Any mapping, as JSON."""
    if not isinstance(node.value, Mapping):
        raise Wrong(f"{node.described} stands where a mapping of fields is needed, {{field: value}}")
    return {name: value.plain() for name, value in node.value.items()}


def _condition(place: Location) -> dict[str, Any] | None:
    written = place.attempt(as_mapping)
    if written is None:
        return None
    mistakes = read_condition(written).mistakes
    tell(place, mistakes)
    return None if mistakes else written


def tell(place: Location, mistakes: tuple[Mistake, ...]) -> None:
    """Tell the mistakes of a condition, each at its own line."""
    for mistake in mistakes[:MOST_CONDITION_MISTAKES]:
        path = joined(place.path, *mistake.path)
        place.problems.add(place.node.at(mistake.path).line, path, mistake.message)


_TEXT_SCHEMA: Final[Schema] = {"type": _SCALAR, "pattern": r"\S"}
TEXT: Final = scalar(as_text, _TEXT_SCHEMA)
LINE: Final = scalar(as_line, _TEXT_SCHEMA)
NAME: Final = scalar(as_name, {"type": _SCALAR, "pattern": f"^{NAME_PATTERN}$"})
KEY: Final = scalar(as_key, {"type": _SCALAR, "pattern": f"^{KEY_PATTERN}$"})
TRUTH: Final = checked(
    Located.plain, lambda value: isinstance(value, bool), "is neither true nor false", {"type": "boolean"}
)
DAYS: Final = scalar(
    _days, either({"type": "integer", "minimum": 1, "maximum": 1000}, words("[0-9]{1,4} ?(?:days?|weeks?)"))
)
DATE: Final = Kind(_moment, words(DATE_PATTERN))
EFFECT: Final = checked(
    as_fraction, lambda effect: 0 < effect <= 10, "must lie above 0 % and not above 1000 %", words(PERCENTAGE)
)
SHARE: Final = scalar(as_share, words(PERCENTAGE), lambda share: f"{share:.0%}")
PROBABILITY: Final = checked(
    lambda node: float(node.text) if re.fullmatch(NUMBER, node.text) else as_fraction(node),
    lambda probability: 0 < probability < 1,
    "must lie between 0 and 1, as in 0.05 or 5%",
    either({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, words(PERCENTAGE)),
)
SECONDS: Final = scalar(as_seconds, words(DURATION), lambda seconds: f"{seconds // DAY_SECONDS} days")
OBJECT: Final = scalar(as_mapping, {"type": "object"})
CONDITION: Final = Kind(_condition, {"type": "object", "description": "GrowthBook condition language"})
"""Who it holds for, checked by reading it; the value is the condition as it is written."""
AUDIENCE_CONDITION: Final = Kind(
    CONDITION.read,
    {
        **CONDITION.schema,
        "properties": {
            each.name: {"description": f"{each.means}, as in {each.example}"} for each in ATTRIBUTES.values()
        },
    },
)
"""The same of a visitor: an editor proposes the attributes that the tag tells."""


_TIME: Final = "(?:[01]?[0-9]|2[0-4]):[0-5][0-9]"
_TIMES: Final = f"({_TIME}) ?- ?({_TIME})"


def _minutes(node: Located) -> tuple[int, int]:
    """When service opens and closes: `9:00-17:30` in minutes of the day."""
    found = re.fullmatch(_TIMES, node.text)
    if found is None:
        raise Wrong(f"{node.described} is no time of service, write 9:00-17:30, and [9:00-12:00, 13:00-17:30] for two")
    opens, closes = (int(hour) * 60 + int(minute) for hour, minute in (each.split(":") for each in found.groups()))
    if not opens < closes <= 24 * 60:
        rest = "; past midnight, write 22:00-24:00 and 0:00-6:00 on the next day" if closes < opens else ""
        raise Wrong(f"{node.described} does not end after it begins, on the same day{rest}")
    return opens, closes


_SHIFT: Final = scalar(_minutes, words(_TIMES))
_SHIFTS: Final = listed(_SHIFT, least=1)


def _shifts(place: Location) -> tuple[tuple[int, int], ...] | None:
    """The hours of a day, in order: one span, or a list of spans that do not overlap."""
    if not isinstance(place.node.value, tuple):
        span = _SHIFT.read(place)
        return None if span is None else (span,)
    spans = sorted(_SHIFTS.read(place) or ())
    if any(earlier[1] > later[0] for earlier, later in pairwise(spans)):
        return place.fail("has hours that overlap, write each hour of service once")
    return tuple(spans) or None


HOURS_OF_DAY: Final = Kind(_shifts, either(_SHIFT.schema, _SHIFTS.schema))
"""`9:00-17:30`, or a list of such: spans of minutes of a day, in order."""
