"""Who was erased, as digests: what makes their rows disappear from every readout at once, and from the parts later."""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final, Literal

import msgspec

from events.store.connection import Connection
from events.store.keys import TOMBSTONES
from kit.files import locked, read_or_none, replace_file

PersonKind = Literal["visitor", "user"]

FILE: Final = "tombstones.json"
_DIGEST_BYTES: Final = 16


class Tombstone(msgspec.Struct, frozen=True, kw_only=True):
    """One erased id. `digest` says which, without saying it; `candidate` is the one of `events.parts.digests`.

    A row of this id is erased up to the stream number of its shard in `positions`: who returns later counts anew.
    `unnamed` spares the rows of a visitor that name a user: they are erased with that user, or not at all.
    `erased_at` is in microseconds UTC.
    """

    kind: PersonKind
    digest: str
    candidate: int
    positions: dict[int, int]
    erased_at: int
    unnamed: bool = False

    @property
    def field(self) -> str:
        """The name under which the store mirrors it; an id may be erased whole and, up to later, but for named rows."""
        return f"{self.kind}:{self.digest}{':unnamed' if self.unnamed else ''}"

    def joined(self, other: "Tombstone") -> "Tombstone":
        """Both of them: the same id, erased up to the later position of each shard."""
        shards = self.positions.keys() | other.positions.keys()
        furthest = {shard: max(self.positions.get(shard, 0), other.positions.get(shard, 0)) for shard in shards}
        return msgspec.structs.replace(self, positions=furthest, erased_at=max(self.erased_at, other.erased_at))

    def covers(self, other: "Tombstone") -> bool:
        """Whether this one, of the same id, hides all that the other one hides."""
        return self.joined(other).positions == self.positions


def read_tombstones(data: Path) -> list[Tombstone]:
    """All tombstones of a data directory. Raises ValueError when the file is not readable: then nothing may be read."""
    content = read_or_none(data / FILE)
    return [] if content is None else msgspec.json.decode(content, type=list[Tombstone])


def add_tombstones(data: Path, new: Iterable[Tombstone]) -> None:
    """Add tombstones durably; when this returns, every readout that begins leaves their rows out."""
    with locked(data / FILE):
        joined = {stone.field: stone for stone in read_tombstones(data)}
        for stone in new:
            joined[stone.field] = stone.joined(joined[stone.field]) if stone.field in joined else stone
        replace_file(data / FILE, msgspec.json.encode(list(joined.values())))


async def mirror_tombstones(connection: Connection, data: Path, *, forgets: bool = False) -> None:
    """Bring the tombstones in the store and on the disk together, so that either survives the loss of the other.

    `forgets`: the store may be an old copy. What it holds of people whom it does not know to be erased goes first.
    """
    answer: dict[bytes, bytes] = await connection.ask("HGETALL", TOMBSTONES)
    in_store = [msgspec.json.decode(value, type=Tombstone) for value in answer.values()]
    on_disk = {stone.field: stone for stone in read_tombstones(data)}
    if any(on_disk.get(stone.field) != stone for stone in in_store):
        add_tombstones(data, in_store)
        on_disk = {stone.field: stone for stone in read_tombstones(data)}
    unknown = [stone for stone in on_disk.values() if stone not in in_store]
    if forgets and unknown:
        await _forget(connection, unknown)
        await connection.rewrite_file()
    fields = [text for stone in unknown for text in (stone.field, msgspec.json.encode(stone))]
    if fields:
        await connection.ask("HSET", TOMBSTONES, *fields)


async def _forget(connection: Connection, stones: Sequence[Tombstone]) -> None:
    """Deletes the histories of erased people, of whom only digests are known: every key is looked at. All log-ins go:
    which of them ended since the copy was made nobody can say.
    """
    gone = {(stone.kind, stone.digest) for stone in stones}
    async for key in connection.keys("{h:*"):
        kind, identifier = person_of_key(key.decode())
        if (kind, exact_digest(identifier)) in gone:
            await connection.ask("UNLINK", key)
    async for key in connection.keys("{p:*"):
        await connection.ask("UNLINK", key)


def person_of_key(key: str) -> tuple[PersonKind, str]:
    """Whose history a key of the store holds."""
    kind, _, identifier = key.removeprefix("{h:").removesuffix("}").partition(":")
    return "visitor" if kind == "v" else "user", identifier


def exact_digest(identifier: str) -> str:
    """The digest by which an erased id is known again."""
    return blake2b(identifier.encode(), digest_size=_DIGEST_BYTES).hexdigest()
