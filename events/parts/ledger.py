"""The ledger of sequence numbers that retention or a person took out of the log: they are gone, not missing."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from events.parts.manifest import PartName
from kit.files import locked, replace_file

LEDGER: Final = "dropped.json"


class Loss(msgspec.Struct, frozen=True):
    """A damaged part that a person decided to go on without: its file, what was wrong, when (ISO 8601, UTC)."""

    name: str
    cause: str
    set_aside_at: str


class Dropped(msgspec.Struct, frozen=True):
    """Per shard, the sequence ranges (first and last included) that are gone on purpose, ascending and disjoint.

    `torn` is the range that each shard lacked when a writer began whose store names parts up to its end: no reader
    passes over it, also before the next part stands behind it.
    """

    shards: dict[int, list[tuple[int, int]]] = {}
    lost: list[Loss] = []
    torn: dict[int, tuple[int, int]] = {}

    def covers(self, name: PartName) -> bool:
        """Whether the whole part was dropped."""
        return any(low <= name.low and name.high <= high for low, high in self.shards.get(name.shard, []))

    def after(self, shard: int, sequence: int) -> int:
        """The first sequence number from `sequence` on that was not dropped."""
        for low, high in self.shards.get(shard, []):
            if low <= sequence <= high:
                sequence = high + 1
        return sequence

    def with_torn(self, shard: int, low: int, high: int) -> "Dropped":
        """The ledger with parts that the store names and the log lacks; what was torn before is still."""
        before = self.torn.get(shard, (low, high))
        return replace(self, torn={**self.torn, shard: (min(low, before[0]), max(high, before[1]))})

    def with_names(self, names: list[PartName]) -> "Dropped":
        """The ledger with these parts in it too."""
        ranges = {shard: list(own) for shard, own in self.shards.items()}
        for name in names:
            ranges.setdefault(name.shard, []).append((name.low, name.high))
        joined: dict[int, list[tuple[int, int]]] = {shard: [] for shard in ranges}
        for shard, own in joined.items():
            for low, high in sorted(ranges[shard]):
                if own and low <= own[-1][1] + 1:
                    own[-1] = (own[-1][0], max(high, own[-1][1]))
                else:
                    own.append((low, high))
        return replace(self, shards=joined)


def read_dropped(log: Path) -> Dropped:
    """The ledger of a log; an empty one before retention ever ran. Raises ValueError when it is not readable."""
    try:
        content = (log / LEDGER).read_bytes()
    except FileNotFoundError:
        return Dropped()
    return msgspec.json.decode(content, type=Dropped)


def change_dropped(log: Path, change: Callable[[Dropped], Dropped]) -> Dropped:
    """Put a changed ledger in place durably, and answer it: it has to stand before the first of its parts goes.

    Retention and a writer that begins may do so at the same time. Raises OSError, ValueError as `read_dropped`.
    """
    with locked(log / LEDGER):
        before = read_dropped(log)
        after = change(before)
        if after != before:
            replace_file(log / LEDGER, msgspec.json.encode(after))
        return after
