"""What a backup says of itself: its manifest, written last. A backup counts once that stands, and is what it says."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, Final

import msgspec

from events.format import Format, this_release
from events.log.verify import Damage
from kit.files import Content, content_of, read_or_none, replace_file, sync

MANIFEST: Final = "manifest.json"
DATA: Final = "data"
"""The folder of what will be the data directory."""
REST: Final = "rest"
"""The folder of what no part held, a file for each shard."""
JOURNAL: Final = "erasures.ndjson"
FORMAT: Final = 1
"""Of the backup; what is in `data` has a number of its own."""

Progress = Callable[[int, int], None]
"""Told after each file how many are done, of how many."""


class BackupUnusable(Exception):
    """A folder is no backup that this release can use; the message says why."""


class KeptFile(msgspec.Struct, frozen=True):
    """A file of a backup."""

    bytes: int
    sha256: str

    @classmethod
    def of(cls, content: Content) -> "KeptFile":
        """What was written."""
        return cls(*content)

    def differs(self, content: Content) -> str | None:
        """What is wrong with a file that holds this instead; None where it is the same."""
        if content.bytes != self.bytes:
            return f"it has {content.bytes} bytes, and had {self.bytes}"
        return None if content.sha256 == self.sha256 else "its sha256 is not the one in the manifest"


class ShardEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How far a backup goes in one shard: everything that had been acknowledged by `stream_id` is in it.

    `sequence` is that of its newest part (-1: it has none); `entries` with `events` stood in the stream beside it.
    """

    sequence: int
    stream_id: str
    entries: int = 0
    events: int = 0


class BackupManifest(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of a backup. Times are ISO 8601; `began_at` is when it was begun, and until when erasures are known.

    `files` are all but the manifest, by their names in the backup; `damages` is what was wrong with the log already.
    `data_format` is that of the data directory.
    """

    format: int
    version: str
    data_format: Format
    began_at: str
    made_at: str
    shards: dict[int, ShardEnd]
    files: dict[str, KeptFile]
    parts: int
    rows: int
    tombstones: int
    with_keys: bool
    with_journal: bool
    damages: list[Damage] = []

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(file.bytes for file in self.files.values())

    @property
    def waiting(self) -> int:
        """Events that no part held."""
        return sum(end.events for end in self.shards.values())


class BackupReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was found when a backup was checked."""

    backup: str
    sound: bool
    made_at: str
    version: str
    files: int
    bytes: int
    parts: int
    events: int
    damages: list[Damage]


def read_backup(folder: Path) -> BackupManifest:
    """The manifest of a backup. Raises BackupUnusable."""
    try:
        content = read_or_none(folder / MANIFEST)
    except OSError as error:
        raise BackupUnusable(f"{folder / MANIFEST} cannot be read: {error.strerror}") from None
    if content is None:
        raise BackupUnusable(
            f"{folder} is no backup: it has no {MANIFEST}, which is written last; one that was broken off has none"
        )
    try:
        told: dict[str, Any] = msgspec.json.decode(content, type=dict[str, Any])
        number = told.get("format")
        if isinstance(number, int) and number > FORMAT:
            raise BackupUnusable(
                f"{folder} is a backup of format {number}, made by Resonate {told.get('version')}; this release reads"
                f" up to {FORMAT}: use that release, or a newer one"
            )
        manifest = msgspec.convert(told, BackupManifest, strict=False)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise BackupUnusable(f"{folder / MANIFEST} is not what `resonate backup` writes: {error}") from None
    refusal = this_release().refusal(f"the data in {folder}", manifest.data_format, writes=False)
    if refusal is not None:
        raise BackupUnusable(refusal)
    for name in manifest.files:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise BackupUnusable(f"{folder / MANIFEST} names {name!r}, which is no file of a backup")
    return manifest


def write_backup(folder: Path, manifest: BackupManifest) -> None:
    """Make the backup count. Raises OSError."""
    replace_file(folder / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1), mode=0o600)


def check_backup(folder: Path, progress: Progress) -> BackupReport:
    """Read every file of a backup whole; nothing is changed. Raises BackupUnusable."""
    manifest = read_backup(folder)
    damages = list(manifest.damages)
    for done, (name, kept) in enumerate(manifest.files.items(), 1):
        try:
            wrong = kept.differs(content_of(folder / name))
        except OSError as error:
            wrong = f"it cannot be read ({error.strerror})"
        if wrong is not None:
            damages.append(Damage(name, wrong))
        progress(done, len(manifest.files))
    return BackupReport(
        backup=str(folder),
        sound=not damages,
        made_at=manifest.made_at,
        version=manifest.version,
        files=len(manifest.files),
        bytes=manifest.bytes,
        parts=manifest.parts,
        events=manifest.rows + manifest.waiting,
        damages=damages,
    )


def sync_tree(folder: Path) -> None:
    """Return when every name below a folder, and its own, is on the disk."""
    for place, _, _ in os.walk(folder):
        sync(Path(place))
    with contextlib.suppress(PermissionError):  # of the folder above it only who may read it can say so
        sync(folder.parent)
