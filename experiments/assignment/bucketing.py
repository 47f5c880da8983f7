"""Where a unit falls: the GrowthBook hash over UTF-16 code units, and the ranges that share the line out."""

import sys
from collections.abc import Sequence
from typing import Any, Final

from fnv_hash_fast import fnv1a_32

from kit.values import identifier

Range = tuple[float, float]  # half open: low <= position < high

BUCKETS: Final = 10_000  # of hash version 2: the finest share is 0.01 %
_FNV_OFFSET: Final = 0x811C9DC5
_FNV_PRIME: Final = 0x01000193
_UTF16: Final = "utf-16-le" if sys.byteorder == "little" else "utf-16-be"
_WEIGHT_SUM: Final = (0.99, 1.01)  # weights that add up to anything else are replaced by equal ones, as every SDK does


def position(seed: str, unit: str) -> float:
    """The place in [0, 1) of a unit under a seed, by GrowthBook's hash version 2."""
    return fnv1a(str(fnv1a(seed + unit))) % BUCKETS / BUCKETS


def equal_weights(count: int) -> list[float]:
    """The same weight for each of `count` variations."""
    return [1 / count] * count if count > 0 else []


def bucket_ranges(count: int, coverage: float = 1.0, weights: Sequence[float] | None = None) -> list[Range]:
    """One range per variation, starting where its full weight starts, so that coverage may grow and nobody moves.

    The sums are made in the order every SDK makes them: the last bit of a bound decides who is inside.
    """
    coverage = min(max(coverage, 0.0), 1.0)
    ranges: list[Range] = []
    start = 0.0
    for weight in usable_weights(count, weights):
        ranges.append((start, start + coverage * weight))
        start += weight
    return ranges


def usable_weights(count: int, weights: Sequence[float] | None) -> Sequence[float]:
    """The weights as given, or equal ones where they cannot be used."""
    if weights is None or len(weights) != count or not _WEIGHT_SUM[0] <= sum(weights) <= _WEIGHT_SUM[1]:
        return equal_weights(count)
    return weights


def unit_text(value: Any) -> str | None:
    """The text that is hashed for an attribute: an id as it is read everywhere; SDKs hash nothing for the number 0."""
    found = identifier(value) if value else None
    return found if isinstance(found, str) else None


def fnv1a(text: str) -> int:
    """FNV-1a, 32 bits, over UTF-16 code units as JavaScript's `charCodeAt` gives them; C where they are all ASCII."""
    if text.isascii():
        return fnv1a_32(text.encode())
    value = _FNV_OFFSET
    for unit in memoryview(text.encode(_UTF16, "surrogatepass")).cast("H"):
        value = (value ^ unit) * _FNV_PRIME & 0xFFFFFFFF
    return value
