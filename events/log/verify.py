"""Checks a whole log against its sums and neighbours, and takes a damaged part out where a person decided so."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from msgspec import to_builtins
from msgspec.structs import replace

from events.deletes.tombstones import read_tombstones
from events.parts.ledger import Loss, change_dropped, read_dropped
from events.parts.manifest import DATA_SUFFIX, LOG, FolderListing, PartName, part_name
from events.parts.part import Contents, DataDamaged, Part, PartReplaced, survey
from events.parts.sealing import footer_stream_number
from events.parts.standing import torn_parts

FOLDER: Final = "set-aside"
OUTSIDE: Final = ("**/damaged-*", f"{LOG}/{FOLDER}/*", f"{LOG}/unreadable-*")  # what no erasure rewrites

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
    `set_aside` damaged parts that a person decided to go on without.
    `outside_erasure` are files that may hold rows of people who were erased since: a person looks at them, and deletes.
    """

    parts: int
    rows: int
    bytes: int
    tombstones: int
    damages: tuple[Damage, ...]
    unreadable: tuple[str, ...]
    set_aside: tuple[Loss, ...] = ()
    outside_erasure: tuple[str, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether every part is there and is what was written."""
        return not self.damages

    def as_json(self) -> dict[str, Any]:
        """The report for a machine."""
        return {"sound": self.is_sound, **asdict(self), "set_aside": to_builtins(self.set_aside)}


def verify_log(data: Path, progress: Progress | None = None) -> LogReport:
    """Read every live part of a data directory whole; nothing is changed. A running service need not stop for it."""
    found, looked_at = survey(data / LOG), dict[Path, Damage | None]()
    while left := [part for part in found.parts if part.path not in looked_at]:
        for part in left:
            with suppress(PartReplaced):  # its rows are in another one now
                looked_at[part.path] = _damage(part)
            if progress is not None:
                progress(len(looked_at), len(found.parts))
        if any(part.path not in looked_at for part in left):
            found = survey(data / LOG)
    damages = [Damage(damage.name, damage.cause) for damage in found.damages]
    damages += [damage for part in found.parts if (damage := looked_at[part.path]) is not None]
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
        unreadable=tuple(sorted(path.name for path in (data / LOG).glob("unreadable-*"))),
        set_aside=tuple(read_dropped(data / LOG).lost),
        outside_erasure=tuple(sorted(str(path.relative_to(data)) for place in OUTSIDE for path in data.glob(place))),
    )


def _damage(part: Part) -> Damage | None:
    """What is wrong with it, read whole. Raises PartReplaced."""
    try:
        with Contents().opened(part) as file:
            rows: int = file.metadata.num_rows
        if (rows, footer_stream_number(part.path)) == (part.rows, part.last_stream_number):
            return None
        return Damage(part.path.name, "its manifest says other rows or another stream id than its footer")
    except PartReplaced:
        raise
    except DataDamaged as damage:
        return Damage(damage.name, damage.cause)


class NotDamaged(Exception):
    """Only what `resonate verify` names as a damaged part can be set aside."""


def set_aside(data: Path, name: str, now: datetime) -> Loss:
    """Move a damaged part to `log/set-aside/` and note the loss, which readouts and `verify` go on telling.

    Only for a data directory that no service uses. The ledger comes first: a crash leaves files that no reader takes.
    Raises NotDamaged.
    """
    log = data / LOG
    damage = next((damage for damage in verify_log(data).damages if damage.name == name), None)
    torn = next((gap for gap in torn_parts(data) if gap.name == name), None)
    part = part_name(name.removesuffix(DATA_SUFFIX)) if torn is None else PartName(torn.shard, torn.low, torn.high, 0)
    if part is None or damage is None:
        raise NotDamaged(f"{name} is not a damaged part of the log; `resonate verify` names those that are")
    loss = Loss(name, damage.cause, now.astimezone(UTC).isoformat(timespec="seconds"))
    files = [file for file in FolderListing(log).files() if file.name == part]
    change_dropped(log, lambda ledger: replace(ledger.with_names([part]), lost=[*ledger.lost, loss]))
    (log / FOLDER).mkdir(exist_ok=True)
    for file in files:
        for path in (file.data, file.digests, file.manifest):
            if path.exists():
                path.rename(log / FOLDER / path.name)
    return loss
