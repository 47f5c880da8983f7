"""Packs the records of one request for the store: their JSON, and the digests that de-duplicate them."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final
from zlib import crc32

import msgspec

from events.records import Record

BODY_BITS: Final = 0x1FFF  # 13 bits take the store no more room than the two bytes of a small integer

_encode = msgspec.json.Encoder().encode
_TIME_MEMBER: Final = b',"time":'


class Parcel:
    """The records of one request that belong to one shard, ready to be joined with others into one flush."""

    __slots__ = ("count", "digests", "lengths", "texts")

    def __init__(self, records: Sequence[Record]) -> None:
        texts = [_encode(record) for record in records]
        self.count = len(texts)
        self.lengths = b"".join([len(text).to_bytes(4, "big") for text in texts])
        self.digests = b"".join(
            [
                blake2b(record.message_id.encode(), digest_size=8).digest() + body_digest(text).to_bytes(2, "big")
                for record, text in zip(records, texts, strict=True)
            ]
        )
        self.texts = b",".join(texts)

    @property
    def size(self) -> int:
        """Bytes that wait in memory for this parcel."""
        return len(self.texts)


def body_digest(text: bytes) -> int:
    """13 bits that tell two bodies with one messageId apart.

    The time of an event is left out: a client that sends again has another `sentAt`, from which the time is corrected.
    """
    head, _, rest = text.partition(_TIME_MEMBER)
    return crc32(rest.partition(b",")[2], crc32(head)) & BODY_BITS


def shard_of(visitor_id: str, shards: int) -> int:
    """The shard that holds a visitor's events: crc32 of the id in UTF-8, modulo the number of shards."""
    return crc32(visitor_id.encode()) % shards


def by_shard(records: Sequence[Record], shards: int) -> dict[int, list[int]]:
    """The indexes of the records of each shard, in their order."""
    indexes: dict[int, list[int]] = {}
    for index, record in enumerate(records):
        indexes.setdefault(shard_of(record.visitor_id, shards), []).append(index)
    return indexes
