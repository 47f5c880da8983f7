"""The manifest beside each part, what the part holds and its sha256, and the listing of the log's folders."""

import contextlib
import os
import re
import time
from collections.abc import Callable
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
_SETTLED_SECONDS: Final = 0.1  # a folder that changed this recently may change again within one tick of its clock


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
    """The files of a log's folders; a folder whose time of change stood still is not read again.

    That time is the file system's. It is compared with itself alone, for no clock of ours need be the one it goes by.
    """

    def __init__(self, log: Path, pace: Callable[[], float] = time.monotonic) -> None:
        """List the folders below `log`; `pace` counts the seconds between two looks."""
        self._log = log
        self._pace = pace
        self._known: dict[Path, list[Found]] = {}
        self._seen: dict[Path, tuple[int, float]] = {}  # a folder's time of change, and since when it is known, by pace
        self._settled = set[Path]()

    def files(self) -> list[Found]:
        """Every part's files, in no particular order."""
        now, before, folders = self._pace(), self._seen, date_folders(self._log)
        self._seen = {}
        with contextlib.suppress(FileNotFoundError):
            for folder in (self._log, *folders):
                changed = os.stat(folder).st_mtime_ns
                known = before.get(folder)
                self._seen[folder] = known if known is not None and known[0] == changed else (changed, now)
        self._settled = {folder for folder, (_, since) in self._seen.items() if now - since > _SETTLED_SECONDS}
        self._known = {folder: files for folder, files in self._known.items() if folder in self._settled}
        return [file for folder in folders for file in self._files(folder)]

    def stood_still(self) -> bool:
        """Whether nothing in the log's folders has changed since `files` was asked."""
        if not self._seen or len(self._settled) < len(self._seen):
            return False
        try:
            return all(os.stat(path).st_mtime_ns == was for path, (was, _) in self._seen.items())
        except FileNotFoundError:
            return False

    def forget(self) -> None:
        """Read everything again the next time."""
        self._known.clear()

    def _files(self, folder: Path) -> list[Found]:
        known = self._known.get(folder)
        if known is not None:
            return known
        suffixes: dict[PartName, set[str]] = {}
        with os.scandir(folder) as entries:
            for entry in entries:
                stem, suffix = os.path.splitext(entry.name)
                name = part_name(stem)
                if name is not None and suffix in (DATA_SUFFIX, MANIFEST_SUFFIX):
                    suffixes.setdefault(name, set()).add(suffix)
        files = [Found(folder, name, DATA_SUFFIX in own, MANIFEST_SUFFIX in own) for name, own in suffixes.items()]
        if folder in self._settled:
            self._known[folder] = files
        return files


def date_folders(log: Path) -> list[Path]:
    """The log's folders, oldest day first."""
    try:
        with os.scandir(log) as entries:
            return sorted(Path(entry.path) for entry in entries if _FOLDER.fullmatch(entry.name))
    except FileNotFoundError:
        return []
