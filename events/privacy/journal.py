"""The erasure journal: a file outside the data directory, so that a copy put back does not bring back who was erased.

One line an erased id, in order, each with the digest of the line before it; what is in it is on the disk.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from events.deletes.tombstones import PersonKind, Tombstone, add_tombstones, read_tombstones
from kit.files import create_file, extend_file, locked
from kit.time import iso, microseconds, moment_of, parsed

BEGINNING: Final = ""  # what comes before the first line


class JournalUnusable(Exception):
    """The journal cannot be read, written or believed; the message says what to do."""


class Erasure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line: an id that was erased at a moment (ISO 8601), in a tombstone's terms."""

    sequence: int
    at: str
    kind: PersonKind
    digest: str
    candidate: int
    positions: dict[int, int]
    unnamed: bool = False
    previous: str

    @property
    def tombstone(self) -> Tombstone:
        """What hides the rows."""
        return Tombstone(
            kind=self.kind,
            digest=self.digest,
            candidate=self.candidate,
            positions=self.positions,
            erased_at=microseconds(parsed(self.at)),
            unnamed=self.unnamed,
        )


class ErasureJournal:
    """The journal at a path. A last line that a crash tore is as good as none: nobody was told of that erasure."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def prepare(self, data: Path) -> None:
        """Make the file where there is none. Raises JournalUnusable, also for a place inside the data directory."""
        if self.path.resolve().is_relative_to(data.resolve()):
            raise self._unusable(
                f"it lies inside the data directory {data}, and a copy of that put back would bring an old journal"
                " with it; name a file elsewhere"
            )
        try:
            if not self.path.parent.is_dir():  # never made: it may be a disk that is not mounted
                raise self._unusable("its folder is not there; make or mount it")
            create_file(self.path, b"", 0o600)
        except OSError as error:
            raise self._unusable(f"it cannot be made: {error.strerror}") from None
        self.append([])

    def lines(self, after: int = 0) -> list[bytes]:
        """The lines behind that sequence number, as they stand in the file. Raises JournalUnusable."""
        return self._read()[0][max(after, 0) :]

    def erasures(self) -> list[Erasure]:
        """All of them. Raises JournalUnusable."""
        return [msgspec.json.decode(line, type=Erasure) for line in self.lines()]

    def append(self, stones: Iterable[Tombstone]) -> None:
        """Add a line for each; when this returns, they are on the disk. Raises JournalUnusable with nothing added."""
        try:
            self._read()  # it is there; the lock would make its folder
            with locked(self.path):
                lines, length = self._read()
                previous = _digest(lines[-1]) if lines else BEGINNING
                added = b""
                for sequence, stone in enumerate(stones, len(lines) + 1):
                    line = msgspec.json.encode(
                        Erasure(
                            sequence=sequence,
                            at=iso(moment_of(stone.erased_at)),
                            kind=stone.kind,
                            digest=stone.digest,
                            candidate=stone.candidate,
                            positions=stone.positions,
                            unnamed=stone.unnamed,
                            previous=previous,
                        )
                    )
                    added, previous = added + line + b"\n", _digest(line)
                extend_file(self.path, length, added)
        except OSError as error:
            raise self._unusable(f"it cannot be written: {error.strerror}") from None

    def _read(self) -> tuple[list[bytes], int]:
        """The whole lines, each of which follows from the one before, and how many bytes they are."""
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise self._unusable(f"it cannot be read: {error.strerror}; mount it, or put it back from a copy") from None
        length = content.rfind(b"\n") + 1
        lines, previous = content[:length].splitlines(), BEGINNING
        for number, line in enumerate(lines, 1):
            try:
                erasure = msgspec.json.decode(line, type=Erasure)
            except (msgspec.DecodeError, UnicodeError):
                raise self._unusable(f"line {number} is no erasure; put it back from a copy") from None
            if (erasure.sequence, erasure.previous) != (number, previous):
                raise self._unusable(f"line {number} does not follow the one before it; put it back from a copy")
            previous = _digest(line)
        return lines, length

    def _unusable(self, why: str) -> JournalUnusable:
        return JournalUnusable(f"erasure journal {self.path}: {why}")


def replay(journal: ErasureJournal, data: Path) -> int:
    """Erase again whom a data directory does not know to be erased, and answer how many ids that were.

    What it knows of and the journal does not, as when there was none yet, is added to the journal. Raises
    JournalUnusable, also where the tombstones of the directory cannot be read.
    """
    erasures = journal.erasures()
    again = erase_again(data, erasures)
    untold = _beyond(read_tombstones(data), _told(erasures))
    if untold:
        journal.append(untold)
    return again


def erase_again(data: Path, erasures: Iterable[Erasure]) -> int:
    """Erase whom a data directory does not know to be erased, and answer how many ids that were.

    Raises JournalUnusable where its tombstones cannot be read.
    """
    try:
        on_disk = {stone.field: stone for stone in read_tombstones(data)}
    except ValueError:
        raise JournalUnusable(f"tombstones.json of {data} cannot be read; put it back from a copy") from None
    missing = _beyond(_told(erasures).values(), on_disk)
    if missing:
        add_tombstones(data, missing)
    return len(missing)


def _told(erasures: Iterable[Erasure]) -> dict[str, Tombstone]:
    told: dict[str, Tombstone] = {}
    for erasure in erasures:
        stone = erasure.tombstone
        told[stone.field] = stone.joined(told[stone.field]) if stone.field in told else stone
    return told


def _beyond(stones: Iterable[Tombstone], known: dict[str, Tombstone]) -> Sequence[Tombstone]:
    return [stone for stone in stones if stone.field not in known or not known[stone.field].covers(stone)]


def _digest(line: bytes) -> str:
    return sha256(line).hexdigest()
