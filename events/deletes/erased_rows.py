"""Which rows of the log a tombstone erases."""

from collections.abc import Sequence
from itertools import product
from typing import Final

import numpy as np
import numpy.typing as npt

from events.deletes.tombstones import PersonKind, Tombstone, exact_digest
from events.parts.arrow import Table, compute
from events.parts.digests import USER_SEED, VISITOR_SEED, Digests, digest, digests

COLUMN: Final[dict[PersonKind, str]] = {"visitor": "visitor_id", "user": "user_id"}
SEED: Final[dict[PersonKind, int]] = {"visitor": VISITOR_SEED, "user": USER_SEED}


def tombstone(
    kind: PersonKind, identifier: str, positions: dict[int, int], erased_at: int, *, unnamed: bool = False
) -> Tombstone:
    """The tombstone of an id that is erased now; `positions` are the last stream numbers of all shards."""
    return Tombstone(
        kind=kind,
        digest=exact_digest(identifier),
        candidate=digest(identifier, SEED[kind]),
        positions=positions,
        erased_at=erased_at,
        unnamed=unnamed,
    )


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
            furthest[index] = until.get(exact_digest(names[int(index)].as_py()), -1)
        covered = numbers <= furthest[compute.fill_null(encoded.indices, len(names)).to_numpy(zero_copy_only=False)]
        if unnamed:
            covered &= compute.equal(compute.fill_null(table.column("user_id"), ""), "").to_numpy()
        gone |= covered
    return gone
