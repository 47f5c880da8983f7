"""The immutable Parquet parts of the log: which of them are live, whether they are what was written, what they hold."""

import hashlib
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import msgspec

from events.authority import Authority
from events.parts.arrow import Array, Table, arrow, compute, parquet
from events.parts.digests import PartDigests, read_digests, table_digests
from events.parts.ledger import read_dropped
from events.parts.manifest import (
    DATA_SUFFIX,
    DIGESTS_SUFFIX,
    MANIFEST_SUFFIX,
    FolderListing,
    Found,
    Manifest,
    PartName,
    read_manifest,
)
from events.parts.standing import Gap, by_shard, gaps
from events.records import COLUMNS, Kind

_ARROW: Final[dict[Kind, Any]] = {
    "int": arrow.int64(),
    "float": arrow.float64(),
    "bool": arrow.bool_(),
    "text": arrow.string(),
    "texts": arrow.list_(arrow.string()),
    "floats": arrow.list_(arrow.float64()),
    "json": arrow.string(),
}
SCHEMA: Final = arrow.schema([(name, _ARROW[kind]) for name, kind in COLUMNS.items()])
"""The columns of a part, in the order of `events.records`; JSON columns hold their text."""
REPLACED: Final[dict[str, Kind]] = {"backend": "bool"}
"""Columns of parts of older versions: one now says as its authority who sent a row."""
POSITION: Final = ["shard", "stream_id", "position"]
"""The columns that say which row it is."""

_SECOND_LOOKS: Final = 2


class DataDamaged(Exception):
    """A part of the log is not what was written: no number may be computed from it."""

    def __init__(self, name: str, cause: str) -> None:
        super().__init__(f"part {name} of the log is damaged: {cause}; restore it from a backup")
        self.name = name
        self.cause = cause


class PartReplaced(DataDamaged):
    """A part that is gone with its manifest, as a merge or retention took it: who looks at the log anew finds its rows
    where they are now, or by name what is missing.
    """

    def __str__(self) -> str:
        return f"part {self.name} of the log went while it was read, merged with others or by its age; read it again"


class CopyTorn(DataDamaged):
    """The store names parts that the log never had: the two are of different moments."""

    def __init__(self, gap: Gap) -> None:
        super().__init__(gap.name, gap.cause)
        self.gap = gap

    def __str__(self) -> str:
        return self.gap.told


@dataclass(frozen=True, slots=True)
class Part:
    """One live part: rows of one shard, received on one day, of the sequence numbers `low` to `high`."""

    path: Path
    shard: int
    low: int
    high: int
    generation: int
    date: date
    rows: int
    bytes: int
    sha256: str
    first_stream_number: int
    last_stream_number: int
    min_received_at: int
    max_received_at: int

    @property
    def name(self) -> PartName:
        """The range that the part covers."""
        return PartName(self.shard, self.low, self.high, self.generation)

    @property
    def digests(self) -> Path:
        """The file of the digests of its ids (`events.parts.digests`)."""
        return self.path.with_name(f"{self.name.stem}{DIGESTS_SUFFIX}")


@dataclass(frozen=True, slots=True)
class Survey:
    """What stands in the log's folder: the live parts in order of (shard, low), and everything that is wrong."""

    parts: list[Part]
    damages: list[DataDamaged]


def live_parts(log: Path) -> list[Part]:
    """The parts that hold the log, in order of (shard, low); raises `DataDamaged` when one of them is missing."""
    return PartListing(log).live()


def survey(log: Path) -> Survey:
    """The live parts and every gap or missing file among them; the parts' content is not read."""
    return PartListing(log).survey()


def verify(part: Part) -> None:
    """Read the part whole; `DataDamaged` unless it has the sha256 of its manifest, `PartReplaced` once it went."""
    try:
        with part.path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        gone = isinstance(error, FileNotFoundError) and not part.path.with_suffix(MANIFEST_SUFFIX).exists()
        kind = PartReplaced if gone else DataDamaged
        raise kind(part.path.name, f"it cannot be read ({error.strerror})") from error
    if found != part.sha256:
        raise DataDamaged(part.path.name, "its sha256 is not the one in its manifest")


class Contents:
    """What the parts of a log hold, for everybody in a process who reads it: the only door to it.

    Before anything is read of a part its sha256 is compared, once; so whatever is made of it, or kept, is what was
    written. What cannot be read nevertheless has changed since, or else the trouble is not the part's. Raises
    DataDamaged. Any thread may ask.
    """

    def __init__(self) -> None:
        self._verified: set[Path] = set()
        self._hashing = threading.Lock()

    def verified(self, part: Part) -> Path:
        """The file of a part that is what was written, for who reads it by other means."""
        if part.path not in self._verified:
            with self._hashing:
                if part.path not in self._verified:  # nobody else has read it whole meanwhile
                    verify(part)
                    self._verified.add(part.path)
        return part.path

    @contextmanager
    def watching(self, parts: Sequence[Part], errors: tuple[type[Exception], ...]) -> Generator[None]:
        """Verify parts, and once more where reading them in this block fails with one of these errors."""
        for part in parts:
            self.verified(part)
        try:
            yield
        except errors:
            for part in parts:
                self._verified.discard(part.path)
                self.verified(part)
            raise

    @contextmanager
    def opened(self, part: Part) -> Generator[Any]:
        """The `ParquetFile` of a part, for the time of a block."""
        with self.watching((part,), (Exception,)), parquet.ParquetFile(part.path) as file:
            yield file

    def columns(self, part: Part, names: list[str]) -> Table:
        """Some columns of a part's rows, whichever version wrote them; the folder's name is no column."""
        with self.opened(part) as file:
            return conformed(file.read(columns=[*names, *REPLACED]), names)

    def row_groups(self, part: Part) -> Iterator[Table]:
        """The rows of a part, a piece at a time."""
        with self.opened(part) as file:
            for group in range(file.num_row_groups):
                yield conformed(file.read_row_group(group, use_threads=False))

    def digests(self, part: Part) -> PartDigests:
        """The digests of a part's ids: of the file beside it, which carries a sum of its own, else of its rows.

        So they are at hand where the part itself is damaged: whose rows are not in it is served all the same.
        """
        found = read_digests(part.digests)
        if found is None or len(found.messages) != part.rows:
            return table_digests(self.columns(part, ["message_id", "visitor_id", "user_id"]))
        return found

    def keep(self, live: set[Path]) -> None:
        """Forget every other part."""
        with self._hashing:
            self._verified &= live


def conformed(table: Table, names: Sequence[str] = SCHEMA.names) -> Table:
    """Columns of the log, of rows that an older version may have written: what it did not know is null."""
    known = set(table.column_names)
    found: list[Array] = []
    for name in names:
        kind = SCHEMA.field(name).type
        if name in known:
            found.append(table.column(name).cast(kind))
        elif name == "authority" and "backend" in known:
            by_backend = compute.fill_null(table.column("backend"), False)
            found.append(compute.if_else(by_backend, int(Authority.BACKEND), int(Authority.PAGE)).cast(kind))
        else:
            found.append(arrow.chunked_array([arrow.nulls(table.num_rows, kind)], kind))
    return arrow.table(found, schema=arrow.schema([SCHEMA.field(name) for name in names]))


class PartListing:
    """The live parts of one log, for a process that asks again and again: it reads only what changed."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._known: Survey | None = None
        self._folders = FolderListing(log)
        self._manifests: dict[Path, Manifest] = {}

    def live(self) -> list[Part]:
        """As `live_parts`."""
        found = self.survey()
        if found.damages:
            raise found.damages[0]
        return found.parts

    def survey(self) -> Survey:
        """As the function `survey`; nothing is read again while no folder changed.

        Reading a folder takes no snapshot: a part that the writer adds meanwhile may be seen without the one before it.
        So what looks damaged is looked at again before it is said.
        """
        if self._known is not None and self._folders.stood_still():
            return self._known
        found = self._survey()
        for _ in range(_SECOND_LOOKS):
            if not found.damages:
                break
            self._folders.forget()
            found = self._survey()
        self._known = None if found.damages else found
        return found

    def newest(self, shard: int) -> Found | None:
        """The files with the highest sequence number of a shard, None for a shard without parts.

        The part that the writer has not finished counts; a merge that came to no end does not.
        """
        files = self._folders.files()
        own = [file for file in files if file.name.shard == shard and (file.has_manifest or file.name.generation == 0)]
        return max(own, key=lambda file: (file.name.high, file.name.generation), default=None)

    def _survey(self) -> Survey:
        dropped = read_dropped(self._log)
        found = Survey([], [])
        for shard, standing in by_shard(self._folders.files(), dropped).items():
            for file in standing:
                if not file.has_data:
                    found.damages.append(DataDamaged(file.data.name, "the file is missing"))
                    continue
                try:
                    if file.data not in self._manifests:
                        self._manifests[file.data] = read_manifest(file.manifest)
                    found.parts.append(part_of(file, self._manifests[file.data]))
                except (OSError, ValueError):
                    cause = f"its manifest {file.manifest.name} cannot be read"
                    found.damages.append(DataDamaged(file.data.name, cause))
            for gap in gaps(dropped, shard, standing):
                found.damages.append(CopyTorn(gap) if gap.torn else DataDamaged(f"{gap.name}{DATA_SUFFIX}", gap.cause))
        self._manifests = {part.path: self._manifests[part.path] for part in found.parts}
        return _without_doubled(found)


def part_of(file: Found, manifest: Manifest) -> Part:
    """The part that the files and their manifest make."""
    return Part(path=file.data, date=file.date, **(msgspec.structs.asdict(manifest) | file.name._asdict()))


def _without_doubled(found: Survey) -> Survey:
    """Each part of a shard begins in the stream where the one before it ended; one that does not is a copy.

    Its rows have the positions of other rows, so whatever hides the one would hide the other.
    """
    before: dict[int, Part] = {}
    for part in found.parts:
        last = before.get(part.shard)
        if last is not None and part.rows and part.first_stream_number <= last.last_stream_number:
            found.damages.append(DataDamaged(part.path.name, f"it holds what part {last.path.name} holds already"))
        else:
            before[part.shard] = part
    doubled = {damage.name for damage in found.damages}
    return Survey([part for part in found.parts if part.path.name not in doubled], found.damages)
