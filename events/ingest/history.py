"""What people bought lately: written before a request is answered, read fast or not at all."""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, zip_longest
from typing import Final

import msgspec

from events.authority import OF_PAGE
from events.records import ALIAS, IDENTIFY, Record, user_person, visitor_person
from events.store.availability import StoreUnavailable
from events.store.connection import Call, Connection
from events.store.keys import history_key
from events.store.shared_reads import SharedReads

SEPARATOR: Final = "\x1f"  # between order and product; identifiers hold no control characters
PURCHASES: Final = frozenset({"Order Completed"})
REFUNDS: Final = frozenset({"Order Refunded", "Order Cancelled"})
CHANGING: Final = PURCHASES | REFUNDS
TIMEOUT_SECONDS: Final = 0.5
LOG_INS_REMEMBERED: Final = 50_000

LogIn = tuple[str, str]  # visitor, user


class HistoryUpdates:
    """The writing side of `{h:<person>}`; the log is durable by then, so a failure here is counted, not raised."""

    def __init__(self, connection: Connection, count: Callable[[str, int], None]) -> None:
        self._connection = connection
        self._count = count
        self._joined: dict[LogIn, None] = {}

    def follow(self, records: Sequence[Record]) -> bool:
        """Whether these records change a history: orders do, and users that somebody vouches for, the first time."""
        return any(
            [record.event in CHANGING or (record.user_id is not None and self._joins(record)) for record in records]
        )

    async def apply(self, records: Sequence[Record]) -> None:
        """Brings the histories up to date; safe to repeat with the same records."""
        calls = [call for record in records if record.event in CHANGING for call in _calls(record)]
        log_ins = dict.fromkeys(
            [
                (record.visitor_id, record.user_id)
                for record in records
                if record.user_id is not None and self._joins(record)
            ]
        )
        if not calls and not log_ins:
            return
        joining: list[Call] = [
            ("resonate_joined", history_key(visitor_person(visitor)), (user_person(user),)) for visitor, user in log_ins
        ]
        try:
            answers = (await self._connection.call_many([*calls, *joining], TIMEOUT_SECONDS))[len(calls) :]
            found = [(user_person(user), lines) for (_, user), lines in zip(log_ins, answers, strict=True) if lines]
            if found:
                moved: list[Call] = [("resonate_purchased", history_key(user), tuple(lines)) for user, lines in found]
                await self._connection.call_many(moved, TIMEOUT_SECONDS)
        except StoreUnavailable:
            self._count("history_failures", 1)
            return
        if len(self._joined) > LOG_INS_REMEMBERED:
            self._joined.clear()
        self._joined.update(log_ins)

    def _joins(self, record: Record) -> bool:
        """Whether a visitor's history may have to become a user's by a record that names one."""
        return (
            record.authority > OF_PAGE
            and record.user_id != record.visitor_id
            and (record.type in (IDENTIFY, ALIAS) or (record.visitor_id, record.user_id) not in self._joined)
        )


def _calls(record: Record) -> Iterable[Call]:
    """What an order or a refund changes in a history."""
    if record.quarantined or record.bot or record.consent != "personal":
        return
    keys = [history_key(person) for person in _people(record)]
    lines = [
        (product, None if quantity is None else repr(quantity), "-" if price is None else repr(price))
        for product, quantity, price in zip_longest(
            record.product_ids or [], record.quantities or [], record.prices or []
        )
        if product is not None
    ]
    if record.event in PURCHASES and lines:
        order = record.order_id or record.message_id
        fields = [f"{order}{SEPARATOR}{product}" for product, _, _ in lines]
        values = [f"{record.time} {quantity or 1} {price} {record.authority:d}" for _, quantity, price in lines]
        for key in keys:
            yield "resonate_purchased", key, tuple(chain.from_iterable(zip(fields, values, strict=True)))
    elif record.event in REFUNDS and record.order_id:
        back = (
            [] if record.event == "Order Cancelled" else [(product, quantity or "-") for product, quantity, _ in lines]
        )
        told = (str(record.time), str(int(record.authority)), record.order_id, *chain.from_iterable(back))
        for key in keys:
            yield "resonate_refunded", key, told


def _people(record: Record) -> Iterable[str]:
    """Whose history an event writes: the visitor's, and the user's where somebody says so who is more than a page."""
    if record.user_id is not None and record.authority > OF_PAGE:
        yield user_person(record.user_id)
        if record.visitor_id == record.user_id:
            return
    if record.visitor_id:
        yield visitor_person(record.visitor_id)


PURCHASES_KEPT: Final = 50
SEPARATED: Final = SEPARATOR.encode()


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
    """The reading side of `{h:<person>}`."""

    def __init__(self, reads: SharedReads) -> None:
        self._reads = reads

    async def recent(self, people: Sequence[str]) -> Recent:
        """What somebody bought by their names (user's before visitor's), at most 50 lines; answers within 50 ms."""
        try:
            answers: list[dict[bytes, bytes]] = await self._reads.ask_many(
                [("HGETALL", history_key(each)) for each in dict.fromkeys(people)]
            )
        except StoreUnavailable:
            return Recent((), available=False)
        # The lines of all answers once each, without what was refunded; who is named first has the say.
        lines = (
            answers[0] if len(answers) == 1 else {key: line for own in reversed(answers) for key, line in own.items()}
        )
        found: list[Purchase] = []
        for field, value in lines.items():
            product = field.partition(SEPARATED)[2].decode()
            if not product:  # whose the history is, or an order that is gone as a whole
                continue
            time, amount, price, *_ = (*value.split(b" "), b"-")  # what is gone had no price before there was authority
            quantity = float(amount)
            if quantity != 0:
                found.append(Purchase(product, int(time), quantity, None if price == b"-" else float(price)))
        found.sort(key=lambda purchase: -purchase.time)
        return Recent(tuple(found[:PURCHASES_KEPT]), available=True)


async def forget(connection: Connection, people: Sequence[str]) -> None:
    """Deletes the histories of erased people; raises StoreUnavailable."""
    await connection.ask_many([("UNLINK", history_key(each)) for each in people])
