"""What reports are made of: sections with sentences, pictures and tables, and the value of the answer in each cell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from app.dashboard.charts import Day, Effect
from experiments.wording.figures import (
    NOTHING,
    difference_text,
    figure_text,
    lift_text,
    moment_text,
    value_text,
)

LONGEST_SAID: Final = 500  # characters of what somebody wrote
LONGEST_NAME: Final = 80
Value = float | int | str | None
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cell:
    """What is read, and the value of the answer that it says; None where it says no number."""

    text: str
    value: Value = None


@dataclass(frozen=True, slots=True)
class ReportTable:
    """Rows below names."""

    names: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def numbers(self) -> tuple[bool, ...]:
        """Of each column whether it is one of numbers."""
        columns = [[row[place] for row in self.rows] for place in range(len(self.names))]
        told = [[cell for cell in column if cell.text != NOTHING] for column in columns]
        return tuple(bool(cells) and all(cell.value is not None for cell in cells) for cells in told)


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture of what a table says, and the finding in words: effects of one scale, or one variant day by day."""

    title: str
    finding: str
    points: bool
    effects: tuple[Effect, ...] = ()
    days: tuple[Day, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportSection:
    title: str
    said: tuple[str, ...] = ()
    charts: tuple[Chart, ...] = ()
    table: ReportTable | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class ReportPage:
    """One look at one experiment. `lead` is what came of it in a sentence, `head` says of when and of what it is."""

    name: str
    lead: str
    head: tuple[tuple[str, Cell], ...]
    sections: tuple[ReportSection, ...]


def value_cell(value: float | None, metric: Json) -> Cell:
    """A value of a metric."""
    return Cell(value_text(value, metric["quantity"], metric.get("currency") or ""), value)


def change_cell(value: float | None, metric: Json) -> Cell:
    """An effect on a metric: relative, or in points."""
    if metric["effect_scale"] == "points":
        return Cell(difference_text(value, metric["quantity"], metric.get("currency") or "", signed=True), value)
    return Cell(lift_text(value, signed=True), value)


def end_cells(interval: Sequence[float | None] | None, metric: Json) -> tuple[Cell, Cell]:
    """The ends of an interval."""
    low, high = interval or (None, None)
    return change_cell(low, metric), change_cell(high, metric)


def moment_cell(text: str | None) -> Cell:
    """A moment of the answer."""
    return Cell(NOTHING) if text is None else Cell(moment_text(datetime.fromisoformat(text)), text)


def amount_cell(value: float | None, unit: str) -> Cell:
    """An amount of money, or of what is counted."""
    if len(unit) == len("EUR") and unit.isupper():
        return Cell(value_text(value, "money", unit), value)
    return Cell(f"{figure_text(value)} {unit}".rstrip(), value)


def cut(text: str, most: int = LONGEST_SAID) -> str:
    """What somebody wrote, not longer than anybody reads."""
    return text if len(text) <= most else f"{text[:most]} …"


def as_sentence(text: str) -> str:
    """A text as a sentence: it begins large and ends with a full stop."""
    text = cut(text)
    whole = text[:1].upper() + text[1:]
    return whole if whole.endswith((".", "!", "?")) else f"{whole}."
