"""Parts of customers' experience: what is counted of some days and some levels, and which levels there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, Self

import numpy as np
import numpy.typing as npt

from events.engines.duckdb import Columns
from experiments.cx.asked import Span
from experiments.cx.estimates import Estimate

Mask = npt.NDArray[np.bool_]
Whole = npt.NDArray[np.int64]
FEW: Final = 20
"""Answers below which levels are put together."""
MOST_LEVELS: Final = 24
POOLED: Final = "few"


@dataclass(frozen=True, slots=True)
class Counted:
    """A figure with what it rests on; `service` is the same of a time, in hours of service."""

    estimate: Estimate
    answers: int
    immature: int = 0
    unusable: int = 0
    asked: int | None = None
    responded: int = 0
    service: Estimate | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """Of each row, the number of the level that it is of."""

    names: tuple[str, ...]
    codes: Whole

    @classmethod
    def of(cls, names: npt.NDArray[np.object_]) -> Self:
        """From the name that each row has."""
        numbers: dict[str, int] = {}
        codes = np.fromiter((numbers.setdefault(str(name), len(numbers)) for name in names), np.int64, len(names))
        return cls(tuple(numbers), codes)

    def chosen(self, names: Sequence[str]) -> Mask:
        """Which rows are of one of these levels."""
        return np.array([name in names for name in self.names], dtype=np.bool_)[self.codes]


class KpiPart(Protocol):
    """One KPI's share of the log."""

    @property
    def levels(self) -> Sequence[str]:
        """The levels that it is split by; none where it cannot be."""
        ...

    def over(self, span: Span, levels: Sequence[str] | None = None) -> Counted:
        """What is counted of the days of a span, and of these levels alone."""
        ...


def on_days(days: Whole, span: Span) -> Mask:
    """Which rows are of the days of a span."""
    return (days >= span.first) & (days <= span.last)


def level_column(columns: Columns, by: str | None, known: Sequence[str]) -> Levels | None:
    """The levels of the rows, None where they are not split, or have no such column."""
    return Levels.of(columns[by]) if by is not None and by in known else None


@dataclass(frozen=True, slots=True)
class Grouped:
    """A level as it is shown, and the levels that it is made of."""

    level: str
    names: tuple[str, ...]


def grouped(part: KpiPart, span: Span) -> list[Grouped]:
    """The levels of a KPI in order of their names; those with few answers, or beyond the largest, are one, the last."""
    answers = {name: part.over(span, (name,)).answers for name in part.levels}
    largest = sorted(answers, key=lambda name: (-answers[name], name))
    shown = sorted(name for name in largest[:MOST_LEVELS] if answers[name] >= FEW)
    pooled = tuple(sorted(set(answers) - set(shown)))
    return [*(Grouped(name, (name,)) for name in shown), *([Grouped(POOLED, pooled)] if pooled else [])]
