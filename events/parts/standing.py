"""Which of a log's files stand, and what is missing among them: by their names alone, so that any process may look."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from events.parts.ledger import Dropped, read_dropped
from events.parts.manifest import LOG, FolderListing, Found, PartName


class Gap(NamedTuple):
    """Parts of a shard that are not there, from `low` to `high`. `torn`: the store names them, and the log never had
    them: it was copied at another moment, or put back beside another store.
    """

    shard: int
    low: int
    high: int
    torn: bool

    @property
    def name(self) -> str:
        """The first of them, or the first and the last."""
        first, last = (PartName(self.shard, each, each, 0).stem for each in (self.low, self.high))
        return f"{first}..{last}" if self.torn else first

    @property
    def cause(self) -> str:
        """Why they are missing."""
        if not self.torn:
            return "the file is missing"
        return (
            f"the store names parts up to {self.high}, the log "
            + (f"ends at {self.low - 1}" if self.low else "has none")
            + ": the two are of different moments, as in a copy made while the service ran"
        )

    @property
    def told(self) -> str:
        """What there is to do about a torn copy, and what it costs."""
        return (
            f"{self.cause}. Restore a backup made by `resonate backup`; or put the parts {self.name} back; or stop the"
            f" service and go on without them by `resonate verify --set-aside {self.name}`: their events are lost then,"
            " and every readout says so"
        )


def by_shard(files: Sequence[Found], dropped: Dropped) -> dict[int, list[Found]]:
    """The standing files of each shard, in order; also of shards of which none is there and some should be."""
    found: dict[int, list[Found]] = {shard: [] for shard in dropped.torn}
    order = sorted(files, key=lambda file: (file.name.shard, file.name.low, -file.name.high, -file.name.generation))
    for file in order:  # the widest of each first
        if not dropped.covers(file.name):
            found.setdefault(file.name.shard, []).append(file)
    return {shard: _standing(found[shard]) for shard in sorted(found)}


def gaps(dropped: Dropped, shard: int, standing: Sequence[Found]) -> Iterator[Gap]:
    """What lies between the parts of a shard, or behind them where that is known, and was not dropped."""
    low, high = dropped.torn.get(shard, (0, -1))
    expected = dropped.after(shard, 0)
    for name in [*(file.name for file in standing), PartName(shard, high + 1, high, 0)]:
        if name.low > expected:
            is_torn = low <= expected <= high
            yield Gap(shard, expected, min(high, name.low - 1) if is_torn else expected, is_torn)
        expected = max(expected, dropped.after(shard, name.high + 1))


def torn_parts(data: Path) -> list[Gap]:
    """The parts that a store names and the log of a data directory lacks. One file is read where there are none."""
    log = data / LOG
    dropped = read_dropped(log)
    if not dropped.torn:
        return []
    standing = by_shard(FolderListing(log).files(), dropped)
    return [gap for shard, files in standing.items() for gap in gaps(dropped, shard, files) if gap.torn]


def _standing(files: list[Found]) -> list[Found]:
    """The files of a shard that nothing stands in for, without those that are still being written.

    A part counts from its manifest on. The writer's newest has none for a moment (or after a crash, until the writer
    adopts it), and neither has a merge that never came to its end; any other part without one is damaged.
    """
    newest = max((file.name.high for file in files if file.has_manifest), default=-1)
    standing: list[Found] = []
    for file in files:
        begun = not file.has_manifest and (file.name.generation > 0 or file.name.low > newest)
        covered = bool(standing) and standing[-1].name.covers(file.name)
        if not begun and not covered:
            standing.append(file)
    return standing
