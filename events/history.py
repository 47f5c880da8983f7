"""Reads what customers bought lately, fast or not at all: a page never waits for the store."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from redis.asyncio import RedisCluster

from events.breaker import Breaker
from events.connection import Connection
from events.history_updates import SEPARATOR
from events.keys import history_key, history_owner_key
from events.store_errors import StoreUnavailable

WAIT_SECONDS: Final = 0.05
PURCHASES_KEPT: Final = 50


@dataclass(frozen=True, slots=True)
class Purchase:
    """One line of an order; `time` in microseconds UTC, `price` of one piece in the order's currency."""

    product_id: str
    time: int
    quantity: float
    price: float | None


@dataclass(frozen=True, slots=True)
class Recent:
    """The newest purchases first; `available` is false when the store could not be asked in time."""

    purchases: tuple[Purchase, ...]
    available: bool


class History:
    """The reading side of `{h:<customer>}`, behind a breaker that opens on the first time-out."""

    def __init__(self, connection: Connection, wait_seconds: float = WAIT_SECONDS) -> None:
        self.breaker = Breaker(connection.probe)
        self._connection = connection
        self._wait_seconds = wait_seconds

    async def recent(self, customers: Sequence[str]) -> Recent:
        """What these ids of one customer (user, visitor) bought, at most 50 lines; answers within 50 ms."""
        if self.breaker.cause is not None:
            return Recent((), available=False)
        keys = [history_key(customer) for customer in dict.fromkeys(customers)]
        try:
            answers = await self._connection.answer(self._read(keys), self._wait_seconds)
        except StoreUnavailable as unavailable:
            self.breaker.open(unavailable.cause)
            return Recent((), available=False)
        lines = {field: value for answer in reversed(answers) for field, value in answer.items()}
        purchases = [purchase for field, value in lines.items() if (purchase := _purchase(field, value))]
        purchases.sort(key=lambda purchase: -purchase.time)
        return Recent(tuple(purchases[:PURCHASES_KEPT]), available=True)

    async def forget(self, customers: Sequence[str]) -> None:
        """Deletes the histories of erased customers; raises StoreUnavailable."""
        await self._connection.prepare()
        for customer in customers:
            keys = (history_key(customer), history_owner_key(customer))
            await self._connection.answer(self._connection.client.unlink(*keys))

    async def close(self) -> None:
        """Ends the probing; the connection belongs to the caller."""
        await self.breaker.close()

    async def _read(self, keys: Sequence[str]) -> list[dict[bytes, bytes]]:
        client = self._connection.client
        if len(keys) == 1:
            return [cast("dict[bytes, bytes]", await client.hgetall(keys[0]))]
        if isinstance(client, RedisCluster):
            return cast("list[dict[bytes, bytes]]", await asyncio.gather(*[client.hgetall(key) for key in keys]))
        pipeline = client.pipeline(transaction=False)
        for key in keys:
            pipeline.hgetall(key)
        return await pipeline.execute()


def _purchase(field: bytes, value: bytes) -> Purchase | None:
    product = field.decode().partition(SEPARATOR)[2]
    time, quantity, *price = value.decode().split(" ")
    if not product or float(quantity) == 0:
        return None  # refunded
    return Purchase(product, int(time), float(quantity), float(price[0]) if price[0] != "-" else None)
