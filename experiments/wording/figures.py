"""How a number is said to people: rates, lifts, points, money, times, counts, p and dates, of at most four digits."""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Final

from experiments.answers.customers import KpiScale
from experiments.definitions.model import Quantity
from kit.time import DAY_SECONDS, HOUR_SECONDS

NOTHING: Final = "–"
"""What stands where a number cannot be said."""
MINUS: Final = "−"
MOST_DIGITS: Final = 4
SMALLEST_P: Final = 0.0001
_HUGE: Final = 1e15
_EXPONENTS: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SYMBOLS: Final = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥", "INR": "₹", "KRW": "₩", "BRL": "R$"}
_WHOLE_CURRENCIES: Final = frozenset({"JPY", "KRW", "VND", "CLP", "ISK", "HUF"})  # nobody says a hundredth of these
_BYTES: Final = ("bytes", "kB", "MB", "GB", "TB", "PB")
_UNITS: Final = ((DAY_SECONDS, "day"), (3_600, "h"), (60, "min"), (1, "s"))


def value_text(value: float | None, quantity: Quantity = "number", currency: str = "") -> str:
    """The value of a metric in its own unit: `9.3 %`, `€41.20`, `26 points`, `2 min 10 s`, `1.042`."""
    return _said(value, quantity, currency, 0)


def told_apart(values: Sequence[float | None], quantity: Quantity = "number", currency: str = "") -> tuple[str, ...]:
    """Values beside each other, with as many digits as tell those apart that differ, four at most."""
    differ = len(set(values))
    texts = tuple(_said(value, quantity, currency, 0) for value in values)
    for more in range(1, MOST_DIGITS):
        if len(set(texts)) >= differ:
            break
        texts = tuple(_said(value, quantity, currency, more) for value in values)
    return texts


def difference_text(
    value: float | None, quantity: Quantity = "number", currency: str = "", *, signed: bool = False
) -> str:
    """How far two values are apart; of rates in percentage points. Without its sign but where `signed`."""
    if value is None or not math.isfinite(value):
        return NOTHING
    size = abs(value)
    if quantity == "rate":
        text = _with_unit(_decimal(100.0 * size, 1).removesuffix(".0"), "percentage point")
    else:
        text = value_text(size, quantity, currency)
    return f"{_sign(value)}{text}" if signed else text


def lift_text(value: float | None, *, signed: bool = False) -> str:
    """A relative change in %, with one decimal below 100 %; without its sign but where `signed`."""
    if value is None or not math.isfinite(value):
        return NOTHING
    percent = 100.0 * abs(value)
    return f"{_sign(value) if signed else ''}{_decimal(percent, 1 if percent < 100.0 else 0)} %"


def rate_text(value: float | None, more: int = 0) -> str:
    """A share of 1 in %: with one decimal below 10 %, none above, and `more` where asked for."""
    if value is None or not math.isfinite(value):
        return NOTHING
    percent = 100.0 * value
    return f"{_decimal(percent, (1 if abs(percent) < 9.95 else 0) + more)} %"


def points_text(value: float | None, more: int = 0) -> str:
    """A score, or the difference of two: `6 points`, `0.4 points`, `1 point`."""
    if value is None or not math.isfinite(value):
        return NOTHING
    text = _decimal(value, (1 if abs(value) < 100.0 else 0) + more)
    return _with_unit(text.removesuffix(".0"), "point")


def money_text(value: float | None, currency: str, more: int = 0, *, signed: bool = False) -> str:
    """An amount with the shop's currency, hundredths below 100: `€41.20`, `−€900`, `CHF 1,204`."""
    if value is None or not math.isfinite(value):
        return NOTHING
    size = abs(value)
    decimals = 2 if size < 99.995 and currency not in _WHOLE_CURRENCIES else 0
    text = _decimal(size, decimals + more)
    text = text.removesuffix(".00")
    symbol = _SYMBOLS.get(currency) or (f"{currency} " if currency else "")
    return f"{_sign(value) if signed or value < 0.0 else ''}{symbol}{text}"


def duration_text(seconds: float | None, more: int = 0) -> str:
    """A time as people say it, in its two largest units: `350 ms`, `42 s`, `2 min 10 s`, `3 h 5 min`, `2 days 4 h`."""
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    size = abs(seconds)
    if size < 1.0:
        text = f"{figure_text(1_000.0 * size, MOST_DIGITS if more else 2)} ms" if size else "0 s"
    elif size < 99.5 and more:
        text = f"{figure_text(size, MOST_DIGITS)} s"
    elif size < 9.95:
        text = f"{figure_text(size, 2)} s"
    else:
        text = _in_two_units(size)
    return f"{MINUS}{text}" if seconds < 0.0 else text


def figure_text(value: float | None, digits: int = MOST_DIGITS, *, signed: bool = False) -> str:
    """A number of so many significant digits; what is huge or tiny is said as `1.2 × 10¹⁸`."""
    if value is None or not math.isfinite(value):
        return NOTHING
    sign = _sign(value) if signed or value < 0.0 else ""
    size = float(f"{abs(value):.{digits}g}")
    if size == 0.0:
        return "0"
    exponent = math.floor(math.log10(size))
    if exponent < -6 or size >= _HUGE:
        mantissa, _, power = f"{size:.{digits - 1}e}".partition("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        return f"{sign}{mantissa} × 10{str(int(power)).translate(_EXPONENTS)}"
    text = f"{size:,.{max(0, digits - 1 - exponent)}f}"
    return sign + (text.rstrip("0").rstrip(".") if "." in text else text)


def count_text(value: float | None) -> str:
    """How many, to the last one: `1,471`."""
    return NOTHING if value is None or not math.isfinite(value) else f"{value:,.0f}".replace("-", MINUS)


def bytes_text(value: float | None) -> str:
    """How much memory or disk: `812 kB`, `1.4 GB`; a kB is 1,000 bytes."""
    if value is None or not math.isfinite(value):
        return NOTHING
    size, place = float(value), 0
    while size >= 999.5 and place < len(_BYTES) - 1:
        size, place = size / 1_000, place + 1
    return f"{figure_text(size, 2 if size < 99.5 else 3)} {_BYTES[place]}"


def counted(value: float | None, one: str, several: str | None = None) -> str:
    """How many of what, by four digits: `1 order`, `no orders`, `12,350 visitors`."""
    if value == 0:
        return f"no {several or f'{one}s'}"
    return f"{figure_text(value)} {one if value == 1 else several or f'{one}s'}"


def p_text(p: float | None) -> str:
    """`p = 0.031`, and what is smaller than anybody tells apart as `p < 0.0001`."""
    if p is None or not math.isfinite(p):
        return NOTHING
    return f"p < {SMALLEST_P}" if p < SMALLEST_P else f"p = {figure_text(p, 2)}"


def day_text(moment: date) -> str:
    """`20 December 2026`."""
    return f"{moment.day} {moment:%B} {moment.year}"


def moment_text(time: datetime) -> str:
    """`20 December 2026, 14:05 UTC`."""
    there = time.astimezone(UTC)
    return f"{day_text(there)}, {there:%H:%M} UTC"


def in_words(texts: Sequence[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    return f" {last} ".join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else "".join(texts)


def _said(value: float | None, quantity: Quantity, currency: str, more: int) -> str:
    match quantity:
        case "money":
            return money_text(value, currency, more)
        case "number":
            return figure_text(value, min(MOST_DIGITS, 3 + more))
        case _:
            return _BY_QUANTITY[quantity](value, more)


_BY_QUANTITY: Final[dict[str, Callable[[float | None, int], str]]] = {
    "rate": rate_text,
    "points": points_text,
    "seconds": duration_text,
}


def _decimal(value: float, decimals: int) -> str:
    """With so many decimals; of what they would round to 0 two digits, and never more than four digits in all."""
    size = float(f"{abs(value):.{MOST_DIGITS}g}")
    sign = MINUS if value < 0.0 and size else ""
    if size == 0.0:
        return "0"
    if size >= _HUGE or round(size, decimals) < 10.0**-decimals:
        return sign + figure_text(size, MOST_DIGITS if size >= 1.0 else 2)
    return f"{sign}{size:,.{min(decimals, max(0, MOST_DIGITS - 1 - math.floor(math.log10(size))))}f}"


def _in_two_units(seconds: float) -> str:
    place = next(place for place, (size, _) in enumerate(_UNITS) if seconds >= size)
    below = _UNITS[min(place + 1, len(_UNITS) - 1)][0]
    whole = round(seconds / below) * below
    place = next(place for place, (size, _) in enumerate(_UNITS) if whole >= size)
    size, name = _UNITS[place]
    first, rest = divmod(whole, size)
    text = _with_unit(figure_text(first), name) if name == "day" else f"{figure_text(first)} {name}"
    if place + 1 == len(_UNITS) or first >= 100:
        return text
    below, smaller = _UNITS[place + 1]
    return f"{text} {rest // below} {smaller}" if rest // below else text


def _with_unit(text: str, unit: str) -> str:
    return f"{text} {unit if text in ('1', f'{MINUS}1') else f'{unit}s'}"


def _sign(value: float) -> str:
    return "+" if value > 0.0 else MINUS if value < 0.0 else ""


def kpi_text(value: float | None, scale: KpiScale) -> str:
    """The value of a KPI in its unit, as people say it: `82 %`, `26 points`, `2 h 10 min`, `4.2`."""
    match scale:
        case "rate":
            return rate_text(value)
        case "points":
            return points_text(value)
        case "hours":
            return duration_text(None if value is None else value * HOUR_SECONDS)
        case "score" | "per_100_orders":
            return figure_text(value, 3)


def kpi_difference_text(value: float, scale: KpiScale) -> str:
    """How far two values of a KPI are apart, without a sign; of rates in percentage points."""
    return difference_text(abs(value), "rate") if scale == "rate" else kpi_text(abs(value), scale)
