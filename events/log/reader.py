"""The log as it stands: its live parts, the rows that nobody may see, how far it reaches. One reader a process."""

import threading
from dataclasses import dataclass
from pathlib import Path

from events.deletes.hidden import Hidden, HiddenRows
from events.parts.digests import Digests
from events.parts.ledger import Loss, read_dropped
from events.parts.part import Contents, Part, PartListing


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One state of the log: the parts that hold rows, which rows are hidden, the newest moment it holds (µs).

    `lost` are damaged parts that a person decided to go on without. Equal `identity`s hold the same rows.
    """

    parts: tuple[Part, ...]
    hidden: Hidden
    watermark_us: int | None
    lost: tuple[Loss, ...]
    identity: tuple[object, ...]


class LogReader:
    """Reads the log of one data directory for engines, export and privacy, from any thread.

    It looks at what changed only; what it keeps of a part goes with the part.
    """

    def __init__(self, data: Path) -> None:
        """Nothing is read yet."""
        self.data = data
        self.folder = data / "log"
        self._listing = PartListing(self.folder)
        self.contents = Contents()
        self._hidden = HiddenRows(data, self.contents)
        self._listed: list[Part] = []
        self._snapshot: Snapshot | None = None
        self._people: dict[Path, Digests] = {}
        self._looking = threading.Lock()

    def snapshot(self) -> Snapshot:
        """The log as it stands; raises `DataDamaged` where a part is missing, or one is damaged that hides rows.

        Of the other parts nothing is read.
        """
        with self._looking:
            listed = self._listing.live()
            hidden = self._hidden.positions(listed)
            known = self._snapshot
            if known is not None and listed is self._listed and hidden is known.hidden:
                return known
            live = {part.path for part in listed}
            self.contents.keep(live)
            self._people = {path: people for path, people in self._people.items() if path in live}
            parts = tuple(part for part in listed if part.rows)
            watermark_us = max((part.max_received_at for part in parts), default=None)
            self._listed, self._snapshot = (
                listed,
                Snapshot(
                    parts=parts,
                    hidden=hidden,
                    watermark_us=watermark_us,
                    lost=tuple(read_dropped(self.folder).lost),
                    identity=(
                        tuple(part.path.name for part in parts),
                        *(table.num_rows for table in hidden),
                        watermark_us,
                    ),
                ),
            )
            return self._snapshot

    def parts(self) -> list[Part]:
        """The live parts; raises `DataDamaged` where one is missing. Nothing of them is read."""
        with self._looking:
            return self._listing.live()

    def people(self, part: Part) -> Digests:
        """The digests of the people whose rows a part holds, sorted; read once."""
        with self._looking:
            if part.path not in self._people:
                people = self.contents.digests(part).people
                self._people[part.path] = people.copy()  # else it would hold the digests of all messages too
            return self._people[part.path]
