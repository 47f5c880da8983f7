"""Who has used up how much: budgets of requests, CPU time, bytes and events, shared by all workers of a run."""

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, NamedTuple, Protocol

KINDS: Final = ("requests", "CPU time", "bytes", "events")
UNITS: Final = ("requests", "ms of CPU time", "kB", "events")
ROW: Final = struct.Struct("Q4d")  # whose account it is, and until when each of KINDS is used up
read, write = ROW.unpack_from, ROW.pack_into
ROWS: Final = 32_768
NEIGHBOURS: Final = 8  # rows in which an account may stand
LONGEST_SECONDS: Final = 60.0  # nobody waits longer, whatever they cost and whatever stands in the file
MAX_KNOWN: Final = 50_000
ROUNDING: Final = 1e-9  # of the difference of two clock readings
WIDE: Final = 500  # of each kind at once: limits that a few requests more or less do not matter to
CALM_SECONDS: Final = 0.005
STRANGERS: Final = b"strangers"  # stands for the key of all who have none

Amounts = tuple[float, float, float, float]  # one for each of KINDS


@dataclass(frozen=True, slots=True)
class Allowance:
    """What may be used each second, for good, of each of KINDS, and for how many seconds ahead."""

    per_second: Amounts
    ahead_seconds: Amounts

    def times(self, factor: float) -> "Allowance":
        """So many times as much, at once too: the request that is to pass is not used ahead."""
        requests, cpu_ms, kilobytes, events = self.per_second
        ahead, *rest = self.ahead_seconds
        ahead += 1 / requests - 1 / (requests * factor)
        return Allowance(
            (requests * factor, cpu_ms * factor, kilobytes * factor, events * factor),
            (ahead, rest[0], rest[1], rest[2]),
        )


class Spent(NamedTuple):
    """What is used up, how much of it there is a second, and in how many seconds there is some again."""

    kind: int
    per_second: float
    wait_seconds: int


class Shared(Protocol):
    """Memory that several processes write, one at a time."""

    @property
    def accounts(self) -> memoryview: ...
    def claimed(self) -> bool: ...
    def release(self) -> None: ...


class Books:
    """The accounts of a run in memory in which workers write side by side; without it, those of this process alone.

    An account stands in one of the few rows that its name points at; one that owes nothing may be written over. Where
    all are taken by others it is not kept, and limits nobody. One worker writes at a time, and none waits for it.
    """

    def __init__(self, shared: Shared | None = None, rows: int = ROWS) -> None:
        self.rows = rows
        self.claimed: Callable[[], bool] = (
            shared.claimed if shared else _always
        )  # whether it may be written until `release`
        self.release: Callable[[], None] = shared.release if shared else _nothing
        self.map = shared.accounts[: rows * ROW.size] if shared else memoryview(bytearray(rows * ROW.size))

    def place(self, tag: int) -> int | None:
        """Where the account stands; None where it does not."""
        return next((place for place in self._places(tag) if read(self.map, place)[0] == tag), None)

    def free(self, tag: int, now: float) -> int | None:
        """Where the account may stand: what is there owes nothing; None where others take its rows."""
        return next((place for place in self._places(tag) if max(read(self.map, place)[1:]) <= now), None)

    def _places(self, tag: int) -> list[int]:
        return [row % self.rows * ROW.size for row in range(tag, tag + NEIGHBOURS)]


def _always() -> bool:
    return True


def _nothing() -> None:
    pass


class Account:
    """What one caller has used. It is charged when the cost is known, so one request may go beyond the allowance; the
    next waits until that is paid (ITU-T I.371, virtual scheduling).
    """

    __slots__ = ("_allowance", "_books", "_calm_seconds", "_place", "_seconds_each", "_tag")

    def __init__(self, books: Books, name: bytes, allowance: Allowance) -> None:
        requests, cpu_ms, kilobytes, events = allowance.per_second
        self._books = books
        self._allowance = allowance
        ahead, rates = allowance.ahead_seconds, allowance.per_second
        is_wide = all(seconds * rate >= WIDE for seconds, rate in zip(ahead, rates, strict=True))
        self._calm_seconds = min(ahead) / 2 if is_wide else -math.inf
        self._seconds_each = 1 / requests, 1 / cpu_ms, 1 / kilobytes, 1 / events
        self._tag = int.from_bytes(blake2b(name, digest_size=8).digest()) or 1
        self._place = self._tag % books.rows * ROW.size

    def spent(self, now: float) -> Spent | None:
        """None while a request may pass, else what is used up for the longest time."""
        owner, requests, cpu_ms, kilobytes, events = read(self._books.map, self._place)
        if owner != self._tag:
            return self.spent(now) if self._found() else None
        ahead_requests, ahead_cpu_ms, ahead_kilobytes, ahead_events = ahead = self._allowance.ahead_seconds
        latest = now + ROUNDING
        if (
            requests - ahead_requests <= latest
            and cpu_ms - ahead_cpu_ms <= latest
            and kilobytes - ahead_kilobytes <= latest
            and events - ahead_events <= latest
        ):
            return None
        until = (requests, cpu_ms, kilobytes, events)
        waits = [owed - seconds - now for owed, seconds in zip(until, ahead, strict=True)]
        longest = max(waits)
        kind = waits.index(longest)
        if longest > LONGEST_SECONDS + 1:  # nothing of ours was written there
            return None
        return Spent(kind, self._allowance.per_second[kind], max(1, math.ceil(longest - ROUNDING)))

    def charge(self, now: float, used: Amounts) -> bool:
        """So much was used of each of KINDS. Whether the account is far from its limits, and they are wide."""
        owner, requests, cpu_ms, kilobytes, events = read(self._books.map, self._place)
        if owner != self._tag:
            if not self._found():
                place = self._books.free(self._tag, now)
                if place is None:
                    return True
                self._place = place
            _, requests, cpu_ms, kilobytes, events = read(self._books.map, self._place)
        each, latest = self._seconds_each, now + LONGEST_SECONDS
        requests = (requests if requests > now else now) + used[0] * each[0]
        cpu_ms = (cpu_ms if cpu_ms > now else now) + used[1] * each[1]
        kilobytes = (kilobytes if kilobytes > now else now) + used[2] * each[2]
        events = (events if events > now else now) + used[3] * each[3]
        if requests > latest or cpu_ms > latest or kilobytes > latest or events > latest:
            requests, cpu_ms = min(requests, latest), min(cpu_ms, latest)
            kilobytes, events = min(kilobytes, latest), min(events, latest)
        write(self._books.map, self._place, self._tag, requests, cpu_ms, kilobytes, events)
        calm = now + self._calm_seconds
        return requests < calm and cpu_ms < calm and kilobytes < calm and events < calm

    def _found(self) -> bool:
        """Whether it stands in a row, which is then known."""
        place = self._books.place(self._tag)
        if place is not None:
            self._place = place
        return place is not None


class Tab:
    """What one caller runs up, and the accounts that pay for it: each at once, or while they are far from their limits
    a few small requests together, because most callers never come near and writing takes longer than adding.
    """

    __slots__ = ("_books", "_calm_until", "_cpu_ms", "_events", "_kilobytes", "_requests", "accounts")

    def __init__(self, books: Books, accounts: Sequence[Account]) -> None:
        self.accounts = accounts
        self._books = books
        self._calm_until = -math.inf
        self._requests = self._cpu_ms = self._kilobytes = self._events = 0.0

    def spent(self, now: float) -> tuple[Account, Spent] | None:
        """None while a request may pass, else the first account that is used up."""
        if now < self._calm_until:
            return None
        for account in self.accounts:
            told = account.spent(now)
            if told is not None:
                return account, told
        return None

    def charge(self, now: float, requests: float, cpu_ms: float, kilobytes: float, events: float) -> None:
        """So much was used."""
        self._requests = requests = self._requests + requests
        self._cpu_ms = cpu_ms = self._cpu_ms + cpu_ms
        self._kilobytes = kilobytes = self._kilobytes + kilobytes
        self._events = events = self._events + events
        # An eighth of WIDE at most: so much each worker may let pass beyond a limit.
        if now < self._calm_until and requests < 32 and cpu_ms < 32 and kilobytes < 64 and events < 64:
            return
        if not self._books.claimed():
            return  # it is written with what comes next
        self._requests = self._cpu_ms = self._kilobytes = self._events = 0.0
        used = (requests, cpu_ms, kilobytes, events)
        try:
            calm = [account.charge(now, used) for account in self.accounts]
        finally:
            self._books.release()
        self._calm_until = now + CALM_SECONDS if all(calm) else -math.inf


ONE_TRY: Final[Amounts] = (1.0, 0.0, 0.0, 0.0)
SIGN_INS: Final = b"sign-ins"


@dataclass(frozen=True, slots=True)
class Limits:
    """The allowances: of a publishable key in one network, of that key as a whole, and of a secret key.

    Whoever has no key has that of a publishable one in their network.
    """

    network: Allowance
    publishable: Allowance
    secret: Allowance


class Budgets:
    """The accounts of one worker's callers."""

    def __init__(self, limits: Limits, books: Books) -> None:
        self.limits = limits
        self.books = books
        self._known: dict[tuple[bytes, str], Tab] = {}

    def tab(self, digest: bytes, network: str, *, secret: bool) -> Tab:
        """Of the requests with a key: the key pays, and before it, for a page's, the key in this network.

        An empty network is none: what many may share is nobody's own.
        """
        found = self._known.get((digest, network))
        if found is None:
            whole = Account(self.books, digest, self.limits.secret if secret else self.limits.publishable)
            found = self._kept(digest, network, () if secret else self._own(digest, network), (whole,))
        return found

    def strangers(self, network: str) -> Tab:
        """Of the requests without a known key: all of their network who have none pay."""
        found = self._known.get((STRANGERS, network))
        return self._kept(STRANGERS, network, self._own(STRANGERS, network)) if found is None else found

    def tries(self, network: str, per_minute: int) -> Account:
        """Of the attempts to sign in from a network: so many at once, and as many more in each minute that follows.

        Of what else they cost others keep account.
        """
        rate, ahead = per_minute / 60, 60 * (per_minute - 1) / per_minute
        allowance = Allowance((rate, math.inf, math.inf, math.inf), (ahead, 0.0, 0.0, 0.0))
        return Account(self.books, SIGN_INS + network.encode(), allowance)

    def _own(self, digest: bytes, network: str) -> tuple[Account, ...]:
        return (Account(self.books, digest + network.encode(), self.limits.network),) if network else ()

    def _kept(self, digest: bytes, network: str, *accounts: tuple[Account, ...]) -> Tab:
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known[digest, network] = found = Tab(self.books, sum(accounts, ()))
        return found
