"""Drops whole days that are older than the retention; the newest part of each shard stays, it says where to go on."""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

from events.decoding import EARLIEST_CLOCK
from events.dropped import read_dropped, write_dropped
from events.listing import FolderListing, Found
from events.manifest import PartName

_logger = logging.getLogger(__name__)


def retain(log: Path, days: int, now_seconds: float) -> list[PartName]:
    """Drop the parts received more than `days` days ago; returns what went.

    First the ledger says which sequence numbers are gone, from then on no reader sees them; then the files go. So a
    crash leaves files that are no part of the log any more, and the next run removes them.
    """
    if now_seconds * 1e6 < EARLIEST_CLOCK:
        return []
    files = FolderListing(log).files()
    oldest = datetime.fromtimestamp(now_seconds, UTC).date() - timedelta(days=days)
    ledger = read_dropped(log)
    gone = [
        file for file in files if file.date < oldest and not _is_newest(file, files) and not ledger.covers(file.name)
    ]
    if gone:
        ledger = ledger.with_names([file.name for file in gone])
        write_dropped(log, ledger)
        _logger.info("retention dropped parts", extra={"parts": len(gone), "older_than": oldest.isoformat()})
    for file in files:
        if ledger.covers(file.name):
            _remove(file)
    return [file.name for file in gone]


def _is_newest(file: Found, files: list[Found]) -> bool:
    return file.name.high == max(other.name.high for other in files if other.name.shard == file.name.shard)


def _remove(file: Found) -> None:
    for path in (file.data, file.digests, file.manifest):
        path.unlink(missing_ok=True)
    if not any(file.folder.iterdir()):
        file.folder.rmdir()
