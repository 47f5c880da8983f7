"""A table that was opened: the columns that are asked for, as the engine holds them, and where its rows stand."""

import re
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from events.engines.sql import Expression, all_of
from events.engines.tables import TableReader, Unreadable, is_parquet
from experiments.answers.health import Check
from experiments.cube.statements import statement
from experiments.importing.request import ImportFailed, ImportRequest
from experiments.importing.spelling import Fault, such
from experiments.importing.textfile import Misfits, TextTable, plain_text, text_table
from kit.suggestions import did_you_mean

Kind = Literal["text", "truth", "whole", "number"]
MOST_NAMES: Final = 20  # that are listed
_KINDS: Final[Mapping[str, Kind]] = {
    r"BOOLEAN": "truth",
    r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?": "whole",
    r"DOUBLE|FLOAT|REAL|DECIMAL.*": "number",
}


@dataclass(frozen=True, slots=True)
class Sheet:
    """An open table: `keys` are the names of its columns in the engine's table `cells`, `kinds` what they hold.

    Only columns that were asked for and are there; what is wrong with the others is in `faults`.
    """

    name: str
    reader: TableReader
    keys: Mapping[str, str]
    kinds: Mapping[str, Kind]
    faults: Sequence[Fault]
    notices: Sequence[Check]
    lines_of: Callable[[Iterable[int]], Mapping[int, int]]

    def raw(self, column: str) -> Expression:
        """A cell as the engine holds it."""
        return Expression.of(f"c.{self.keys[column]}")

    def text(self, column: str) -> Expression:
        """The text of a cell."""
        return Expression.of(f"CAST(c.{self.keys[column]} AS VARCHAR)")

    def number(self, column: str) -> Expression:
        """A cell as a number, if it is one. Truth values are spelled out: a cast of them is slower."""
        key, kind = self.keys[column], self.kinds[column]
        if kind == "truth":
            return Expression.of(f"CASE WHEN c.{key} THEN 1.0 WHEN NOT c.{key} THEN 0.0 END")
        return Expression.of(f"TRY_CAST(c.{key} AS DOUBLE)" if kind == "text" else f"CAST(c.{key} AS DOUBLE)")

    def copy(self, chosen: Expression | None = None) -> None:
        """Hold the rows (those for which a condition holds) in the engine, instead of reading the file again."""
        self.reader.materialise("copied", statement("table_rows").bind(chosen=chosen or all_of(())))
        self.reader.define("cells", statement("table_rows").tables(cells="copied").bind(chosen=all_of(())))

    def refuse(self, faults: Sequence[Fault]) -> None:
        """Raises `ImportFailed` with the row of each fault, if there are any."""
        if faults:
            lines = self.lines_of({fault.row for fault in faults if fault.row is not None})
            told = [fault.text if fault.row is None else f"row {lines[fault.row]}: {fault.text}" for fault in faults]
            raise ImportFailed(list(dict.fromkeys(told)))


@contextmanager
def opened(path: Path, request: ImportRequest) -> Generator[Sheet]:
    """A CSV or Parquet file while the block runs. Raises `ImportFailed` for what is neither."""
    with ExitStack() as stack:
        if is_parquet(path):
            yield _typed(stack.enter_context(TableReader(path)), path.name, request)
            return
        plain, odd = stack.enter_context(plain_text(path))
        notices = [] if odd is None else [Check("encoding", odd)]
        table = text_table(plain, path.name, request.columns)
        if table.line > 1:
            told = f"row {table.line} names the columns; what stands above it was left out"
            notices.append(Check("rows_above_header", told))
        yield _text(stack.enter_context(TableReader(plain)), path.name, request, table, notices)


def _typed(reader: TableReader, name: str, request: ImportRequest) -> Sheet:
    try:
        types = reader.types()
    except ValueError:
        raise ImportFailed([f"{name} is no Parquet file that can be read; is it whole?"]) from None
    there, faults = _found(name, request, tuple(types), "it has")
    keys = {column: f"c{index}" for index, column in enumerate(there)}
    kinds: dict[str, Kind] = {column: "text" for column in there}
    kinds |= {column: kind for column in there for known, kind in _KINDS.items() if re.fullmatch(known, types[column])}
    sheet = Sheet(name, reader, keys, kinds, faults, (), lambda rows: {row: row + 1 for row in rows})
    if not keys:
        sheet.refuse(faults)
    reader.show_typed({key: column for column, key in keys.items()})
    return sheet


def _text(reader: TableReader, name: str, request: ImportRequest, table: TextTable, notices: Sequence[Check]) -> Sheet:
    first = f"row {table.line} names"
    there, faults = _found(name, request, table.names, first)
    keys = {column: f"c{index}" for index, column in enumerate(there)}
    positions = {key: table.names.index(column) for column, key in keys.items()}
    kinds: dict[str, Kind] = {column: "text" for column in keys}
    sheet = Sheet(name, reader, keys, kinds, faults, notices, table.lines_of)
    if not positions:
        sheet.refuse(faults)
    try:
        reader.keep_text(table.cut(), positions)
    except Unreadable:
        misfits = table.misfits()
        faults += _told(misfits, table)
        try:
            kept = reader.keep_text(table.cut(max([len(table.names), *misfits.cells])), positions)
        except Unreadable:
            kept = None
        if len(misfits.found) == misfits.rows:
            sheet.refuse(faults)
        if kept != misfits.rows:
            right = "save it as CSV UTF-8 with a comma between cells"
            raise ImportFailed([f"{name} cannot be cut into rows and cells; {right}"]) from None
        if misfits.found:  # which cell would be in which column?
            sheet.copy(Expression.of(f"c.row NOT IN ({', '.join(map(str, misfits.found))})"))
    return sheet


def _found(name: str, request: ImportRequest, names: Sequence[str], told: str) -> tuple[list[str], list[Fault]]:
    """The columns that are there once, and what is wrong with the others."""
    faults: list[Fault] = []
    listed = ", ".join([column for column in names if column][:MOST_NAMES])
    for column in request.columns:
        if names.count(column) > 1:
            cells = " and ".join(str(index + 1) for index, known in enumerate(names) if known == column)
            faults.append(Fault(f"column {column!r} stands twice (cells {cells} of a row); rename one of them"))
    absent = [column for column in request.columns if column not in names]
    if absent:
        hints = [did_you_mean(column, names, lead=" (", quote="'") for column in absent]
        sought = ", no column ".join(
            f"{column!r}{hint and hint + ')'}" for column, hint in zip(absent, hints, strict=True)
        )
        rows = any(re.fullmatch(r"[+-]?\d+([.,]\d+)?", column) for column in names)
        header = "; the first row must name the columns" if rows else ""
        faults.append(Fault(f"{name} has no column {sought}; {told} {listed}{header}"))
    return [column for column in request.columns if names.count(column) == 1], faults


def _told(misfits: Misfits, table: TextTable) -> list[Fault]:
    """Rows with too many or too few cells."""
    faults: list[Fault] = []
    width = len(table.names)
    sign = {"\t": "a tab", " ": "a space"}.get(table.delimiter, f"'{table.delimiter}'")
    for cells, (rows, line) in sorted(misfits.cells.items(), key=lambda item: item[1][1]):
        told = f"row {line}: {cells} cells where the header has {width} ({such(rows)})"
        if cells == width + 1 and misfits.numbered and rows == misfits.rows:
            right = "the column of row names has no name: write the table without them (R: row.names = FALSE)"
        elif cells > width:
            right = f"put quotes around a cell that holds {sign}"
            right += ", such as a number with a decimal comma" if table.delimiter == "," else ""
        else:
            right = "the row is cut short, or a cell holds a line end without quotes"
        faults.append(Fault(f"{told}; {right}"))
    return faults
