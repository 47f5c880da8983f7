"""The manifest beside each part: what the part holds and the sha256 that it must have."""

import re
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from events.durable import replace_file

DATA_SUFFIX: Final = ".parquet"
MANIFEST_SUFFIX: Final = ".json"
DIGESTS_SUFFIX: Final = ".ids"

_STEM = re.compile(r"(?P<shard>\d+)-(?P<low>\d{12})(?:-(?P<high>\d{12})\.(?P<generation>\d+))?")


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a part holds. Times are microseconds UTC; stream numbers are those of `events.columns.stream_number`.

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
    """Put the manifest in place whole or not at all. The caller makes the folder durable."""
    replace_file(path, msgspec.json.encode(manifest))
