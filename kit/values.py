"""What clients write for an id, a number or a time, read at this one place: a value, None where nothing is said, or why
it cannot be used. Nothing here raises.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from kit.time import SECOND_US, microseconds

MAX_ID_BYTES: Final = 256
MAX_INTEGER: Final = 2**63
# Texts that programs write where they know no id: thousands would share each of them.
SHARED_IDS: Final = frozenset(
    {"", "null", "undefined", "NaN", "[object Object]", "00000000-0000-0000-0000-000000000000"}
)
SAFE_LENGTH: Final = MAX_ID_BYTES // 4  # of characters, whichever they are
LONGEST_NUMBER: Final = 32
DECIMAL: Final = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)\s*", re.ASCII)
DIGITS: Final = re.compile(r"\s*-?\d{9,15}(?:\.\d*)?\s*", re.ASCII)  # of eight digits, a text is a date of ISO 8601
SECONDS_END: Final = 1e11  # greater numbers are milliseconds: as seconds they would be after the year 5000
MOMENTS_END: Final = 1e15
KINDS: Final = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", str: "text", list: "a list",
                dict: "an object"}  # fmt: skip
LONGEST_MOMENT: Final = 100  # characters
FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")  # with what a cell begins that a spreadsheet computes


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why a value cannot be used: a word, and a sentence that names its kind and what would be right, never itself."""

    code: str
    reason: str


_NO_MOMENT: Final = Unusable("invalid_time", "it must be ISO 8601 such as 2026-01-20T09:00:03.123Z")


def identifier(value: Any) -> str | Unusable | None:
    """An id: text byte by byte, no trimming, folding or normalisation; a whole number is its decimal text.

    None where there is none: null and the empty text.
    """
    if type(value) is str:
        if value not in SHARED_IDS and value[0] != " " and len(value) <= SAFE_LENGTH and value.isprintable():
            return value
        return _odd_text(value)
    if value is None:
        return None
    if type(value) is int or (type(value) is float and value.is_integer()):
        if -MAX_INTEGER < value < MAX_INTEGER:
            return str(int(value))
        return Unusable("invalid_id", "a number that names somebody must lie between -2^63 and 2^63")
    fraction = " with a fraction" if type(value) is float else ""
    return Unusable("invalid_id", f"an id is text or a whole number, this is {kind_of(value)}{fraction}")


def names_something(text: str) -> bool:
    """Whether a text can name somebody or something: it has a letter that is seen, and no control characters."""
    if text.isprintable():
        return not text.isspace() and text != ""
    seen = any(letter.isprintable() and not letter.isspace() for letter in text)
    return seen and not _has_control_characters(text)


def first_identifier(values: Sequence[Any]) -> str | Unusable | None:
    """The first of several that can be used as an id; else why the first that was given cannot, or None."""
    wrong: Unusable | None = None
    for value in values:
        found = identifier(value)
        if type(found) is str:
            return found
        wrong = wrong or (found if isinstance(found, Unusable) else None)
    return wrong


def number(value: Any) -> float | Unusable | None:
    """A finite number, or decimal text with a point, because shops send prices as text. Notation of a country is not
    guessed at; the empty text is none.
    """
    if type(value) is float or type(value) is int:
        if -MAX_INTEGER < value < MAX_INTEGER:
            return float(value)
        return Unusable("number_too_large", "numbers must lie between -2^63 and 2^63")
    if value is None or value == "":
        return None
    if type(value) is str and len(value) <= LONGEST_NUMBER and DECIMAL.fullmatch(value):
        return float(value)
    text = " in another notation" if type(value) is str else ""
    return Unusable(
        "invalid_number", f"it must be a number or decimal text such as 12.50, this is {kind_of(value)}{text}"
    )


def moment(value: Any) -> int | Unusable | None:
    """A time as microseconds UTC: ISO 8601 text (UTC where it names no zone), RFC 1123, or epoch seconds or
    milliseconds; the empty text is none.
    """
    if type(value) is str:
        if value[4:5] != "-":  # else digits alone would be read as a date and a time of day
            return _odd_moment(value)
        try:
            told = datetime.fromisoformat(value)
            return microseconds(told if told.tzinfo else told.replace(tzinfo=UTC))  # outside the years 1 to 9999 too
        except ValueError:
            return _NO_MOMENT
    if value is None:
        return None
    if (type(value) is int or type(value) is float) and abs(value) < MOMENTS_END:
        return round(value * (SECOND_US if abs(value) < SECONDS_END else 1_000))
    return Unusable("invalid_time", f"it must be ISO 8601 text or epoch milliseconds, this is {kind_of(value)}")


def kind_of(value: Any) -> str:
    """What JSON calls a value, in words."""
    return KINDS.get(type(value), "no JSON")


def _odd_text(value: str) -> str | Unusable | None:
    if not value:
        return None
    if value in SHARED_IDS:
        reason = f"{value!r} is an id that thousands share; send the one that is meant"
    elif not names_something(value):
        reason = "it is nothing but white space"
        if _has_control_characters(value):
            reason = "it has control characters or half of a surrogate pair"
    elif len(value.encode()) > MAX_ID_BYTES:
        reason = f"it is longer than {MAX_ID_BYTES} bytes"
    else:
        return value
    return Unusable("invalid_id", reason)


def _has_control_characters(text: str) -> bool:
    """Half of a surrogate pair counts as one."""
    return any(letter < " " or "\x7f" <= letter < "\xa0" or "\ud800" <= letter <= "\udfff" for letter in text)


def _odd_moment(value: str) -> int | Unusable | None:
    if not value:
        return None
    if DIGITS.fullmatch(value):
        return moment(float(value))
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            told = read(value[:LONGEST_MOMENT])
            return microseconds(told if told.tzinfo else told.replace(tzinfo=UTC))
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return _NO_MOMENT


def spreadsheet_text(text: str) -> str:
    """A text for the cell of a CSV file, which a spreadsheet shows and does not compute."""
    return f"'{text}" if text.startswith(FORMULAS) else text


def small_letters(text: str) -> str:
    """A text in small letters, letter by letter: exactly what `lower` of the statements makes of it."""
    return "".join(letter.lower()[0] for letter in text)
