"""Saves what is sound of a damaged append-only file, and keeps the damaged one aside."""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

from kit.files import sync, write_file

AOF_FOLDER: Final = "appendonlydir"
MANIFEST: Final = "appendonly.aof.manifest"
SALVAGED: Final = f"{AOF_FOLDER}.salvaged"
DAMAGED: Final = "damaged-"
LONGEST_ARGUMENT: Final = 512 << 20
MOST_ARGUMENTS: Final = 1 << 20
COMMANDS: Final = frozenset(
    b"SELECT MULTI EXEC FUNCTION SET GET DEL UNLINK EXPIRE PEXPIRE EXPIREAT PEXPIREAT PERSIST HSET HMSET HSETNX HDEL"
    b" HINCRBY HINCRBYFLOAT INCR INCRBY XADD XTRIM XDEL XSETID XGROUP ZADD RPUSH SADD FLUSHALL FLUSHDB PING COPY"
    b" RENAME SETEX PSETEX".split()
)


@dataclass(frozen=True, slots=True)
class Salvage:
    """What was kept and lost; `aside` is the folder that holds the damaged files untouched."""

    aside: Path
    kept_bytes: int
    lost_bytes: int
    files: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{', '.join(self.files)} was damaged: {self.kept_bytes} sound bytes are in use, {self.lost_bytes} bytes"
            f" after the damage are not; the files as found are kept in {self.aside.name}"
        )


@dataclass(frozen=True, slots=True)
class _AofFile:
    name: str
    sequence: int
    kind: str  # b: base, i: increment


def lacks_manifest(store: Path) -> bool:
    """Whether append-only files lie there without their manifest: a server would start empty beside them."""
    folder = store / AOF_FOLDER
    return not _manifest_is_sound(folder) and bool(_files_by_name(folder))


def salvage(store: Path, now: datetime) -> Salvage:
    """Moves the append-only files aside and puts their sound beginning in their place, durably.

    Of each file the longest prefix of whole commands stays, a transaction only whole; what a damaged base lost does
    not cost the increments after it, as their commands carry absolute ids and values. Raises OSError (a full disk)
    with the damaged files still in their place.
    """
    folder, fresh = store / AOF_FOLDER, store / SALVAGED
    name, number = f"{DAMAGED}{now:%Y-%m-%dT%H-%M-%S}", 1
    aside = store / name
    while aside.exists():
        number += 1
        aside = store / f"{name}-{number}"
    try:
        kept, lost, damaged = _copy_sound(folder, fresh)
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    folder.rename(aside)
    finish_interrupted(store)
    return Salvage(aside, kept, lost, damaged)


def finish_interrupted(store: Path) -> None:
    """Puts salvaged files in their place: the last step of a salvage, repeated at the start after a crash before it."""
    if (store / SALVAGED).is_dir() and not (store / AOF_FOLDER).exists():
        (store / SALVAGED).rename(store / AOF_FOLDER)
        sync(store)


def damaged_folders(store: Path) -> list[Path]:
    """Append-only files that were moved aside and wait for someone to look at them and delete them."""
    return sorted(store.glob(f"{DAMAGED}*"))


def sound_length(source: BinaryIO) -> int:
    """Bytes of the longest prefix that a server can replay: whole known commands, whole transactions."""
    sound = 0
    in_transaction = False
    for name, end in _commands(source):
        if name == b"MULTI":
            in_transaction = True
        elif name == b"EXEC":
            in_transaction = False
        if not in_transaction:
            sound = end
    return sound


def _commands(source: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """The name and the end offset of each whole command, up to the first thing that is none."""
    end = 0
    while line := source.readline(64):
        if line.startswith(b"#") and line.endswith(b"\n"):
            end += len(line)
            yield b"#", end
            continue
        count = _number(line, b"*", MOST_ARGUMENTS)
        if not count:
            return
        end += len(line)
        first = b""
        for index in range(count):
            argument = _argument(source)
            if argument is None:
                return
            end += argument[1]
            first = argument[0].upper() if index == 0 else first
        if first not in COMMANDS:
            return
        yield first, end


def _argument(source: BinaryIO) -> tuple[bytes, int] | None:
    line = source.readline(32)
    length = _number(line, b"$", LONGEST_ARGUMENT)
    if length is None:
        return None
    value = source.read(length + 2)
    if len(value) != length + 2 or not value.endswith(b"\r\n"):
        return None
    return value[:-2], len(line) + length + 2


def _number(line: bytes, mark: bytes, largest: int) -> int | None:
    if not (line.startswith(mark) and line.endswith(b"\r\n") and line[1:-2].isdigit()):
        return None
    number = int(line[1:-2])
    return number if number <= largest else None


def _copy_sound(folder: Path, fresh: Path) -> tuple[int, int, tuple[str, ...]]:
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    kept = lost = 0
    damaged = [] if _manifest_is_sound(folder) else [MANIFEST]
    files = _files_by_name(folder)
    for file in files:
        size = (folder / file.name).stat().st_size
        length = _copy_sound_prefix(folder / file.name, fresh / file.name)
        kept, lost = kept + length, lost + size - length
        if length < size:
            damaged.append(file.name)
    lines = (f"file {file.name} seq {file.sequence} type {file.kind}\n" for file in files)
    write_file(fresh / MANIFEST, "".join(lines).encode())
    sync(fresh)
    return kept, lost, tuple(damaged)


def _copy_sound_prefix(source: Path, target: Path) -> int:
    with source.open("rb") as reading:
        is_snapshot = reading.read(5) == b"REDIS"  # carries its own checksum: it is sound as a whole or not at all
        reading.seek(0)
        length = source.stat().st_size if is_snapshot else sound_length(reading)
        reading.seek(0)
        with target.open("wb") as writing:
            remaining = length
            while remaining:
                block = reading.read(min(remaining, 1 << 20))
                writing.write(block)
                remaining -= len(block)
            writing.flush()
            os.fsync(writing.fileno())
    return length


def _manifest_is_sound(folder: Path) -> bool:
    try:
        lines = (folder / MANIFEST).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    found = [re.fullmatch(r"file (\S+) seq (\d+) type ([bih])( startoffset \d+.*)?", line) for line in lines]
    return bool(found) and all(match is not None and (folder / match.group(1)).is_file() for match in found)


def _files_by_name(folder: Path) -> list[_AofFile]:
    """The newest base and the increments after it, in the order they are replayed."""
    files: list[_AofFile] = []
    for path in folder.glob("appendonly.aof.*"):
        match = re.fullmatch(r"appendonly\.aof\.(\d+)\.(base|incr)\.(aof|rdb)", path.name)
        if match:
            files.append(_AofFile(path.name, int(match.group(1)), match.group(2)[0]))
    if _manifest_is_sound(folder):
        lines = (folder / MANIFEST).read_text(encoding="utf-8").splitlines()
        named = {line.split(" ")[1] for line in lines if " type h" not in line}
        files = [file for file in files if not named or file.name in named]
    bases = sorted((file for file in files if file.kind == "b"), key=lambda file: file.sequence)[-1:]
    increments = sorted((file for file in files if file.kind == "i"), key=lambda file: file.sequence)
    return bases + increments
