"""What customers bought lately: written before a request is answered, read fast or not at all."""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any, Final, TypeAlias, cast

import msgspec
from redis.asyncio import RedisCluster

from events.records import ALIAS, IDENTIFY, Record
from events.store.availability import Breaker, StoreUnavailable
from events.store.connection import Call, Connection
from events.store.keys import history_key, history_owner_key

SEPARATOR: Final = "\x1f"  # between order and product; identifiers hold no control characters
PURCHASES: Final = frozenset({"Order Completed"})
REFUNDS: Final = frozenset({"Order Refunded", "Order Cancelled"})
TIMEOUT_SECONDS: Final = 0.5
LOG_INS_REMEMBERED: Final = 50_000

LogIn = tuple[str, str]  # visitor_id, user_id


class HistoryUpdates:
    """The writing side of `{h:<customer>}`; the log is durable by then, so a failure here is counted, not raised."""

    def __init__(self, connection: Connection) -> None:
        self.failures = 0
        self._connection = connection
        self._joined: dict[LogIn, None] = {}

    async def apply(self, records: Sequence[Record]) -> None:
        """Brings the histories up to date; safe to repeat with the same records."""
        calls = [call for record in records for call in _calls(record)]
        log_ins = list(dict.fromkeys(self._new_log_ins(records)))
        if not calls and not log_ins:
            return
        calls += [("resonate_joined", history_key(visitor), (user,)) for visitor, user in log_ins]
        try:
            answers = await self._connection.call_many(calls, TIMEOUT_SECONDS)
            await self._join(log_ins, answers[len(calls) - len(log_ins) :])
        except StoreUnavailable:
            self.failures += 1

    async def _join(self, log_ins: Sequence[LogIn], answers: Sequence[list[bytes]]) -> None:
        found = [(user, lines) for (_, user), lines in zip(log_ins, answers, strict=True) if lines]
        if found:
            calls: list[Call] = [("resonate_purchased", history_key(user), tuple(lines)) for user, lines in found]
            await self._connection.call_many(calls, TIMEOUT_SECONDS)
        if len(self._joined) > LOG_INS_REMEMBERED:
            self._joined.clear()
        self._joined.update(dict.fromkeys(log_ins))

    def _new_log_ins(self, records: Iterable[Record]) -> Iterable[LogIn]:
        for record in records:
            if record.user_id is None or record.user_id == record.visitor_id:
                continue
            log_in = (record.visitor_id, record.user_id)
            if record.type in (IDENTIFY, ALIAS) or log_in not in self._joined:
                yield log_in


def _calls(record: Record) -> Iterable[Call]:
    if record.event is None or record.quarantined or record.bot:
        return
    customer = history_key(record.user_id or record.visitor_id)
    if record.event in PURCHASES and record.product_ids:
        yield "resonate_purchased", customer, tuple(_lines(record))
    elif record.event in REFUNDS and record.order_id:
        yield "resonate_refunded", customer, (str(record.time), record.order_id, *_refunded(record))


def _lines(record: Record) -> Iterable[str]:
    order = record.order_id or record.message_id
    for product, quantity, price in _products(record):
        yield f"{order}{SEPARATOR}{product}"
        yield f"{record.time} {_number(quantity, '1')} {_number(price, '-')}"


def _refunded(record: Record) -> Iterable[str]:
    if record.event == "Order Cancelled":
        return
    for product, quantity, _ in _products(record):
        yield product
        yield _number(quantity, "-")


def _products(record: Record) -> Iterable[tuple[str, Any, Any]]:
    products = record.product_ids or []
    lines = zip_longest(products, record.quantities or [], record.prices or [])
    return [(product, quantity, price) for product, quantity, price in lines if product is not None]


def _number(value: float | None, missing: str) -> str:
    return missing if value is None else repr(value)


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
