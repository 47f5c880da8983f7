"""Takes a damaged part out of the log for good, because a person decided to go on without its events."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from events.dropped import Loss, read_dropped, write_dropped
from events.listing import FolderListing
from events.manifest import DATA_SUFFIX, part_name
from events.verify import verify_log

FOLDER: Final = "set-aside"
_LOG: Final = "log"


class NotDamaged(Exception):
    """Only what `resonate verify` names as a damaged part can be set aside."""


def set_aside(data: Path, name: str, now: datetime) -> Loss:
    """Move a damaged part to `log/set-aside/` and note the loss, which readouts and `verify` go on telling.

    Only for a data directory that no service uses. The ledger comes first: a crash leaves files that no reader takes.
    Raises NotDamaged.
    """
    part = part_name(name.removesuffix(DATA_SUFFIX))
    damage = next((damage for damage in verify_log(data).damages if damage.name == name), None)
    if part is None or damage is None:
        raise NotDamaged(f"{name} is not a damaged part of the log; `resonate verify` names those that are")
    log = data / _LOG
    loss = Loss(name, damage.cause, now.astimezone(UTC).isoformat(timespec="seconds"))
    files = [file for file in FolderListing(log).files() if file.name == part]
    ledger = read_dropped(log).with_names([part])
    write_dropped(log, replace(ledger, lost=[*ledger.lost, loss]))
    (log / FOLDER).mkdir(exist_ok=True)
    for file in files:
        for path in (file.data, file.digests, file.manifest):
            if path.exists():
                path.rename(log / FOLDER / path.name)
    return loss
