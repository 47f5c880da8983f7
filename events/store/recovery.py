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
RECOVERED: Final = f"{AOF_FOLDER}.salvaged"
DAMAGED: Final = "damaged-"
LONGEST_ARGUMENT: Final = 512 << 20
MOST_ARGUMENTS: Final = 1 << 20
BLOCK: Final = 1 << 20  # bytes
COMMANDS: Final = frozenset(
    b"SELECT MULTI EXEC FUNCTION SET GET DEL UNLINK EXPIRE PEXPIRE EXPIREAT PEXPIREAT PERSIST HSET HMSET HSETNX HDEL"
    b" HINCRBY HINCRBYFLOAT INCR INCRBY XADD XTRIM XDEL XSETID XGROUP ZADD RPUSH SADD FLUSHALL FLUSHDB PING COPY"
    b" RENAME SETEX PSETEX".split()
)


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was kept and lost of damaged files; `aside` is the folder that holds the damaged files untouched."""

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
    return not _manifest_lines(folder) and bool(_files_by_name(folder))


def recover(store: Path, now: datetime) -> Recovery:
    """Moves the append-only files aside and puts their sound beginning in their place, durably.

    Of each file the longest prefix of whole commands stays, a transaction only whole; what a damaged base lost does
    not cost the increments after it, as their commands carry absolute ids and values. Raises OSError (a full disk)
    with the damaged files still in their place.
    """
    folder, fresh = store / AOF_FOLDER, store / RECOVERED
    name, number = f"{DAMAGED}{now:%Y-%m-%dT%H-%M-%S}", 1
    aside = store / name
    while aside.exists():
        number += 1
        aside = store / f"{name}-{number}"
    kept = lost = 0
    damaged = [] if _manifest_lines(folder) else [MANIFEST]
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
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
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    folder.rename(aside)
    finish_interrupted(store)
    return Recovery(aside, kept, lost, tuple(damaged))


def finish_interrupted(store: Path) -> None:
    """Puts recovered files in their place: the last step of a recovery, made at the start after a crash before it."""
    if (store / RECOVERED).is_dir() and not (store / AOF_FOLDER).exists():
        (store / RECOVERED).rename(store / AOF_FOLDER)
        sync(store)


def damaged_folders(store: Path) -> list[Path]:
    """Append-only files that were moved aside and wait for someone to look at them and delete them."""
    return sorted(store.glob(f"{DAMAGED}*"))


def sound_length(source: BinaryIO) -> int:
    """Bytes of the longest prefix that a server can load: whole known commands, whole transactions."""
    sound, in_transaction = 0, False
    for name, end in _commands(source):
        in_transaction = name == b"MULTI" or (in_transaction and name != b"EXEC")
        if not in_transaction:
            sound = end
    return sound


def _commands(source: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """The name and the end offset of each whole command, up to the first thing that is none."""
    while line := source.readline(64):
        name = b"#"
        if not (line.startswith(b"#") and line.endswith(b"\n")):
            for index in range(_number(line, b"*", MOST_ARGUMENTS) or 0):
                length = _number(source.readline(32), b"$", LONGEST_ARGUMENT)
                if length is None:
                    return
                value = source.read(length + 2)
                if len(value) != length + 2 or not value.endswith(b"\r\n"):
                    return
                name = value[:-2].upper() if index == 0 else name
            if name not in COMMANDS:
                return
        yield name, source.tell()


def _number(line: bytes, mark: bytes, largest: int) -> int | None:
    if not (line.startswith(mark) and line.endswith(b"\r\n") and line[1:-2].isdigit()):
        return None
    number = int(line[1:-2])
    return number if number <= largest else None


def _copy_sound_prefix(source: Path, target: Path) -> int:
    with source.open("rb") as reading:
        is_snapshot = reading.read(5) == b"REDIS"  # carries its own checksum: it is sound as a whole or not at all
        reading.seek(0)
        length = source.stat().st_size if is_snapshot else sound_length(reading)
        reading.seek(0)
        with target.open("wb") as writing:
            for start in range(0, length, BLOCK):
                writing.write(reading.read(min(length - start, BLOCK)))
            writing.flush()
            os.fsync(writing.fileno())
    return length


def _manifest_lines(folder: Path) -> list[str]:
    """The lines of the manifest; none where it is not sound."""
    try:
        lines = (folder / MANIFEST).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    found = [re.fullmatch(r"file (\S+) seq (\d+) type ([bih])( startoffset \d+.*)?", line) for line in lines]
    return lines if all(match is not None and (folder / match.group(1)).is_file() for match in found) else []


def _files_by_name(folder: Path) -> list[_AofFile]:
    """The newest base and the increments after it, in the order they are loaded."""
    named = {line.split(" ")[1] for line in _manifest_lines(folder) if " type h" not in line}
    files: list[_AofFile] = []
    for path in folder.glob("appendonly.aof.*"):
        match = re.fullmatch(r"appendonly\.aof\.(\d+)\.(base|incr)\.(aof|rdb)", path.name)
        if match and (not named or path.name in named):
            files.append(_AofFile(path.name, int(match.group(1)), match.group(2)[0]))
    bases = sorted((file for file in files if file.kind == "b"), key=lambda file: file.sequence)[-1:]
    increments = sorted((file for file in files if file.kind == "i"), key=lambda file: file.sequence)
    return bases + increments
