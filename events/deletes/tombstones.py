"""Who was erased, as digests: what makes their rows disappear from every readout at once, and from the parts later."""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import product
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from events.parts.arrow import Table, compute
from events.parts.digests import USER_SEED, VISITOR_SEED, Digests, digest, digests
from events.store.connection import Connection
from events.store.keys import TOMBSTONES
from kit.files import locked, read_or_none, replace_file

PersonKind = Literal["visitor", "user"]

FILE: Final = "tombstones.json"
COLUMN: Final[dict[PersonKind, str]] = {"visitor": "visitor_id", "user": "user_id"}
SEED: Final[dict[PersonKind, int]] = {"visitor": VISITOR_SEED, "user": USER_SEED}
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


def tombstone(
    kind: PersonKind, identifier: str, positions: dict[int, int], erased_at: int, *, unnamed: bool = False
) -> Tombstone:
    """The tombstone of an id that is erased now; `positions` are the last stream numbers of all shards."""
    return Tombstone(
        kind=kind,
        digest=_exact(identifier),
        candidate=digest(identifier, SEED[kind]),
        positions=positions,
        erased_at=erased_at,
        unnamed=unnamed,
    )


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


async def mirror_tombstones(connection: Connection, data: Path) -> None:
    """Bring the tombstones in the store and on the disk together, so that either survives the loss of the other."""
    answer = await connection.answer(connection.client.hgetall(TOMBSTONES))
    in_store = [msgspec.json.decode(value, type=Tombstone) for value in answer.values()]
    on_disk = {stone.field: stone for stone in read_tombstones(data)}
    if any(on_disk.get(stone.field) != stone for stone in in_store):
        add_tombstones(data, in_store)
        on_disk = {stone.field: stone for stone in read_tombstones(data)}
    fields: dict[Any, Any] = {
        name: msgspec.json.encode(stone) for name, stone in on_disk.items() if stone not in in_store
    }
    if fields:
        await connection.answer(connection.client.hset(TOMBSTONES, mapping=fields))


def may_concern(
    stones: Sequence[Tombstone], shard: int, first_stream_number: int, people: Digests
) -> tuple[Tombstone, ...]:
    """The tombstones that may cover rows of a part, by the digests of its people."""
    early = [stone for stone in stones if stone.positions.get(shard, -1) >= first_stream_number]
    known = np.isin(np.array([stone.candidate for stone in early], np.uint64), people)
    return tuple(stone for stone, is_known in zip(early, known, strict=True) if is_known)


def erased(table: Table, shard: int, stones: Sequence[Tombstone]) -> npt.NDArray[np.bool_]:
    """Which rows (of one shard; with `visitor_id`, `user_id`, `stream_id`) the tombstones cover."""
    numbers = table.column("stream_id").to_numpy()
    gone = np.zeros(table.num_rows, np.bool_)
    for kind, unnamed in product(COLUMN, (False, True)):
        own = [stone for stone in stones if stone.kind == kind and stone.unnamed is unnamed]
        if not own:
            continue
        until = {stone.digest: stone.positions.get(shard, -1) for stone in own}
        candidates = np.array([stone.candidate for stone in own], np.uint64)
        encoded = compute.dictionary_encode(table.column(COLUMN[kind]).combine_chunks())
        names = encoded.dictionary
        furthest = np.full(len(names) + 1, -1, np.int64)  # the stream number up to which each id is erased
        for index in np.flatnonzero(np.isin(digests(names, SEED[kind]), candidates)):
            furthest[index] = until.get(_exact(names[int(index)].as_py()), -1)
        covered = numbers <= furthest[compute.fill_null(encoded.indices, len(names)).to_numpy(zero_copy_only=False)]
        if unnamed:
            covered &= compute.equal(compute.fill_null(table.column("user_id"), ""), "").to_numpy()
        gone |= covered
    return gone


def _exact(identifier: str) -> str:
    return blake2b(identifier.encode(), digest_size=_DIGEST_BYTES).hexdigest()
