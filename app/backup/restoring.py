"""Puts a backup back into a new data directory: checked while it is copied, whole or not at all, without the erased."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from app.backup.manifest import DATA, JOURNAL, REST, BackupManifest, BackupUnusable, Progress, read_backup, sync_tree
from app.runtime.data_directory import DataDirectory, DirectoryInUse, DirectoryUnusable
from app.runtime.format import RESTORED
from events.log.copying import make_digests
from events.log.verify import LogReport, verify_log
from events.privacy.journal import Erasure, ErasureJournal, JournalUnusable, erase_again
from events.writer.rest import RestUnreadable, write_rest
from kit.files import TEMPORARY_PREFIX, content_of, copy_file, remove_leftovers, sync, temporary_path
from kit.time import now_us

NOTHING: Final = frozenset({"resonate.lock", "lost+found"})
"""What an empty data directory may hold: our own lock, and what an empty disk has."""


class RestoreRefused(Exception):
    """Nothing was restored, and nothing of it is left; the message says why, and what would be right."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of a restore.

    `events` of the stream's rest became parts; so many ids were `erased_again`. `erasures_known_until` is None where a
    journal knows them all.
    """

    data: str
    backup: str
    made_at: str
    events: int
    erased_again: int
    erasures_known_until: str | None
    with_keys: bool
    log: LogReport

    def as_json(self) -> dict[str, Any]:
        """For a machine."""
        return {**{name: value for name, value in asdict(self).items() if name != "log"}, "log": self.log.as_json()}


def restore_backup(source: Path, data: Path, journals: Sequence[Path], progress: Progress) -> Restored:
    """Write a backup into a data directory that is absent or empty, and erase in it whom the journals know.

    No service can start there, and nobody can read there, before all of it is done. Raises RestoreRefused.
    """
    source, data = source.absolute(), data.absolute()
    try:
        manifest = read_backup(source)
        erasures = [erasure for journal in journals for erasure in ErasureJournal(journal).erasures()]
        if manifest.with_journal:
            erasures += ErasureJournal(source / JOURNAL).erasures()
    except (BackupUnusable, JournalUnusable) as error:
        raise RestoreRefused(str(error)) from None
    is_new = not data.exists()
    lock = _claimed(data)
    draft = temporary_path(data / RESTORED)
    try:
        draft.mkdir(mode=0o700)
        events, again = _written(source, manifest, draft, (erasures, progress))
        _put(draft, data)
    except BaseException as error:
        shutil.rmtree(draft, ignore_errors=True)
        (data / "resonate.lock").unlink(missing_ok=True)
        if is_new:
            shutil.rmtree(data, ignore_errors=True)
        if isinstance(error, OSError):
            raise RestoreRefused(f"{error.filename or data}: {error.strerror or error}; nothing was restored") from None
        raise
    finally:
        os.close(lock)
    return Restored(
        data=str(data),
        backup=str(source),
        made_at=manifest.made_at,
        events=events,
        erased_again=again,
        erasures_known_until=None if journals else manifest.began_at,
        with_keys=manifest.with_keys,
        log=verify_log(data),
    )


def _claimed(data: Path) -> int:
    """The lock of a data directory that holds nothing, made where there is none. Raises RestoreRefused."""
    directory = DataDirectory(data)
    try:
        if not directory.lock_file.exists():  # nothing is written where nothing can be restored
            _refuse_full(data)
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = directory.claim()
    except (DirectoryInUse, DirectoryUnusable) as error:
        raise RestoreRefused(str(error)) from None
    except OSError as error:
        raise RestoreRefused(f"data directory {data}: {error.strerror}") from None
    try:
        remove_leftovers(data)  # of a restore that was killed
        _refuse_full(data)
    except BaseException:
        os.close(lock)
        raise
    return lock


def _refuse_full(data: Path) -> None:
    """Raises RestoreRefused where there is more than nothing, and what a killed restore left; OSError."""
    there = {path.name for path in data.iterdir()} if data.exists() else set()
    if {name for name in there - NOTHING if not name.startswith(TEMPORARY_PREFIX)}:
        raise RestoreRefused(f"{data} is not empty; restore into a new directory, then exchange them")


def _put(draft: Path, data: Path) -> None:
    """What is in the draft becomes the data directory's, or nothing of it stays there. Raises OSError."""
    put: list[Path] = []
    try:
        for path in sorted(draft.iterdir(), key=lambda path: (path.is_dir(), path.name)):  # the log after who is erased
            put.append(path.rename(data / path.name))
        draft.rmdir()
        sync(data)
    except BaseException:
        for path in reversed(put):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        raise


def _written(
    source: Path, manifest: BackupManifest, draft: Path, given: tuple[Sequence[Erasure], Progress]
) -> tuple[int, int]:
    """Make the data directory: how many events of the rest it has, and how many ids were erased again."""
    erasures, progress = given
    _copy(source, manifest, draft, progress)
    again = erase_again(draft, erasures)
    events, rests = 0, [(shard, source / REST / str(shard)) for shard, end in manifest.shards.items() if end.entries]
    try:
        for shard, path in rests:
            events += write_rest(draft, shard, path, now_us())
    except RestUnreadable as error:
        raise RestoreRefused(f"{source}: {error}; nothing was restored") from None
    make_digests(draft)
    sync_tree(draft)
    return events, again


def _copy(source: Path, manifest: BackupManifest, draft: Path, progress: Progress) -> None:
    """Copy the files of the data directory, and look at all. Raises RestoreRefused, naming every file that is wrong."""
    wrong: list[str] = []
    for done, (name, kept) in enumerate(manifest.files.items(), 1):
        place, _, below = name.partition("/")
        try:
            found = copy_file(source / name, draft / below) if place == DATA else content_of(source / name)
            differs = kept.differs(found)
        except FileNotFoundError:
            differs = "the file is missing"
        if differs is not None:
            wrong.append(f"{name}: {differs}")
        progress(done, len(manifest.files))
    if wrong:
        raise RestoreRefused(
            "\n".join([*wrong, f"{source} is damaged; nothing was restored: use another backup, or a copy of this one"])
        )
