"""Makes a backup of a data directory: what no part holds, then the parts, then all that is small, last the manifest."""

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from app.backup.last_run import LAST_RUN, BackupRun, note_run
from app.backup.manifest import (
    DATA,
    FORMAT,
    JOURNAL,
    REST,
    BackupManifest,
    KeptFile,
    ShardEnd,
    sync_tree,
    write_backup,
)
from app.backup.stream import StreamAway, Taken, take_stream
from app.runtime.format import check_format
from app.runtime.settings import Settings
from events.deletes.tombstones import read_tombstones
from events.format import UNMARKED
from events.log.copying import CopiedLog, LogRestless, copy_log
from events.log.verify import Damage
from events.parts.manifest import LOG
from events.privacy.journal import ErasureJournal, JournalUnusable
from kit.files import Content, content_of, copy_file, in_utf_8, link_file, read_or_none, recording
from kit.time import iso, now_utc

CURRENT: Final = "current"  # in a folder of versions: the name of the one in use
HISTORY: Final = "history"  # of the catalogue
OF_THE_RUN: Final = frozenset({"resonate.lock", "run", "store", "identity", LAST_RUN, "lost+found"})
"""What belongs to the service that runs, or to this one directory: sockets, store, its identity beside others, and
what a disk keeps for itself, which nobody but root can look into.
"""
KEYS: Final = frozenset({"keys.json", "secrets"})
"""What opens something, or proves it: only who asks for it gets it."""
BALLAST: Final = "ballast-"  # room that is given up on a full disk (kit/files.py)
MOST_TRIES: Final = 5


class BackupRefused(Exception):
    """There is no backup, and nothing of one is left; the message says why, and what would be right."""


def make_backup(settings: Settings, destination: Path, *, with_keys: bool = False) -> BackupManifest:
    """Make a backup in a folder that is not there yet. Everything that was acknowledged before the call is in it.

    The service may run, stand still or be stopped; it is not disturbed. Raises BackupRefused.
    """
    data, began, started = settings.data.absolute(), now_utc(), time.monotonic()
    destination = destination.absolute()
    _check(data, destination)

    def note(error: str | None, *, ok: bool) -> None:
        seconds = round(time.monotonic() - started, 3)
        run = BackupRun(finished_at=iso(now_utc()), seconds=seconds, ok=ok, destination=str(destination), error=error)
        try:
            note_run(data, run)
        except OSError:  # a full disk: the backup itself lies elsewhere, or failed and says so
            return

    try:
        destination.mkdir(mode=0o700)
        try:
            manifest = _made(settings, destination, began, with_keys=with_keys)
        except BaseException:
            shutil.rmtree(destination, ignore_errors=True)
            raise
    except (StreamAway, LogRestless, JournalUnusable) as error:
        note(str(error), ok=False)
        raise BackupRefused(str(error)) from None
    except OSError as error:
        told = f"{error.filename or destination}: {error.strerror or error}"
        note(told, ok=False)
        raise BackupRefused(f"{told}; nothing of a backup is left in {destination}") from None
    note(", ".join(each.name for each in manifest.damages) or None, ok=not manifest.damages)
    return manifest


def _check(data: Path, destination: Path) -> None:
    """Raises BackupRefused for a place where there can be no backup."""
    if not data.is_dir():
        raise BackupRefused(f"there is no data directory {data}; set RESONATE_DATA to the one to back up")
    if destination.exists() or destination.is_symlink():
        raise BackupRefused(f"{destination} is there already; name a new folder, such as one with the day in its name")
    if not destination.parent.is_dir():  # never made: it may be a disk that is not mounted
        raise BackupRefused(f"{destination.parent} is not there; make or mount it")
    if destination.resolve().is_relative_to(data.resolve()):
        raise BackupRefused(f"{destination} lies inside the data directory {data}; name a folder elsewhere")
    if in_utf_8(destination) != str(destination):
        raise BackupRefused(f"{in_utf_8(destination)}: its name is not UTF-8; name another folder")


def _made(settings: Settings, destination: Path, began: datetime, *, with_keys: bool) -> BackupManifest:
    data, target = settings.data.absolute(), destination / DATA
    taken = asyncio.run(take_stream(settings.model_copy(update={"data": data}), destination / REST))
    log = copy_log(data, target)
    files = {f"{REST}/{shard}": rest.content for shard, rest in taken.rests.items()}
    files |= {f"{DATA}/{name}": content for name, content in log.files.items()}
    for name, content in _small(data, target, OF_THE_RUN if with_keys else OF_THE_RUN | KEYS):
        files[f"{DATA}/{name}"] = content
    unnamed = [name for name in files if in_utf_8(name) != name]  # somebody else's: none of ours has such a name
    for name in unnamed:
        del files[name]
        (destination / name).unlink()
    if settings.erasure_journal is not None:  # last, so that who is erased in the tombstones is in it too
        with recording(destination / JOURNAL) as file:
            file.write(b"".join(line + b"\n" for line in ErasureJournal(settings.erasure_journal).lines()))
        files[JOURNAL] = file.content
    sync_tree(destination)
    manifest = BackupManifest(
        format=FORMAT,
        version=version("resonate"),
        data_format=check_format(data) or UNMARKED,
        began_at=iso(began),
        made_at=iso(now_utc()),
        shards=_ends(taken, log),
        files={name: KeptFile.of(content) for name, content in files.items()},
        parts=len(log.parts),
        rows=sum(part.rows for part in log.parts),
        tombstones=len(read_tombstones(target)),
        with_keys=with_keys,
        with_journal=JOURNAL in files,
        damages=[
            *(Damage(name, cause) for name, cause in log.damages.items()),
            *(
                Damage(in_utf_8(name), "its name is not UTF-8, so it is not in the backup: rename it")
                for name in unnamed
            ),
        ],
    )
    write_backup(destination, manifest)
    return manifest


def _ends(taken: Taken, log: CopiedLog) -> dict[int, ShardEnd]:
    """Also of shards that only parts know: they were the store's once."""
    ends: dict[int, ShardEnd] = {}
    for shard in sorted(taken.asked.keys() | log.ends.keys()):
        newest, rest = log.ends.get(shard), taken.rests.get(shard)
        ends[shard] = ShardEnd(
            sequence=newest.high if newest else -1,
            stream_id=taken.asked.get(shard, "0-0"),
            entries=rest.entries if rest else 0,
            events=rest.events if rest else 0,
        )
    return ends


def _small(data: Path, target: Path, left_out: frozenset[str]) -> Iterator[tuple[str, Content]]:
    """Copy all but the log: what is named, by its name in the data directory, and what was copied of it.

    Files that are replaced are copied, of folders of versions the one in use, whose files nobody changes, is linked.
    """
    for path in sorted(data.iterdir(), key=lambda path: (path.is_dir(), path.name)):
        if path.name in left_out or path.name.startswith((".", BALLAST)) or path.name == LOG:
            continue
        if path.is_file():
            yield from _copied(data, path, target)
        elif read_or_none(path / CURRENT) is not None:
            yield from _version(data, path, target)
        elif path.is_dir():
            yield from _folder(data, path, target)


def _copied(data: Path, path: Path, target: Path) -> Iterator[tuple[str, Content]]:
    """One file; none where it is gone."""
    name = path.relative_to(data)
    try:
        yield name.as_posix(), copy_file(path, target / name)
    except FileNotFoundError:
        (target / name).unlink(missing_ok=True)


def _folder(data: Path, folder: Path, target: Path, *, links: bool = False) -> Iterator[tuple[str, Content]]:
    """A folder with what is in it; of the catalogue its history last, so that what is current is in it."""
    for place, folders, files in os.walk(folder):
        folders.sort(key=lambda name: (name == HISTORY, name))
        for name in sorted(files):
            path = Path(place, name)
            if name.startswith(".") or path.is_symlink() or not path.is_file():  # opening a pipe might never end
                continue
            own = target / path.relative_to(data)
            if links and link_file(path, own):
                yield path.relative_to(data).as_posix(), content_of(own)
            else:
                yield from _copied(data, path, target)


def _version(data: Path, folder: Path, target: Path) -> Iterator[tuple[str, Content]]:
    """Of a folder of versions (models, products) the one in use, and what lies beside it."""
    found: list[tuple[str, Content]] = []
    current = read_or_none(folder / CURRENT) or b""
    for _ in range(MOST_TRIES):
        version_folder = folder / current.decode(errors="replace").strip()
        with contextlib.suppress(FileNotFoundError):
            found = list(_folder(data, version_folder, target, links=True))
        newest = read_or_none(folder / CURRENT) or b""
        if newest == current:
            break
        shutil.rmtree(target / version_folder.relative_to(data), ignore_errors=True)  # it may be going
        current = newest
    yield from found
    with recording(target / folder.name / CURRENT) as file:
        file.write(current)
    yield f"{folder.name}/{CURRENT}", file.content
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name != CURRENT and not path.name.startswith("."):
            yield from _copied(data, path, target)
