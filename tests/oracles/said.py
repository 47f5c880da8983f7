"""Reads back what a text says: its numbers, and of how many significant digits they are."""

import re
from typing import Final

_NUMBER: Final = re.compile(r"([+−-]?)[^\d\s+−-]{0,3}\s?(\d[\d,]*(?:\.\d+)?)(?: × 10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?")
_EXPONENTS: Final = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def numbers_said(text: str) -> list[float]:
    """The numbers of a text in order, a minus or plus before them (or before their currency) read as their sign."""
    found: list[float] = []
    for sign, digits, power in _NUMBER.findall(text):
        size = float(digits.replace(",", "")) * 10.0 ** int((power or "⁰").translate(_EXPONENTS))
        found.append(-size if sign in ("−", "-") else size)
    return found


def digits_said(number: str) -> int:
    """How many significant digits a number is written with: those of 12,340 are four."""
    digits = number.replace(",", "").rstrip(".").lstrip("0.")
    return len(digits.replace(".", "") if "." in number else digits.rstrip("0"))
