"""The board: one shared mapping in which the processes of a service say how they are, what they count, who owes what.

The supervisor makes it before any child, writes every page of it, and hands its descriptor to each of them. So no page
of it can be missing later: a mapped file without blocks ends whoever touches it on a full disk. It is the only memory
that several processes write, and its layout stands here alone. Each desk is written by one process; what a role's
killed process wrote is whole, and its successor at the same desk goes on from there.
"""

import contextlib
import errno
import fcntl
import hashlib
import mmap
import os
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Final, Literal, TypeAlias, get_args
from zlib import crc32

import msgspec

from app.runtime.ailments import Ailment, AilmentCode
from events.gauges import WriterGauge

RoleName = Literal["supervisor", "worker", "writer", "analysis", "trainer", "webhooks", "store"]
WorkerGauge = Literal[
    "open_connections", "open_descriptors", "descriptor_limit",
    "looked_at", "pending_events", "lag_seconds", "store_used_bytes", "store_limit_bytes", "store_aof_bytes",
    "store_growth_seconds", "store_days_to_full",
]  # fmt: skip
GaugeName = Literal[WorkerGauge, WriterGauge]
Note: TypeAlias = Callable[[AilmentCode, str | None], None]
"""Says that a cause holds, with what it names (or an empty text), or, by None, that it is over."""

ROLES: Final[tuple[RoleName, ...]] = get_args(RoleName)
GAUGES: Final[tuple[GaugeName, ...]] = get_args(GaugeName)
MANY: Final[RoleName] = "worker"  # of every other role there is one process at most
STANDING: Final[frozenset[AilmentCode]] = frozenset({"data_damaged"})  # outlives its finder: it is of the data

# A desk: what its process says of itself, what the supervisor says of the process, gauges, causes twice.
DOUBLE: Final = 8
PID, BEAT, RESTARTS, ENDING, SILENT = range(5)  # doubles; times are of the monotonic clock
FIELDS: Final = 16
GAUGE_FIELDS: Final = 64
SEQUENCE: Final = struct.Struct("<Q")
HEAD: Final = struct.Struct("<QII")  # of causes: which writing it is, how many bytes follow, and a sum over all of it
CAUSES_BYTES: Final = 3776
DESK_BYTES: Final = (FIELDS + GAUGE_FIELDS) * DOUBLE + 2 * CAUSES_BYTES
LONGEST_NAMED: Final = (400, 100, 20, 0)  # characters behind a code: fewer where many causes hold
BEAT_SECONDS: Final = 1.0
CLAIMS: Final = 4  # tries
READS: Final = 1_000  # of causes that are being rewritten

# The whole: what it is, the desks, the counters of each worker, the accounts of callers (app/limits/budgets.py).
COUNTERS: Final = 16_384  # doubles of one worker; the first tells what the others count
ACCOUNTS_BYTES: Final = 32_768 * 40
PAGE: Final = 4096
WHAT: Final = struct.Struct("<16sQ")  # which release's layout, how many workers
LAYOUT: Final = hashlib.sha256(
    repr((ROLES, GAUGES, FIELDS, GAUGE_FIELDS, CAUSES_BYTES, COUNTERS, ACCOUNTS_BYTES)).encode()
).digest()[:16]
SEALED: Final = 0x8  # MFD_NOEXEC_SEAL, which a system may demand and an older one does not know


class BoardUnusable(Exception):
    """There is no memory for the board, or it is of another release."""


class Board:
    """The mapping of this process. `make` it in the process that starts the others, `attach` to it in those."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._map = mmap.mmap(descriptor, os.fstat(descriptor).st_size)
        layout, self.workers = WHAT.unpack_from(self._map)
        if layout != LAYOUT:
            self.close()
            raise BoardUnusable("the running service is of another release than this process: restart the service")
        self._doubles = memoryview(self._map).cast("d")

    @classmethod
    def make(cls, workers: int) -> "Board":
        """A new one for so many workers. Raises BoardUnusable where there is no memory for it."""
        try:
            descriptor = _memory(_size(workers))
        except OSError as error:
            raise BoardUnusable(f"no memory for what the processes tell each other: {error.strerror}") from None
        os.pwrite(descriptor, WHAT.pack(LAYOUT, workers), 0)
        board = cls(descriptor)
        for desk in board.desks():
            desk.make()
        return board

    @classmethod
    def attach(cls, descriptor: int) -> "Board":
        """That of the supervisor, by the descriptor that it handed over. Raises BoardUnusable."""
        return cls(descriptor)

    def desk(self, role: RoleName, number: int = 0) -> "Desk":
        """Where one process writes, and all read; a worker's has its number."""
        if not 0 <= number < (self.workers if role == MANY else 1):
            raise ValueError(f"there is no desk {number} of a {role}: the board has {self.workers} for workers")
        place = number if role == MANY else self.workers + ROLES.index(role)
        return Desk(self, role, number, PAGE + place * DESK_BYTES)

    def desks(self, *roles: RoleName) -> "Iterator[Desk]":
        """Those of these roles; without any, all."""
        for role in roles or ROLES:
            for number in range(self.workers if role == MANY else 1):
                yield self.desk(role, number)

    def causes(self) -> list[Ailment]:
        """What is not as it should be by all desks, each once."""
        return list(dict.fromkeys(cause for desk in self.desks() for cause in desk.causes()))

    def doubles(self, at: int, count: int) -> "memoryview[float]":
        """So many doubles of the mapping, from a byte on."""
        return self._doubles[at // DOUBLE : at // DOUBLE + count]

    def counters(self, number: int) -> "memoryview[float]":
        """What a worker counts."""
        return self.doubles(_counters_at(self.workers) + number * COUNTERS * DOUBLE, COUNTERS)

    @property
    def accounts(self) -> memoryview:
        """What callers owe."""
        return memoryview(self._map)[_size(self.workers) - ACCOUNTS_BYTES :]

    def claimed(self) -> bool:
        """Whether this process may write `accounts` until it releases them, or ends.

        False where another one does, even after it was let onto a core for a moment.
        """
        for _ in range(CLAIMS):
            try:
                fcntl.lockf(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):  # which of the two depends on the system
                os.sched_yield()
            else:
                return True
        return False

    def release(self) -> None:
        """Lets others write `accounts`."""
        fcntl.lockf(self.descriptor, fcntl.LOCK_UN)

    def bytes_at(self, at: int, count: int) -> bytes:
        """A copy of what stands there."""
        return self._map[at : at + count]

    def write(self, at: int, content: bytes) -> None:
        """Puts bytes there."""
        self._map[at : at + len(content)] = content

    def close(self) -> None:
        """Gives up the descriptor; the memory goes with the last process that has it mapped."""
        os.close(self.descriptor)


class Desk:
    """One process's place on the board. It alone writes its beat, causes and gauges; the supervisor the rest."""

    def __init__(self, board: Board, role: RoleName, number: int, at: int) -> None:
        self.board = board
        self.role: RoleName = role
        self.number = number
        self._fields = board.doubles(at, FIELDS)
        self._gauges = board.doubles(at + FIELDS * DOUBLE, len(GAUGES))
        self._causes_at = at + (FIELDS + GAUGE_FIELDS) * DOUBLE
        self._noted: dict[AilmentCode, str] | None = None
        self._sequence = 0

    @classmethod
    def alone(cls) -> "Desk":
        """Of a worker that has no service around it, on a board of its own."""
        desk = Board.make(1).desk(MANY)
        desk.sit_down()
        return desk

    def make(self) -> None:
        """What stands there before anybody sat at it."""
        self._gauges[:] = memoryview(struct.pack(f"{len(GAUGES)}d", *[float("nan")] * len(GAUGES))).cast("d")
        self._tell({})

    # What its process says -----------------------------------------------------------------------------------------

    def sit_down(self) -> None:
        """This process is the one of the desk now: what ailed the last one is over, but for what is of the data."""
        self._fields[PID] = os.getpid()
        self._clear()

    def beat(self) -> None:
        """This process does its work. To be called once a second by the loop that does it, and by nothing else."""
        self._fields[BEAT] = time.monotonic()

    async def beating(self) -> None:
        """`beat`, as a round of `Tasks.repeat`."""
        self.beat()

    def note(self, code: AilmentCode, named: str | None = "") -> None:
        """A cause holds now, with what it names; None: it is over. Said again, it costs nothing."""
        known = self._known()
        if known.get(code) != named:
            causes: dict[AilmentCode, str] = {each: text for each, text in known.items() if each != code}
            if named is not None:
                causes[code] = named
            self._tell(causes)

    def gauge(self, name: GaugeName, value: float) -> None:
        """How much of something there is now."""
        self._gauges[GAUGES.index(name)] = value

    # What the supervisor says of it --------------------------------------------------------------------------------

    def started(self, pid: int, *, again: bool) -> None:
        """A process was started for it, `again` where the last one should not have ended."""
        self._fields[PID] = pid
        self._fields[RESTARTS] += again

    def ended(self, code: int) -> None:
        """Its process has ended with this code; a signal is negative. What ailed it ends with it, as at `sit_down`."""
        self._fields[PID] = 0
        self._fields[ENDING] = code
        self._noted = None  # another process wrote there
        self._clear()

    def was_silent(self, seconds: float) -> None:
        """How long it has given no sign of life."""
        self._fields[SILENT] = seconds

    # What all read -------------------------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """The process that sits at it, 0 where none does."""
        return int(self._fields[PID])

    @property
    def beat_at(self) -> float:
        """When its process last said that it works, by the monotonic clock; 0 where none ever did."""
        return self._fields[BEAT]

    @property
    def restarts(self) -> int:
        """How often a process was started in the place of one that should not have ended."""
        return int(self._fields[RESTARTS])

    @property
    def ending(self) -> int:
        """How the last process ended, as `subprocess` numbers it."""
        return int(self._fields[ENDING])

    @property
    def silent_seconds(self) -> float:
        """For how long its process has given no sign of life, by the supervisor."""
        return self._fields[SILENT]

    def gauges(self) -> dict[GaugeName, float]:
        """Those that were told."""
        return {name: value for name, value in zip(GAUGES, self._gauges, strict=True) if value == value}

    def causes(self) -> list[Ailment]:
        """What it noted last and whole, also while it is rewritten or was left half written."""
        return self._read()[1]

    def _clear(self) -> None:
        standing: dict[AilmentCode, str] = {code: named for code, named in self._known().items() if code in STANDING}
        self._tell(standing)

    def _known(self) -> dict[AilmentCode, str]:
        if self._noted is None:
            self._sequence, causes = self._read()
            self._noted = {each.code: each.named for each in causes}
        return self._noted

    def _read(self) -> tuple[int, list[Ailment]]:
        """The newest of the two writings that is whole. One always is, but to a reader who is overtaken twice."""
        for _ in range(READS):
            found = [whole for half in (0, 1) if (whole := self._half(half)) is not None]
            if found:
                sequence, text = max(found)
                return sequence, msgspec.json.decode(text, type=list[Ailment])
            os.sched_yield()
        return 0, []

    def _half(self, half: int) -> tuple[int, bytes] | None:
        written = self.board.bytes_at(self._causes_at + half * CAUSES_BYTES, CAUSES_BYTES)
        sequence, length, checked = HEAD.unpack_from(written)
        text = written[HEAD.size : HEAD.size + length]
        return (sequence, text) if sequence and checked == crc32(SEQUENCE.pack(sequence) + text) else None

    def _tell(self, causes: dict[AilmentCode, str]) -> None:
        """Over the older of the two writings, so that the other one holds until this one is whole."""
        self._noted, self._sequence = causes, self._sequence + 1
        texts = (
            msgspec.json.encode([Ailment(code, named[:most]) for code, named in causes.items()])
            for most in LONGEST_NAMED
        )
        text = next(text for text in texts if len(text) <= CAUSES_BYTES - HEAD.size)
        at = self._causes_at + self._sequence % 2 * CAUSES_BYTES
        checked = crc32(SEQUENCE.pack(self._sequence) + text)
        self.board.write(at + HEAD.size, text)
        self.board.write(at, HEAD.pack(self._sequence, len(text), checked))


def _counters_at(workers: int) -> int:
    desks = (workers + len(ROLES)) * DESK_BYTES
    return PAGE + -(-desks // PAGE) * PAGE


def _size(workers: int) -> int:
    return _counters_at(workers) + workers * COUNTERS * DOUBLE + ACCOUNTS_BYTES


def _memory(size: int) -> int:
    """A descriptor of memory of that size that has every page, and no name. Raises OSError."""
    descriptor = _anonymous()
    try:
        written = 0
        while written < size:
            written += os.pwrite(descriptor, bytes(min(1 << 20, size - written)), written)
    except OSError:
        os.close(descriptor)
        raise
    with contextlib.suppress(AttributeError, OSError):  # nobody can cut it off; a file knows no such thing
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
    return descriptor


def _anonymous() -> int:
    """Of the system's memory where it gives some, else of a file that has no name any more."""
    if hasattr(os, "memfd_create"):
        for flags in (os.MFD_CLOEXEC | SEALED, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING):
            try:
                return os.memfd_create("resonate", flags)
            except OSError as error:
                if error.errno == errno.ENOMEM:
                    raise
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def unnoted(code: AilmentCode, named: str | None) -> None:
    """Where there is no board to note a cause on."""
