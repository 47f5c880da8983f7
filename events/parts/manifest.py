"""The manifest beside each part, what the part holds and its sha256, and the listing of the log's folders."""

import os
import re
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from kit.files import replace_file

DATA_SUFFIX: Final = ".parquet"
MANIFEST_SUFFIX: Final = ".json"
DIGESTS_SUFFIX: Final = ".ids"

_STEM = re.compile(r"(?P<shard>\d+)-(?P<low>\d{12})(?:-(?P<high>\d{12})\.(?P<generation>\d+))?")


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a part holds. Times are microseconds UTC; stream numbers are those of `events.records.stream_number`.

    `last_stream_number` is where the writer goes on: it may lie above every row that compaction left in the part.
    """

    shard: int
    low: int
    high: int
    generation: int
    rows: int
    bytes: int
    sha256: str
    first_stream_number: int
    last_stream_number: int
    min_received_at: int
    max_received_at: int


class PartName(NamedTuple):
    """The range of one shard's sequence that a part covers; generation 0 is what the writer wrote."""

    shard: int
    low: int
    high: int
    generation: int

    @property
    def stem(self) -> str:
        """The file name without its suffix: `0-000000000007`, or `0-000000000000-000000000031.1` once compacted."""
        if self.generation == 0:
            return f"{self.shard}-{self.low:012d}"
        return f"{self.shard}-{self.low:012d}-{self.high:012d}.{self.generation}"

    def covers(self, other: "PartName") -> bool:
        """Whether this part stands in for the other one."""
        inside = self.shard == other.shard and self.low <= other.low and other.high <= self.high
        return inside and (self.generation > other.generation or (self.low, self.high) != (other.low, other.high))


def part_name(stem: str) -> PartName | None:
    """The name that a stem spells, or None for a file that is no part."""
    found = _STEM.fullmatch(stem)
    if found is None:
        return None
    low = int(found["low"])
    return PartName(int(found["shard"]), low, int(found["high"] or low), int(found["generation"] or 0))


def read_manifest(path: Path) -> Manifest:
    """The manifest in a file; raises OSError, or ValueError when it is not one."""
    return msgspec.json.decode(path.read_bytes(), type=Manifest)


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Put the manifest in place whole or not at all, durably with every other name in its folder."""
    replace_file(path, msgspec.json.encode(manifest))


LOG: Final = "log"
FOLDER_PREFIX: Final = "date="
_FOLDER = re.compile(re.escape(FOLDER_PREFIX) + r"\d{4}-\d{2}-\d{2}")
_SETTLED_NANOSECONDS: Final = 100_000_000  # a folder that changed this recently may change again within one clock tick


@dataclass(frozen=True, slots=True)
class Found:
    """The files of one part, as far as they are there."""

    folder: Path
    name: PartName
    has_data: bool
    has_manifest: bool

    @property
    def date(self) -> date:
        """The received date that the folder stands for."""
        return date.fromisoformat(self.folder.name.removeprefix(FOLDER_PREFIX))

    @property
    def data(self) -> Path:
        """The Parquet file."""
        return self.folder / f"{self.name.stem}{DATA_SUFFIX}"

    @property
    def manifest(self) -> Path:
        """The manifest: a part counts once it stands."""
        return self.folder / f"{self.name.stem}{MANIFEST_SUFFIX}"

    @property
    def digests(self) -> Path:
        """The digests of the part's ids (`events.parts.digests`), which can be made again from the part."""
        return self.folder / f"{self.name.stem}{DIGESTS_SUFFIX}"

    def remove(self) -> None:
        """Delete the files; the data first: without its manifest a plain part would look like one being written."""
        for path in (self.data, self.digests, self.manifest):
            path.unlink(missing_ok=True)


def holds_log(data: Path) -> bool:
    """Whether anything was ever written into the log of a data directory, and is not all gone by retention."""
    return bool(date_folders(data / LOG))


def date_folder(log: Path, day: date) -> Path:
    """The folder of the parts received on a day."""
    return log / f"{FOLDER_PREFIX}{day.isoformat()}"


class FolderListing:
    """The files of a log's folders; a folder whose time of change stood still is not read again."""

    def __init__(self, log: Path) -> None:
        """List the folders below `log`."""
        self._log = log
        self._known: dict[Path, tuple[int, list[Found]]] = {}
        self._seen: dict[str, int] = {}

    def files(self) -> list[Found]:
        """Every part's files, in no particular order."""
        looked_at = time.time_ns() - _SETTLED_NANOSECONDS
        folders = date_folders(self._log)
        try:
            self._seen = {os.fspath(folder): os.stat(folder).st_mtime_ns for folder in (self._log, *folders)}
        except FileNotFoundError:
            self._seen = {}
        if max(self._seen.values(), default=0) >= looked_at:
            self._seen = {}  # one of them may change again within the same tick of the clock
        self._known = {folder: self._known[folder] for folder in folders if folder in self._known}
        return [file for folder in folders for file in self._files(folder)]

    def stood_still(self) -> bool:
        """Whether nothing in the log's folders has changed since `files` was asked."""
        try:
            return bool(self._seen) and all(os.stat(path).st_mtime_ns == was for path, was in self._seen.items())
        except FileNotFoundError:
            return False

    def forget(self) -> None:
        """Read everything again the next time."""
        self._known.clear()

    def _files(self, folder: Path) -> list[Found]:
        changed = os.stat(folder).st_mtime_ns
        known = self._known.get(folder)
        if known is not None and known[0] == changed:
            return known[1]
        suffixes: dict[PartName, set[str]] = {}
        with os.scandir(folder) as entries:
            for entry in entries:
                stem, suffix = os.path.splitext(entry.name)
                name = part_name(stem)
                if name is not None and suffix in (DATA_SUFFIX, MANIFEST_SUFFIX):
                    suffixes.setdefault(name, set()).add(suffix)
        files = [Found(folder, name, DATA_SUFFIX in own, MANIFEST_SUFFIX in own) for name, own in suffixes.items()]
        if time.time_ns() - changed > _SETTLED_NANOSECONDS:
            self._known[folder] = (changed, files)
        return files


def date_folders(log: Path) -> list[Path]:
    """The log's folders, oldest day first."""
    try:
        with os.scandir(log) as entries:
            return sorted(Path(entry.path) for entry in entries if _FOLDER.fullmatch(entry.name))
    except FileNotFoundError:
        return []
