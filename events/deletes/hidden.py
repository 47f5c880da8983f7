"""The rows that nobody may see (repeated messages, rows of erased people), and those that nobody counts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from events.deletes.duplicates import Duplicates, no_repeats
from events.deletes.erased_rows import erased, may_concern
from events.deletes.tombstones import Tombstone, read_tombstones
from events.parts.arrow import Table, arrow
from events.parts.part import POSITION, Contents, Part

_REPEATED: Final = ["message_id", "type", "authority", "received_at", *POSITION]
_COLUMNS: Final = [*_REPEATED, "visitor_id", "user_id"]


class Hidden(NamedTuple):
    """Positions (`shard, stream_id, position`, int64) of rows; usually none at all.

    No readout and no export may see `rows`. A readout also leaves the `outranked` out that were told with more
    authority by its moment, in µs the column `since`.
    """

    rows: Table
    outranked: Table


class HiddenRows:
    """The hidden rows of one data directory, for a process that asks again and again: it looks at what changed only."""

    def __init__(self, data: Path, contents: Contents) -> None:
        self._data = data
        self._contents = contents
        self._duplicates = Duplicates(contents)
        self._stones: list[Tombstone] = []
        self._concern: dict[Path, tuple[Tombstone, ...]] = {}
        self._erased: dict[Path, Table] = {}
        self._asked: tuple[Path, ...] | None = None
        self._answer = Hidden(*no_repeats())

    def positions(self, parts: Sequence[Part]) -> Hidden:
        """The hidden rows among these live parts.

        A row that is both repeated and erased may stand in it twice. Erased rows supersede nothing: a message that
        comes again after its sender was erased counts anew, whether or not compaction has dropped the first one.
        """
        stones = read_tombstones(self._data)
        asked = tuple(part.path for part in parts)
        if asked != self._asked or stones != self._stones:
            self._asked = None  # until the answer is there: one that failed is asked again
            if stones != self._stones:
                self._stones, self._concern, self._erased = stones, {}, {}
                self._duplicates.forget_rows()
            live = set(asked)
            self._concern = {path: known for path, known in self._concern.items() if path in live}
            self._erased = {path: known for path, known in self._erased.items() if path in live}
            for part in parts:
                concerning = self._concerning(part)
                if concerning and part.path not in self._erased:
                    table = self._contents.columns(part, _COLUMNS)
                    mask = erased(table, part.shard, concerning)
                    self._erased[part.path] = table.filter(arrow.array(mask)).select(POSITION)
            repeats = self._duplicates.repeats(parts, self._visible)
            erased_rows = [self._erased[part.path] for part in parts if part.path in self._erased]
            self._answer = Hidden(arrow.concat_tables([repeats.same, *erased_rows]), repeats.outranked)
            self._asked = asked
        return self._answer

    def _concerning(self, part: Part) -> tuple[Tombstone, ...]:
        if not self._stones:
            return ()
        if part.path not in self._concern:
            people = self._contents.digests(part).people
            self._concern[part.path] = may_concern(self._stones, part.shard, part.first_stream_number, people)
        return self._concern[part.path]

    def _visible(self, part: Part) -> Table:
        table = self._contents.columns(part, _COLUMNS)
        stones = self._concerning(part)
        if stones:
            table = table.filter(arrow.array(~erased(table, part.shard, stones)))
        return table.select(_REPEATED)
