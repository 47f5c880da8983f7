"""Who steered what, when and why: lines that are only ever added, and are on the disk before an act is answered."""

import getpass
import logging
import os
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from kit.files import create_file, extend_file, locked
from kit.time import iso, now_utc

logger = logging.getLogger(__name__)

ActorKind = Literal["key", "person", "cli", "file", "system"]
"""What kind of actor acts.
`key`: Here: A key of the service.
`person`: A person who is signed in.
`cli`: A user of the machine, at the command line.
`file`: A file that was changed.
`system`: The service itself.
"""
LONGEST_REASON: Final = 500
MOST_WAITING: Final = 1_000  # lines of acts that could not wait for the disk
LOCK_SECONDS: Final = 2.0  # for the lines of others; who holds it longer stands still
TAIL_BYTES: Final = 65_536  # no line is longer


class AuditUnusable(Exception):
    """A line cannot be kept; the message says why, and what to do."""


class Actor(msgspec.Struct, frozen=True):
    """Who acts: the name of a key, of a user of the machine, or of a file."""

    kind: ActorKind
    """Here: What acted: a key, a file, a person, the command line or the service itself."""
    name: str
    """Here: The name of the key, file, person or user."""

    @classmethod
    def at_the_command_line(cls) -> "Actor":
        """The user of the machine who runs a command."""
        try:
            return cls("cli", getpass.getuser())
        except (KeyError, OSError):  # one without a name
            return cls("cli", str(os.getuid()))


class AuditLine(msgspec.Struct, frozen=True, kw_only=True):
    """One act. People stand in `subject` as digests; `failed` says why an act that was begun came to nothing.

    As everywhere: `at`.
    """

    at: str
    id: str
    """Here: What tells this line from all others."""
    actor: Actor
    """Who acted."""
    act: str
    """What was done."""
    subject: str
    """What or whom it was done to; people stand here as digests."""
    before: Any = None
    """What was before, as far as it can be told."""
    after: Any = None
    """What is after it, as far as it can be told."""
    reason: str | None = None
    """Here: Why it was done, in the words of who did it."""
    request_id: str | None = None
    """The id of the request, as its answer says in `X-Request-Id`."""
    failed: str | None = None
    """Why an act that was begun came to nothing, as a code."""


def line_of(
    actor: Actor, act: str, subject: str, change: tuple[Any, Any] = (None, None), reason: str | None = None,
    request_id: str | None = None,
) -> AuditLine:  # fmt: skip
    """An act of now; `change` is what was before and what is after it."""
    at, identifier = iso(now_utc(), "milliseconds"), os.urandom(8).hex()
    before, after = change
    return AuditLine(
        at=at, id=identifier, actor=actor, act=act, subject=subject, before=before, after=after, reason=reason,
        request_id=request_id,
    )  # fmt: skip


class Audit:
    """The lines of one data directory, a file a month in its folder `audit`; all processes may write at any time."""

    def __init__(self, data: Path) -> None:
        self.folder = data / "audit"
        self._waiting: deque[AuditLine] = deque(maxlen=MOST_WAITING)
        self._turn = threading.Lock()

    @property
    def waits(self) -> bool:
        """Whether acts were done whose lines are not on the disk yet."""
        return bool(self._waiting)

    def write(self, *lines: AuditLine) -> None:
        """Add lines; when this returns, they are on the disk. Raises AuditUnusable with none of them added."""
        if not lines:
            return
        path = self.folder / f"{lines[0].at[:7]}.ndjson"
        added = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
        try:
            if not path.exists():
                create_file(path, b"", 0o600)
            with locked(path, LOCK_SECONDS):
                extend_file(path, _whole_bytes(path), added)
        except OSError as error:
            raise AuditUnusable(
                f"the audit line cannot be written to {path}: {error.strerror}; what is not kept there is not done"
            ) from None

    def follow(self, *lines: AuditLine) -> bool:
        """Add the lines of what could not wait, now or as soon as there is room; whether they are on the disk."""
        with self._turn:
            self._waiting.extend(lines)
        kept = self.catch_up()
        for line in () if kept else lines:
            logger.error("an audit line waits for the disk", extra={"line": msgspec.to_builtins(line)})
        return kept

    def catch_up(self) -> bool:
        """Add the lines that wait; whether none waits any more."""
        with self._turn:
            try:
                self.write(*self._waiting)
            except AuditUnusable:
                return False
            self._waiting.clear()
            return True

    def page(self, cursor: str | None, limit: int, wanted: "Wanted") -> tuple[list[AuditLine], str]:
        """At most so many lines behind a cursor, the oldest first, and the cursor behind them.

        Raises ValueError for what is no cursor.
        """
        month, offset = _place(cursor or "0000-00:0")
        found: list[AuditLine] = []
        for path in sorted(self.folder.glob("????-??.ndjson")):
            if path.stem < month:
                continue
            if path.stem > month:
                month, offset = path.stem, 0
            for line, behind in _lines(path, offset):
                if len(found) == limit:
                    return found, f"{month}:{offset}"
                offset = behind
                if wanted.takes(line):
                    found.append(line)
        return found, f"{month}:{offset}"

    def latest(self, before: str | None, limit: int, wanted: "Wanted") -> tuple[list[AuditLine], str | None]:
        """At most so many lines in front of a cursor, the newest first, and the cursor in front of them, if any is.

        Raises ValueError for what is no cursor.
        """
        month, end = _place(before or "9999-99:0")
        found: list[tuple[AuditLine, str]] = []
        for path in sorted(self.folder.glob("????-??.ndjson"), reverse=True):
            if path.stem > month:
                continue
            of_month = [
                (line, f"{path.stem}:{behind}")
                for line, behind in _lines(path, 0)
                if wanted.takes(line) and (path.stem < month or behind < end)
            ]
            found += of_month[: -(limit + 2 - len(found)) : -1]
            if len(found) > limit:
                break
        return [line for line, _ in found[:limit]], found[limit - 1][1] if len(found) > limit else None


def _place(cursor: str) -> tuple[str, int]:
    """The month and the offset that a cursor names. Raises ValueError."""
    month, _, place = cursor.partition(":")
    if len(month) != 7 or not (place.isascii() and place.isdigit() and len(place) < 16):
        raise ValueError("it is not a cursor of this list")
    return month, int(place)


class Wanted(msgspec.Struct, frozen=True):
    """Which lines are asked for: of one of these subjects, and by the name of an actor."""

    subjects: frozenset[str] = frozenset()
    actor: str | None = None

    def takes(self, line: AuditLine) -> bool:
        """Whether this line is one of them."""
        of_actor = self.actor is None or self.actor == line.actor.name
        return of_actor and (not self.subjects or line.subject in self.subjects)


def _lines(path: Path, offset: int) -> Iterator[tuple[AuditLine, int]]:
    """Lines from an offset on, each with the offset behind it; what a crash tore is none."""
    with path.open("rb") as file:
        file.seek(offset)
        for text in file:
            offset += len(text)
            if text.endswith(b"\n"):
                try:
                    yield msgspec.json.decode(text, type=AuditLine), offset
                except (msgspec.DecodeError, UnicodeDecodeError):  # somebody else's bytes
                    logger.warning("a line of %s is none of the audit's", path.name)


def _whole_bytes(path: Path) -> int:
    """The bytes of a file up to the end of its last whole line: nobody was told of an act whose line was torn."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = max(0, size - TAIL_BYTES)
        file.seek(start)
        tail = file.read()
    return start + tail.rfind(b"\n") + 1
