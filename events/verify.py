"""Checks a whole log: every part against its sha256, its footer and its neighbours."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from msgspec import to_builtins

from events.arrow import parquet
from events.dropped import Loss, read_dropped
from events.parts import DataDamaged, Part, survey, verify
from events.sealing import footer_stream_number
from events.tombstones import read_tombstones

_LOG: Final = "log"

Progress = Callable[[int, int], None]
"""Told after each part how many are done, of how many."""


@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong, and with which file."""

    name: str
    cause: str


@dataclass(frozen=True, slots=True)
class LogReport:
    """What a log holds and what is wrong with it. `unreadable` are stream entries that were kept aside as they came,
    `set_aside` damaged parts that a person decided to go on without."""

    parts: int
    rows: int
    bytes: int
    tombstones: int
    damages: tuple[Damage, ...]
    unreadable: tuple[str, ...]
    set_aside: tuple[Loss, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether every part is there and is what was written."""
        return not self.damages

    def as_json(self) -> dict[str, Any]:
        """The report for a machine."""
        return {"sound": self.is_sound, **asdict(self), "set_aside": to_builtins(self.set_aside)}


def verify_log(data: Path, progress: Progress | None = None) -> LogReport:
    """Read every live part of a data directory whole; nothing is changed. A running service need not stop for it."""
    found = survey(data / _LOG)
    damages = [Damage(damage.name, damage.cause) for damage in found.damages]
    for done, part in enumerate(found.parts, 1):
        damages += _damages(part)
        if progress is not None:
            progress(done, len(found.parts))
    try:
        tombstones = len(read_tombstones(data))
    except ValueError as error:
        tombstones = 0
        damages.append(Damage("tombstones.json", str(error)))
    return LogReport(
        parts=len(found.parts),
        rows=sum(part.rows for part in found.parts),
        bytes=sum(part.bytes for part in found.parts),
        tombstones=tombstones,
        damages=tuple(damages),
        unreadable=tuple(sorted(path.name for path in (data / _LOG).glob("unreadable-*"))),
        set_aside=tuple(read_dropped(data / _LOG).lost),
    )


def _damages(part: Part) -> list[Damage]:
    try:
        verify(part)
    except DataDamaged as damage:
        return [Damage(damage.name, damage.cause)]
    rows: int = parquet.ParquetFile(part.path).metadata.num_rows
    if (rows, footer_stream_number(part.path)) != (part.rows, part.last_stream_number):
        return [Damage(part.path.name, "its manifest says other rows or another stream id than its footer")]
    return []
