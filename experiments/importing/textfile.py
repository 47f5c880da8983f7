"""A text file as a table: its encoding, the sign between its cells, its header, and the lines that do not fit."""

import codecs
import csv
import gzip
import hashlib
import io
import shutil
import tempfile
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from events.engines.tables import TextCut
from experiments.importing.request import ImportFailed

CHUNK: Final = 1 << 20
HEAD: Final = 1 << 18  # letters in which the header is looked for
MOST_ABOVE: Final = 40  # records in which it is
DELIMITERS: Final = (",", ";", "\t", "|", " ")
NOT_TEXT: Final = {  # first bytes → what the file is, and what to do
    b"PK\x03\x04": "a spreadsheet (xlsx, ods) or a zip archive: save it as CSV",
    b"\xd0\xcf\x11\xe0": "a spreadsheet of old Excel (xls): save it as CSV",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: unpack it first",
    b"BZh": "compressed with bzip2: unpack it first",
    b"\xfd7zXZ": "compressed with xz: unpack it first",
    b"%PDF": "a PDF: export the table itself as CSV",
    b"SQLite format": "a database: export the table as CSV",
    b"<html": "a web page, whatever it is called: save it as CSV",
    b"<!DOCTYPE": "a web page, whatever it is called: save it as CSV",
    b"<?xml": "XML, whatever it is called: save it as CSV",
}
UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def file_digest(path: Path) -> str:
    """The sha256 of a file. Raises `ImportFailed` where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ImportFailed([f"{path.name} cannot be read: {error.strerror}"]) from error


@contextmanager
def plain_text(path: Path) -> Generator[tuple[Path, str | None]]:
    """The file as UTF-8: itself where it is that, else a copy until the block ends; and how it was taken, if oddly.

    UTF-8 and UTF-16 are known by their mark; without one it is UTF-8 if it can be, else Windows-1252.
    Raises `ImportFailed` for what is no text.
    """
    with path.open("rb") as file:
        start = file.read(16)
    for magic, what in NOT_TEXT.items():
        if start.startswith(magic):
            raise ImportFailed([f"{path.name} is {what}"])
    packed = start.startswith(b"\x1f\x8b")
    encoding = "utf-16" if _bytes_of(path, packed, 2) in UTF_16 else "utf-8"
    notice = None
    if encoding == "utf-8" and (wrong := _first_not_utf8(path, packed)) is not None:
        encoding = "cp1252"
        told = f"the file {path.name} is no UTF-8 (byte 0x{wrong[1]:02x} in row {wrong[0]})"
        notice = f"{told}: it was read as Windows-1252; look whether its letters are right, or save it as CSV UTF-8"
    if encoding == "utf-8" and not packed:
        yield path, None
        return
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="", suffix=".csv") as copy:
        with _opened(path, packed) as raw:
            try:
                shutil.copyfileobj(codecs.getreader(encoding)(raw), copy, CHUNK)
            except UnicodeError:
                right = "save it as CSV UTF-8"
                raise ImportFailed(
                    [f"{path.name} is neither UTF-8 nor UTF-16 nor Windows-1252 text: {right}"]
                ) from None
        copy.flush()
        yield Path(copy.name), notice


def _opened(path: Path, packed: bool) -> io.BufferedIOBase:
    return gzip.open(path, "rb") if packed else path.open("rb")


def _bytes_of(path: Path, packed: bool, count: int) -> bytes:
    try:
        with _opened(path, packed) as file:
            return file.read(count)
    except (OSError, EOFError):
        raise ImportFailed([f"{path.name} is compressed and damaged: unpack it first"]) from None


def _first_not_utf8(path: Path, packed: bool) -> tuple[int, int] | None:
    """Line and value of the first byte that is no UTF-8. Raises `ImportFailed` where there are zero bytes."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines = 1
    with _opened(path, packed) as file:
        while True:
            chunk = file.read(CHUNK)
            if b"\0" in chunk:
                raise ImportFailed([f"{path.name} holds zero bytes, so that it is no text: save it as CSV UTF-8"])
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                whole: bytes = error.object
                return lines + whole.count(b"\n", 0, error.start), whole[error.start]
            if not chunk:
                return None
            lines += chunk.count(b"\n")


@dataclass(frozen=True, slots=True)
class Misfits:
    """Rows that have more or fewer cells than the header, each kind by how many there are and the first of them.

    A kind is the number of cells. `found` are these rows, `rows` counts all; `numbered`: each of the first begins with
    its number.
    """

    cells: dict[int, tuple[int, int]]  # cells of a row → how many such rows, line of the first
    found: list[int]
    rows: int
    numbered: bool


@dataclass(frozen=True, slots=True)
class TextTable:
    """Where the header of a text file stands, and what it names. Lines are counted from 1."""

    path: Path
    delimiter: str
    names: tuple[str, ...]
    header: int  # its record, from 0
    line: int

    def cut(self, width: int | None = None) -> TextCut:
        """How the engine cuts it; with a width rows may be shorter than that, and lines end in different ways."""
        return TextCut(self.delimiter, width or len(self.names), self.header + 1, loose=width is not None)

    def lines_of(self, rows: Iterable[int]) -> dict[int, int]:
        """The line in which each of these rows begins; rows count from 0 below the header, blank lines do not."""
        wanted = set(rows)
        found: dict[int, int] = {}
        for row, (line, _) in enumerate(self.records()):
            if row in wanted:
                found[row] = line
                if len(found) == len(wanted):
                    break
        return found

    def misfits(self) -> Misfits:
        """What the engine stumbles over. Raises `ImportFailed` at a quote that is not closed."""
        width, cells, count, numbered = len(self.names), dict[int, tuple[int, int]](), 0, True
        misfits: list[int] = []
        for line, record in self.records():
            filled = len(record) if any(cell.strip() for cell in record) else width
            while filled > width and not record[filled - 1].strip():
                filled -= 1
            if filled > width or any(self.names[filled:]):
                before = cells.get(filled, (0, line))
                cells[filled] = before[0] + 1, before[1]
                misfits.append(count)
            numbered = numbered and (count >= 9 or record[0].strip() == str(count + 1))
            count += 1
        return Misfits(cells, misfits, count, numbered)

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """The rows below the header, each with the line in which it begins; blank lines are none."""
        with self.path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=self.delimiter, strict=True)
            line = 1
            try:
                for number, record in enumerate(reader):
                    if number > self.header and record:
                        yield line, record
                    line = reader.line_num + 1
            except csv.Error:
                told = "a quote is opened and not closed, or a cell goes on after it"
                raise ImportFailed([f'row {line}: {told}; write a quote inside a cell twice ("")']) from None


def text_table(path: Path, name: str, wanted: Sequence[str]) -> TextTable:
    """The header is the record that names most of the wanted columns, with whichever sign stands between cells.

    Where none does, it is the first of those with the most cells. Raises `ImportFailed` for an empty file.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        head = file.read(HEAD)
    sought = {_plain(column) for column in wanted}
    best: tuple[tuple[int, int], TextTable] | None = None
    for delimiter in DELIMITERS:
        reader = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
        line = 1
        for number, record in enumerate(_whole(islice(reader, MOST_ABOVE))):
            names = tuple(cell.strip() for cell in record)
            score = len(sought.intersection(map(_plain, names))), sum(1 for cell in names if cell)
            if score[1] and (best is None or score > best[0]):
                best = score, TextTable(path, delimiter, names, number, line)
            line = reader.line_num + 1
    if best is None:
        raise ImportFailed([f"{name} is empty"])
    return best[1]


def _whole(records: Iterator[list[str]]) -> Iterator[list[str]]:
    """Until one is longer than the standard library reads."""
    try:
        yield from records
    except csv.Error:
        return


def _plain(name: str) -> str:
    return "".join(name.split()).casefold()
