"""Reads what customers bought lately, fast or not at all: a page never waits for the store."""

import asyncio
from collections.abc import Sequence
from typing import Final, TypeAlias, cast

import msgspec
from redis.asyncio import RedisCluster

from events.breaker import Breaker
from events.connection import Connection
from events.history_updates import SEPARATOR
from events.keys import history_key, history_owner_key
from events.store_errors import StoreUnavailable

WAIT_SECONDS: Final = 0.05
PURCHASES_KEPT: Final = 50
SEPARATED: Final = SEPARATOR.encode()

Lines: TypeAlias = dict[bytes, bytes]  # a history as the store keeps it


class Purchase(msgspec.Struct, frozen=True):
    """One line of an order; `time` in microseconds UTC, `price` of one piece in the order's currency."""

    product_id: str
    time: int
    quantity: float
    price: float | None


class Recent(msgspec.Struct, frozen=True):
    """The newest purchases first; `available` is false when the store could not be asked in time."""

    purchases: tuple[Purchase, ...]
    available: bool


class History:
    """The reading side of `{h:<customer>}`, behind a breaker that opens on the first time-out.

    Reads that arrive while one is under way share the next round trip, as appends share a flush.
    """

    def __init__(self, connection: Connection, wait_seconds: float = WAIT_SECONDS) -> None:
        self.breaker = Breaker(connection.probe)
        self._connection = connection
        self._wait_seconds = wait_seconds
        self._waiting: list[tuple[list[str], asyncio.Future[list[Lines]]]] = []
        self._reading: asyncio.Task[None] | None = None

    async def recent(self, customers: Sequence[str]) -> Recent:
        """What these ids of one customer (user, visitor) bought, at most 50 lines; answers within 50 ms."""
        if self.breaker.cause is not None:
            return Recent((), available=False)
        try:
            async with asyncio.timeout(self._wait_seconds):
                answers = await self._read([history_key(customer) for customer in dict.fromkeys(customers)])
        except TimeoutError:
            self.breaker.open("store_timeout")
            return Recent((), available=False)
        except StoreUnavailable as unavailable:
            self.breaker.open(unavailable.cause)
            return Recent((), available=False)
        return Recent(_purchases(answers), available=True)

    async def forget(self, customers: Sequence[str]) -> None:
        """Deletes the histories of erased customers; raises StoreUnavailable."""
        await self._connection.prepare()
        for customer in customers:
            keys = (history_key(customer), history_owner_key(customer))
            await self._connection.answer(self._connection.client.unlink(*keys))

    async def close(self) -> None:
        """Ends the probing; the connection belongs to the caller."""
        if self._reading is not None:
            await asyncio.wait({self._reading})
        await self.breaker.close()

    def _read(self, keys: list[str]) -> asyncio.Future[list[Lines]]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Lines]] = loop.create_future()
        self._waiting.append((keys, future))
        if self._reading is None:
            self._reading = loop.create_task(self._read_all())
        return future

    async def _read_all(self) -> None:
        try:
            while self._waiting:
                reads, self._waiting = self._waiting, []
                await self._read_once([(keys, future) for keys, future in reads if not future.done()])
        finally:
            self._reading = None

    async def _read_once(self, reads: list[tuple[list[str], asyncio.Future[list[Lines]]]]) -> None:
        keys = [key for asked, _ in reads for key in asked]
        try:
            answers = iter(await self._connection.answer(self._fetched(keys), self._wait_seconds))
        except StoreUnavailable as unavailable:
            for _, future in reads:
                if not future.done():
                    future.set_exception(StoreUnavailable(unavailable.cause))
            return
        for asked, future in reads:
            lines = [next(answers) for _ in asked]
            if not future.done():  # it waited too long
                future.set_result(lines)

    async def _fetched(self, keys: Sequence[str]) -> list[Lines]:
        client = self._connection.client
        if isinstance(client, RedisCluster):
            return cast("list[Lines]", await asyncio.gather(*[client.hgetall(key) for key in keys]))
        pipeline = client.pipeline(transaction=False)
        for key in keys:
            pipeline.hgetall(key)
        return await pipeline.execute()


def _purchases(answers: Sequence[Lines]) -> tuple[Purchase, ...]:
    """The lines of all answers once each, newest first; the customer named first has the say."""
    lines = (
        answers[0]
        if len(answers) == 1
        else {field: value for each in reversed(answers) for field, value in each.items()}
    )
    found = [purchase for field, value in lines.items() if (purchase := _purchase(field, value))]
    found.sort(key=_age)
    return tuple(found[:PURCHASES_KEPT])


def _purchase(field: bytes, value: bytes) -> Purchase | None:
    product = field.partition(SEPARATED)[2].decode()
    time, amount, *price = value.split(b" ")
    quantity = float(amount)
    if not product or quantity == 0:
        return None  # refunded
    return Purchase(product, int(time), quantity, float(price[0]) if price[0] != b"-" else None)


def _age(purchase: Purchase) -> int:
    return -purchase.time
