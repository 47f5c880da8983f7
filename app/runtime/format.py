"""What a data directory is, before anything of it is used: a whole one, and in which format, as its file says."""

import json
import logging
import os
import pwd
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from events.format import UNMARKED, Format, Release, this_release
from kit.files import TEMPORARY_PREFIX, Ballast, keep_file, read_or_none

logger = logging.getLogger("resonate.supervisor")

PLACE: Final = "format"
RESTORED: Final = "restored"  # the end of the name of what is being restored
OF_A_BACKUP: Final = frozenset({"data_format", "began_at", "shards"})  # in the manifest of each
HELD: Final = ("catalogue", "log", "store")
"""What a data directory has in it as soon as a release has served it, also one that noted no format."""


class FormatRefused(Exception):
    """This release must leave a data directory alone; the message says why, and what would be right.

    It is no damage: another release reads it, or it is a piece of something else.
    """


def check_whole(data: Path, *, writes: bool = False) -> None:
    """Raises FormatRefused for half a restore, and for a backup or a part of one where a command `writes`."""
    if any(data.glob(f"{TEMPORARY_PREFIX}*-{RESTORED}")):
        raise FormatRefused(
            f"data directory {data}: it holds a part of what is restored there; where no restore runs any more it was"
            " broken off: empty it and restore again, or name another directory in RESONATE_DATA"
        )
    place = data.resolve()
    for backup in (place, *([place.parent] if place.name == "data" else [])):
        if writes and _is_backup(backup):
            raise FormatRefused(
                f"data directory {data}: it is a part of the backup {backup}, which would be changed;"
                f" resonate restore {backup} makes a data directory of it"
            )


def check_user(data: Path) -> None:
    """Raises FormatRefused for root where a service of another user runs, or ran: it could not open what root makes."""
    try:
        user = (data / "run").stat().st_uid
    except OSError:
        return
    if os.geteuid() == 0 != user:
        try:
            name = pwd.getpwuid(user).pw_name
        except KeyError:
            name = f"#{user}"
        raise FormatRefused(
            f"data directory {data}: its service runs as {name}, and could not open what root leaves there; run this as"
            f" that user, as by sudo -u '{name}'"
        )


def check_format(data: Path, release: Release | None = None, *, writes: bool = False) -> Format | None:
    """In which format a data directory is; None for one that holds nothing yet. Nothing is written.

    Raises FormatRefused where this release may not read it, or may not write it where it `writes`.
    """
    path = data / PLACE
    if data.is_dir() and not os.access(data, os.X_OK):  # whoever goes on to use it says so
        return None
    try:
        content = read_or_none(path)
        found = None if content is None else Format.of_json(content)
    except OSError as error:
        raise FormatRefused(f"{path} cannot be read: {error.strerror}; let the user of the service read it") from None
    except ValueError as error:
        example = msgspec.json.encode((release or this_release()).noted(None)).decode()
        raise FormatRefused(
            f"{path} does not say in which format data directory {data} is ({error}); it should be like {example}: "
            "restore it from a backup"
        ) from None
    if found is None and any((data / name).exists() for name in HELD):
        found = UNMARKED
    if found is not None:
        refusal = (release or this_release()).refusal(f"data directory {data}", found, writes=writes)
        if refusal is not None:
            raise FormatRefused(refusal)
    return found


def note_format(data: Path, release: Release | None = None) -> None:
    """Note what a release writes into a data directory that it serves, before it writes anything else there.

    The number never falls. Raises FormatRefused, or OSError where it cannot be noted: not where it is the number that
    the data has without it; and an upgrade has the ballast of the release before, so that a full disk keeps no service
    of data that was served from starting.
    """
    release = release or this_release()
    path = data / PLACE
    found = check_format(data, release, writes=True)
    noted = release.noted(found)
    if noted == found and path.exists():
        return
    try:
        keep_file(path, msgspec.json.encode(noted) + b"\n", Ballast(data))
    except OSError as error:
        if found is None or replace(noted, written_by=found.written_by) != found:
            raise
        logger.warning("%s is noted by the next start: %s", path, error.strerror)


def _is_backup(folder: Path) -> bool:
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(manifest, dict) and manifest.keys() >= OF_A_BACKUP
