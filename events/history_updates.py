"""Writes purchases, refunds and log-ins of a request into the customers' histories, before the request is answered."""

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any, Final

from events.connection import Call, Connection
from events.keys import history_key
from events.records import ALIAS, IDENTIFY, Record
from events.store_errors import StoreUnavailable

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
