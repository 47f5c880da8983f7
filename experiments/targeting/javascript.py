"""Values as JavaScript writes, orders and compares them, because the browser's SDK decides in that language.

Sections in comments are those of ECMA-262. Values are what JSON gives: None, bool, int, float, str, list, dict.
"""

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

LONGEST_NUMBER: Final = 64  # characters of a text that is read as a number
LONGEST_VERSION: Final = 256
REMEMBERED: Final = 512  # texts read lately: one request asks the same of an attribute for each experiment
_LAST_INDEX: Final = 2**32 - 2
_SAFE_INTEGER: Final = 2**53
_DECIMAL: Final = re.compile(r"[+-]?(Infinity|(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)", re.ASCII)
_PREFIXED: Final = re.compile(r"0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+")
_VERSION_NOISE: Final = re.compile(r"^v|\+[^\n\r\u2028\u2029]*\Z")
_VERSION_SEPARATOR: Final = re.compile(r"[-.]")
_BLANKS: Final = "\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    map(chr, range(0x2000, 0x200B))
)


def type_name(value: Any) -> str:
    """null, boolean, number, string, array or object."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list | tuple) else "object"


def text(value: Any) -> str:
    """`String(value)`."""
    if isinstance(value, str):
        return value
    kind = type_name(value)
    if kind == "number":
        return number_text(value)
    if kind == "array":
        return ",".join("" if item is None else text(item) for item in value)
    return {"null": "null", "boolean": "true" if value else "false"}.get(kind, "[object Object]")


def number_text(value: float) -> str:
    """`String(number)`, section 6.1.6.1.20: the shortest digits that read back as the same double."""
    double = _double(value)
    if not math.isfinite(double):
        return "NaN" if math.isnan(double) else ("Infinity" if double > 0 else "-Infinity")
    if double.is_integer() and abs(double) < _SAFE_INTEGER:
        return str(int(double))
    return ("-" if double < 0 else "") + _digits(abs(double))


def number_of(value: Any) -> float:
    """`Number(value)`, section 7.1.4; NaN for what is none, and for a text that writes one in over 64 characters."""
    if isinstance(value, bool | int | float):
        return _double(value)
    return 0.0 if value is None else number_written(text(value))


@lru_cache(REMEMBERED)
def number_written(written: str) -> float:
    """The number that a text writes; one attribute is read once, however many experiments ask."""
    trimmed = written.strip(_BLANKS)
    if not trimmed:
        return 0.0
    if len(trimmed) > LONGEST_NUMBER:
        return math.nan
    if _DECIMAL.fullmatch(trimmed):
        return float(trimmed.replace("Infinity", "inf"))
    return _double(int(trimmed, 0)) if _PREFIXED.fullmatch(trimmed) else math.nan


def ordering(left: Any, right: Any) -> int | None:
    """-1, 0 or 1 as `<` and `>` see two values (section 7.2.12); None where neither is less, equal or greater."""
    left, right = _primitive(left), _primitive(right)
    if isinstance(left, str) and isinstance(right, str):
        return text_order(left, right)
    first, second = number_of(left), number_of(right)
    if math.isnan(first) or math.isnan(second):
        return None
    return (first > second) - (first < second)


def text_order(left: str, right: str) -> int:
    """-1, 0 or 1 by UTF-16 code units, which is not the order of code points."""
    if left.isascii() and right.isascii():
        return (left > right) - (left < right)
    first, second = (one.encode("utf-16-be", "surrogatepass") for one in (left, right))
    return (first > second) - (first < second)


def same_json(left: Any, right: Any) -> bool:
    """Whether `JSON.stringify` writes both alike: type for type, items and members in the same order."""
    left, right = _json_value(left), _json_value(right)
    kind = type_name(left)
    if kind != type_name(right):
        return False
    if kind == "array":
        return len(left) == len(right) and all(map(same_json, left, right))
    if kind == "object":
        keys = member_order(left)
        return keys == member_order(right) and all(same_json(left[key], right[key]) for key in keys)
    return bool(left == right)


def version_text(value: Any) -> str:
    """A version padded so that text order is version order: build dropped, numbers right-aligned, releases last.

    What is no text, or one of over 256 characters, is version 0.
    """
    written = number_text(value) if type_name(value) == "number" else value
    is_version = isinstance(written, str) and 0 < len(written) <= LONGEST_VERSION
    return padded(written if is_version else "0")


@lru_cache(REMEMBERED)
def padded(version: str) -> str:
    """The same of a text; one attribute is read once."""
    parts = _VERSION_SEPARATOR.split(_VERSION_NOISE.sub("", version))
    if len(parts) == 3:
        parts.append("~")  # sorts after every pre-release tag
    return "-".join(part.rjust(5) if part.isascii() and part.isdigit() else part for part in parts)


def _double(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _digits(double: float) -> str:
    _, numerals, exponent = Decimal(repr(double)).normalize().as_tuple()
    digits = "".join(map(str, numerals))
    point = len(digits) + int(exponent)
    if len(digits) <= point <= 21:
        return digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    return f"{digits[0]}{'.' if digits[1:] else ''}{digits[1:]}e{point - 1:+d}"


def _primitive(value: Any) -> Any:
    return text(value) if isinstance(value, list | tuple | dict) else value


def _json_value(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def member_order(members: Mapping[str, Any]) -> list[str]:
    """Array indices first and ascending (sections 6.1.7 and 10.1.11.1), then the others as written."""
    indices = {key: int(key) for key in members if _is_index(key)}
    return [*sorted(indices, key=indices.__getitem__), *(key for key in members if key not in indices)]


def _is_index(key: str) -> bool:
    """An array index as it is written: up to 4294967294, so that one of thousands of digits is a name like others."""
    digits = len(key) <= 10 and key.isascii() and key.isdigit() and (key == "0" or key[0] != "0")
    return digits and int(key) <= _LAST_INDEX
