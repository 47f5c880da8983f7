"""Segment's tracking API: an answer of success means that every event of the request is durable."""

import re
from asyncio import Future
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import msgspec

from app.http.access import Grant
from app.http.admission import admit_key, presented, stranger
from app.http.body import Decoded, decode
from app.http.errors import Problem, retry_later, unreadable
from app.http.exchange import Awaited, Exchange, HttpAnswer, Reply
from app.identity.users import NamedUsers
from app.intake.forms import unwrapped
from app.intake.hints import DEBUGGED, Hints, hints_of
from app.intake.judging import weighed_exposure
from app.worker.resources import Resources
from events.authority import OF_BACKEND
from events.consent import UnknownConsent
from events.dialects.segment import BATCH, RAW_BATCH, BatchBody, BatchMissing, BatchTooLarge, read_batch, read_single
from events.dialects.validation import MAX_EVENT_BYTES, Arrival, Reading
from events.records import TEST, Record, is_test
from events.store.availability import StoreUnavailable
from kit.time import DAY_SECONDS, DAY_US, now_us

MOST_TOLD: Final = 100  # refusals, repairs and hints each
SUCCESS: Final = b'{"success":true}'
SINGLE: Final = msgspec.json.Decoder(dict[str, Any])
LEFT: Final = re.compile(rb"(?:^|&)left=([0-9a-z]{1,64})(?:&|$)")  # how a page names what it leaves by a beacon
LEFT_COOKIE: Final = "resonate_left"  # says to the next page of what was left that it is stored
LEFT_SECONDS: Final = 7 * DAY_SECONDS  # as long as the browser keeps the events themselves


class Tracking:
    """One kind of call: `track`, `page`, …, `engagement`; kind None is a batch."""

    def __init__(self, kind: str | None) -> None:
        self._kind = kind

    def __call__(self, exchange: Exchange, resources: Resources, body: bytes) -> Reply:
        found = presented(exchange)
        grant = None if found is None else admit_key(exchange, resources.access, found[0], in_address=found[1])
        if self._kind is None:
            batch, key = _decoded(exchange, resources, body, _batch)
            grant = grant or admit_written(exchange, resources, batch.writeKey or key)
            named = resources.users.named_by_events(exchange.user_token)
            try:
                reading = read_batch(batch, arrival(exchange, resources, grant, named))
            except BatchMissing as error:
                raise unreadable(str(error)) from None
            except UnknownConsent as error:
                raise Problem(400, "unknown_consent", str(error)) from None
            except BatchTooLarge as error:
                raise Problem(413, "batch_too_large", str(error)) from None
            if b"left=" in exchange.scope["query_string"] and not reading.gone:
                return with_receipt(exchange, resources, store(exchange, reading, resources, grant, named))
        else:
            item, key = _decoded(exchange, resources, body, _single)
            grant = grant or admit_written(exchange, resources, item.get("writeKey") or key)
            named = resources.users.named_by_events(exchange.user_token)
            reading = read_single(item, len(body), self._kind, arrival(exchange, resources, grant, named))
        return store(exchange, reading, resources, grant, named)


def admit_written(exchange: Exchange, resources: Resources, key: Any) -> Grant:
    """The grant of the body's `writeKey`. Raises Problem 401, 403 or 429."""
    if type(key) is not str:
        raise stranger(exchange, resources.access, None)
    return admit_key(exchange, resources.access, key.encode())


def arrival(exchange: Exchange, resources: Resources, grant: Grant, named: NamedUsers) -> Arrival:
    """What the request says about its events; those of a page each prove the user that they name, or do not."""
    return Arrival(
        received_at=now_us(),
        authority=exchange.authority,
        user_agent=exchange.visitors_agent,
        retention_us=resources.settings.retention_days * DAY_US,
        prove=None if exchange.authority is OF_BACKEND else named.authority,
        scrubber=resources.scrubber,
        network=resources.network_of(exchange),
        consent=resources.consent_of_events(exchange),
        site=grant.site,
        judge=partial(weighed_exposure, resources, grant),
        keeps_evaluations=resources.settings.keep_feature_evaluations,
        scales=resources.heard.scales,
    )


def store(exchange: Exchange, reading: Reading, resources: Resources, grant: Grant, named: NamedUsers) -> Reply:
    """Appends the records and answers once they are durable. Raises Problem 503 when that cannot be promised."""
    exchange.events = len(reading.records)
    if reading.gone:
        resources.forget_cookie(exchange)
    is_hinted = grant.secret or reading.useless or DEBUGGED in exchange.scope["query_string"]
    hints = hints_of(exchange, reading, resources, grant) if is_hinted else ()
    if named.unsettled:
        return _settled(reading, resources, hints, named)
    records = _marked(reading, named.counted(reading.records), resources)
    if not records:
        return stored(reading, resources, hints, records, 0)
    future = None
    if not resources.users.log_ins.are_told(records):
        try:
            future = resources.stream.put(records)
        except StoreUnavailable as unavailable:
            raise not_stored(resources, unavailable) from None
    if future is None:
        return _appended(reading, resources, hints, records)
    return Awaited(future, partial(_durable, reading, resources, hints, records, future))


async def _settled(reading: Reading, resources: Resources, hints: Hints, named: NamedUsers) -> HttpAnswer:
    """Once it is known who of the users whom the events name is logged in."""
    records = _marked(reading, await named.settled(reading.records), resources)
    return await _appended(reading, resources, hints, records)


async def _appended(reading: Reading, resources: Resources, hints: Hints, records: Sequence[Record]) -> HttpAnswer:
    try:
        appended = await resources.stream.append(records)
    except StoreUnavailable as unavailable:
        raise not_stored(resources, unavailable) from None
    await resources.users.log_ins.learn(records)
    return stored(reading, resources, hints, records, appended.duplicates)


def _durable(
    reading: Reading, resources: Resources, hints: Hints, records: Sequence[Record], future: Future[int]
) -> HttpAnswer:
    try:
        duplicates = future.result()
    except StoreUnavailable as unavailable:
        raise not_stored(resources, unavailable) from None
    return stored(reading, resources, hints, records, duplicates)


def _marked(reading: Reading, records: Sequence[Record], resources: Resources) -> Sequence[Record]:
    """The records, those under ids of our own and those of tests marked; those that consent lets nobody store are gone,
    and counted.
    """
    if reading.gone:
        resources.telemetry.events("refused", reading.gone)
    marked = resources.recognition.ids.marked(records)
    if any([TEST in (each.context or ()) or TEST in (each.properties or ()) for each in marked]):
        marked = [_apart(record) for record in marked]
    return marked


def _apart(record: Record) -> Record:
    """A test event is kept and exported as it came."""
    return msgspec.structs.replace(record, quarantined=True) if is_test(record) else record


def not_stored(resources: Resources, unavailable: StoreUnavailable) -> Problem:
    """503: why the store takes no events now, and when to send them again."""
    resources.telemetry.went_wrong("store_refused")
    return retry_later(503, unavailable.cause, str(unavailable), unavailable.retry_after_seconds)


def stored(
    reading: Reading, resources: Resources, hints: Hints, records: Sequence[Record], duplicates: int
) -> HttpAnswer:
    """The answer once all records are durable, so many of which were so before; what became of each is counted."""
    _count(resources, reading, records, duplicates)
    if not (reading.refusals or reading.repairs or hints):
        return HttpAnswer(200, SUCCESS)
    return HttpAnswer(200, msgspec.json.encode({"success": True} | told_of(reading, hints)))


def _count(resources: Resources, reading: Reading, records: Sequence[Record], duplicates: int) -> None:
    telemetry = resources.telemetry
    if records:
        telemetry.events("stored", len(records) - duplicates)
        odd = [record for record in records if record.quarantined or record.bot or record.forged]
        for outcome in ("quarantined", "bot", "forged") if odd else ():
            telemetry.events(outcome, sum(getattr(record, outcome) for record in odd))
    if duplicates:
        telemetry.events("duplicate", duplicates)
    if reading.refusals or reading.repairs or reading.dropped or reading.useless:
        telemetry.events("unusable", len({each.index for each in reading.useless}))
        telemetry.events("rejected", len(reading.refusals))
        telemetry.events("repaired", len({repair.index for repair in reading.repairs}))
        telemetry.events("dropped", reading.dropped)
        resources.intake.noted(reading)


def told_of(reading: Reading, hints: Hints) -> dict[str, Any]:
    """What the answer says of events that were refused, repaired, or stored where nothing may read them."""
    remarks = {"rejected": reading.refusals, "repaired": reading.repairs}
    told: dict[str, Any] = {
        name: [
            {"index": each.index, "messageId": each.message_id, "field": each.field, "code": each.code,
             "message": each.message} for each in all_of_them[:MOST_TOLD]
        ] for name, all_of_them in remarks.items() if all_of_them
    }  # fmt: skip
    if hints:
        told["hints"] = hints[:MOST_TOLD]
    more = sum(max(0, len(each) - MOST_TOLD) for each in (*remarks.values(), hints))
    return told | {"more": more} if more else told


def _decoded(
    exchange: Exchange, resources: Resources, body: bytes, read: Callable[[bytes], Decoded]
) -> tuple[Decoded, str | None]:
    """A body, and the key that stood beside it in a form. One that cannot be read holds no key either: without one it
    is refused for that.
    """
    key = None
    if body[:1] != b"{":
        body, key = unwrapped(body, exchange.headers.get(b"content-type", b""))
    try:
        return read(body), key
    except Problem:
        if exchange.grant is None:
            raise stranger(exchange, resources.access, None) from None
        raise


def _single(body: bytes) -> dict[str, Any]:
    return decode(body, SINGLE)


def _batch(body: bytes) -> BatchBody:
    """All items are decoded at once where all can be, and none is too large."""
    try:
        return (BATCH if len(body) <= MAX_EVENT_BYTES else RAW_BATCH).decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return decode(body, RAW_BATCH)


def with_receipt(exchange: Exchange, resources: Resources, reply: Reply) -> Reply:
    """The same answer, with the beacon's name that the address gives in a cookie. A refusal is raised, and has none."""
    named = LEFT.search(exchange.scope["query_string"])
    return reply if named is None else _received(exchange, resources, reply, named[1].decode())


async def _received(exchange: Exchange, resources: Resources, reply: Reply, name: str) -> HttpAnswer:
    answer = reply if isinstance(reply, HttpAnswer) else await reply
    place = resources.cookie_place(exchange)
    if place is None:
        return answer
    rules = replace(resources.recognition.rules, name=LEFT_COOKIE, http_only=False)
    return answer._replace(headers=[*answer.headers, *rules.set(name, LEFT_SECONDS, place)])
