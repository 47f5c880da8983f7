"""What a metric counts, in plain Python: which events, what each gives, within which time, up to which cap."""

import math
from typing import Any, Literal

from experiments.definitions.shop import Bound, Cap, Metric, RatioPart

Row = dict[str, Any]
Terms = tuple[int | None, dict[str, Any]]  # of refunds: how long after their order, and which orders count
ANY: Terms = (None, {})
Currency = Literal["any", "known", "converted"]
"""Which events count by their currency: all; those that the shop can convert; those, with their amounts converted."""
What = tuple[str, str | None, dict[str, Any], Terms, Currency]
Part = tuple[str, str, What]


def meets(row: Row, where: dict[str, Any]) -> bool:
    """Whether the columns and properties of an event are those of a condition."""
    properties = row["properties"] or {}
    return all(
        (row[name] if name in ("device", "country") else properties.get(name)) == value for name, value in where.items()
    )


def amount_of(row: Row, value: str) -> float | None:
    """What an event gives; None where it is no answer on the scale of its survey."""
    if value.startswith(("score:", "answer:")):
        what, survey = value.split(":")
        score = None if row["value"] is None else _score(survey, row["value"])
        return score if score is None or what == "score" else 1.0
    if value in ("value", "revenue", "score"):
        return row["value"] or 0.0
    found = (row["properties"] or {}).get(value)
    if isinstance(found, int | float):
        return float(found)
    return (row["value"] or 0.0) if value == "total" else 0.0


def window_of(metric: Metric) -> tuple[int, int]:
    """The window, half open, in µs since exposure."""
    if metric.type == "retention":
        return (metric.from_seconds or 0) * 1_000_000, (metric.to_seconds or 0) * 1_000_000
    return 0, metric.window_seconds * 1_000_000


def parts_of(metric: Metric) -> list[Part]:
    """(role, role before exposure, what is counted)."""
    if metric.type == "funnel":
        return []
    if metric.type == "ratio":
        above, below = metric.numerator, metric.denominator
        assert above is not None
        assert below is not None
        counted = below.where if below.event == "Order Completed" else {}
        money = sums_money(metric)
        return [("gross", "x", _ratio_part(above, counted, money)), ("base", "e", _ratio_part(below, {}, money))]
    if metric.type in ("csat", "nps", "ces"):
        event = metric.event or ""
        asked: tuple[What, What] = (
            (event, f"score:{metric.type}", metric.where, ANY, "any"),
            (event, f"answer:{metric.type}", metric.where, ANY, "any"),
        )
        return [("gross", "x", asked[0]), ("base", "e", asked[1])]
    value = metric.value if metric.type == "mean" else None
    currency: Currency = "converted" if sums_money(metric) else "any"
    parts: list[Part] = [("gross", "x", (metric.event or "", value, metric.where, ANY, currency))]
    if metric.subtract:
        within = metric.subtract.within_seconds
        terms = (None if within is None else within * 1_000_000, metric.where)
        parts.append(("taken", "xtaken", (metric.subtract.event, "value", {}, terms, currency)))
    return parts


def sums_money(metric: Metric) -> bool:
    """Whether the metric adds up amounts of money anywhere."""
    parts = [(part.sum, part.money) for part in (metric.numerator, metric.denominator) if part]
    sums = [*parts, (metric.value, metric.money)]
    return any(value not in (None, "engaged_seconds") and money is not False for value, money in sums)


def _ratio_part(part: RatioPart, order_where: dict[str, Any], money: bool) -> What:
    """In a ratio with money on either side both are of the same orders: those that can be converted."""
    own = part.sum is not None and part.money is not False
    return (
        part.event,
        part.sum,
        part.where,
        (None, order_where),
        ("converted" if own else "known") if money else "any",
    )


Ends = tuple[float, float]


def caps_of(metric: Metric, gross: dict[str, float], base: dict[str, float]) -> tuple[Ends, Ends]:
    """The ends at which value and denominator are cut: of the current look, for all days."""
    if metric.type in ("proportion", "retention", "funnel"):
        return (-math.inf, 1.0), (-math.inf, math.inf)
    above = metric.cap if metric.numerator is None else metric.numerator.cap
    below = None if metric.denominator is None else metric.denominator.cap
    return _ends(above, gross), _ends(below, base)


def cut(value: float, ends: Ends) -> float:
    """What is zero stays zero."""
    return max(ends[0], min(value, ends[1])) if value else 0.0


def _ends(cap: Cap | None, found: dict[str, float]) -> Ends:
    low = None if cap is None else cap.low
    high = _end(cap, found, math.inf)
    return min(_end(low, found, -math.inf), high), high


def _end(bound: Bound | None, found: dict[str, float], without: float) -> float:
    """A percentile is the smallest value that this share of the non-zero ones reach."""
    values = sorted(value for value in found.values() if value)
    if bound is None or bound.percentile is None:
        return without if bound is None or bound.fixed is None else bound.fixed
    ranks = [n for n in range(1, len(values) + 1) if n >= bound.percentile * len(values) - 1e-9]
    return values[ranks[0] - 1] if ranks else without


def _score(survey: str, score: float) -> float | None:
    """What an answer counts; None where it is no answer of this survey's scale."""
    if survey == "csat":
        return None if not 1 <= score <= 5 else float(score >= 4)
    if survey == "nps":
        return None if not 0 <= score <= 10 else 100.0 if score >= 9 else -100.0 if score <= 6 else 0.0
    return None if not 1 <= score <= 7 else score
