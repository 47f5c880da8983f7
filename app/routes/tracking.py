"""Segment's tracking API: an answer of success means that every event of the request is durable."""

import time
from asyncio import Future
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import msgspec

from app.http.access import Grant
from app.http.admission import admit_key, presented, stranger
from app.http.body import Decoded, decode
from app.http.errors import Problem, retry_later, unreadable
from app.http.exchange import Awaited, Exchange, HttpAnswer, Reply
from app.identity.users import NamedUsers
from app.worker.resources import Resources
from events.authority import OF_BACKEND
from events.consent import UnknownConsent
from events.dialects.segment import BatchBody, BatchMissing, BatchTooLarge, read_batch, read_single
from events.dialects.validation import Arrival, Reading
from events.records import EXPOSURE, Record
from events.store.availability import StoreUnavailable
from experiments.assignment.assign import CompiledExperiment, plausible
from experiments.assignment.bucketing import unit_text
from experiments.catalog.visible import Visible
from kit.time import now_us


def judged(record: Record, visible: Visible) -> Record | None:
    """An exposure with its variant's key, phase and propensity, marked where it cannot be true; None where nobody may
    know of the user who would be enrolled.

    It is held against every phase that its sender saw in the last 24 hours, because an SDK may hold an old payload. An
    experiment that is not ours is stored as it is: sites report other tools' tests by the same event.
    """
    phases = visible.served.get(record.experiment or "", ())
    told = record.variant
    if not phases or told is None:
        return record
    if record.consent != "personal" and phases[0].by_user:
        return None
    hashed = hashed_elsewhere(record, by_user=phases[0].by_user)
    if hashed is not None:  # the unit stays whose conversions come under its id; the variant is that of the other one
        record = msgspec.structs.replace(record, context={**(record.context or {}), HASHED_ID: hashed})
    visitor_id, user_id = (record.visitor_id, record.user_id) if hashed is None else (hashed, hashed)
    for phase in phases:
        variant = _variant_key(phase, told)
        if plausible((phase,), visitor_id, user_id, variant):
            return _marked(record, phase, variant, forged=False)
    newest = phases[0]
    variant = _variant_key(newest, told)
    return _marked(record, newest, variant, forged=record.visitor_id not in newest.previewed)


def hashed_elsewhere(record: Record, *, by_user: bool) -> str | None:
    """The id that an exposure says its variant was drawn by, where that is not the unit that it counts for."""
    told = record.properties or {}
    value = told.get("hashValue", told.get("hash_value"))
    own = record.user_id if by_user else record.visitor_id
    if value is None or not ("hashAttribute" in told or "hash_attribute" in told):
        return None
    hashed = unit_text(value)
    return hashed if hashed and hashed != own else None


def _marked(record: Record, phase: CompiledExperiment, variant: str, *, forged: bool) -> Record:
    weight = next((each.weight for each in phase.variants if each.key == variant), None)
    forced = record.visitor_id in phase.previewed
    return msgspec.structs.replace(
        record, variant=variant, phase=phase.phase, propensity=weight, forged=forged, forced=forced
    )


def _variant_key(phase: CompiledExperiment, told: str) -> str:
    """The key of a variant; SDKs may tell its index instead."""
    keys = [variant.key for variant in phase.variants]
    if told in keys or not (len(told) < 10 and told.isascii() and told.isdigit()):
        return told
    return keys[int(told)] if int(told) < len(keys) else told


HASHED_ID: Final = "hashed_id"  # of an exposure's context: the other id that drew its variant
TEST: Final = "resonate_test"  # of a context or of GrowthBook's attributes: sent to see whether it arrives
SUCCESS: Final = b'{"success":true}'
SINGLE: Final = msgspec.json.Decoder(dict[str, Any])
BATCH: Final = msgspec.json.Decoder(BatchBody)


class Tracking:
    """One kind of call: `track`, `page`, …, `engagement`; kind None is a batch."""

    def __init__(self, kind: str | None) -> None:
        self._kind = kind

    def __call__(self, exchange: Exchange, resources: Resources, body: bytes) -> Reply:
        found = presented(exchange)
        grant = None if found is None else admit_key(exchange, resources.access, found[0], in_address=found[1])
        if self._kind is None:
            batch = _decoded(exchange, resources, body, BATCH)
            grant = grant or admit_written(exchange, resources, batch.writeKey)
            named = resources.users.named_by_events(exchange.user_token)
            try:
                reading = read_batch(batch, len(body), arrival(exchange, resources, named))
            except BatchMissing as error:
                raise unreadable(str(error)) from None
            except UnknownConsent as error:
                raise Problem(400, "unknown_consent", str(error)) from None
            except BatchTooLarge as error:
                raise Problem(413, "batch_too_large", str(error)) from None
        else:
            item = _decoded(exchange, resources, body, SINGLE)
            grant = grant or admit_written(exchange, resources, item.get("writeKey"))
            named = resources.users.named_by_events(exchange.user_token)
            reading = read_single(item, len(body), self._kind, arrival(exchange, resources, named))
        exchange.events = len(reading.records)
        if reading.gone:
            resources.forget_cookie(exchange)
        return store(reading, resources, grant, named)


def admit_written(exchange: Exchange, resources: Resources, key: Any) -> Grant:
    """The grant of the body's `writeKey`. Raises Problem 401, 403 or 429."""
    if type(key) is not str:
        raise stranger(exchange, resources.access, None)
    return admit_key(exchange, resources.access, key.encode())


def arrival(exchange: Exchange, resources: Resources, named: NamedUsers) -> Arrival:
    """What the request says about its events; those of a page each prove the user that they name, or do not."""
    return Arrival(
        received_at=now_us(),
        authority=exchange.authority,
        user_agent=exchange.visitors_agent,
        retention_days=resources.settings.retention_days,
        prove=None if exchange.authority is OF_BACKEND else named.authority,
        scrubber=resources.scrubber,
        network=resources.network_of(exchange),
        consent=resources.consent_of_events(exchange),
        site=None if exchange.grant is None else exchange.grant.site,
    )


def store(reading: Reading, resources: Resources, grant: Grant, named: NamedUsers) -> Reply:
    """Appends the records and answers once they are durable. Raises Problem 503 when that cannot be promised."""
    if named.unsettled:
        return _settled(reading, resources, grant, named)
    records = _judged(reading, named.counted(reading.records), resources, grant)
    if not records:
        return stored(reading, resources, records, 0)
    future = None
    if not resources.users.log_ins.are_told(records):
        try:
            future = resources.stream.put(records)
        except StoreUnavailable as unavailable:
            raise not_stored(resources, unavailable) from None
    if future is None:
        return _appended(reading, resources, records)
    return Awaited(future, partial(_durable, reading, resources, records, future))


async def _settled(reading: Reading, resources: Resources, grant: Grant, named: NamedUsers) -> HttpAnswer:
    """Once it is known who of the users whom the events name is logged in."""
    records = _judged(reading, await named.settled(reading.records), resources, grant)
    return await _appended(reading, resources, records)


async def _appended(reading: Reading, resources: Resources, records: Sequence[Record]) -> HttpAnswer:
    try:
        appended = await resources.stream.append(records)
    except StoreUnavailable as unavailable:
        raise not_stored(resources, unavailable) from None
    await resources.users.log_ins.learn(records)
    return stored(reading, resources, records, appended.duplicates)


def _durable(reading: Reading, resources: Resources, records: Sequence[Record], future: Future[int]) -> HttpAnswer:
    try:
        duplicates = future.result()
    except StoreUnavailable as unavailable:
        raise not_stored(resources, unavailable) from None
    return stored(reading, resources, records, duplicates)


def _judged(reading: Reading, records: Sequence[Record], resources: Resources, grant: Grant) -> Sequence[Record]:
    """The records as they are stored; those that consent lets nobody store are gone, and counted."""
    now = time.time()
    settled = [
        judged(record, resources.visible_to(grant, now)) if record.type == EXPOSURE else record
        for record in resources.recognition.ids.marked(records)
    ]
    kept = [_apart(record) if _is_test(record) else record for record in settled if record is not None]
    gone = reading.gone + len(settled) - len(kept)
    if gone:
        resources.telemetry.events("refused", gone)
    return kept


def _is_test(record: Record) -> bool:
    context, told = record.context, record.properties
    return (context is not None and context.get(TEST) is True) or (told is not None and told.get(TEST) is True)


def _apart(record: Record) -> Record:
    """A test event is kept and exported as it came, and stands in no readout, no history and no model."""
    return msgspec.structs.replace(record, quarantined=True)


def not_stored(resources: Resources, unavailable: StoreUnavailable) -> Problem:
    """503: why the store takes no events now, and when to send them again."""
    resources.telemetry.went_wrong("store_refused")
    return retry_later(503, unavailable.cause, str(unavailable), unavailable.retry_after_seconds)


def stored(reading: Reading, resources: Resources, records: Sequence[Record], duplicates: int) -> HttpAnswer:
    """The answer once all records are durable, so many of which were so before; what became of each is counted."""
    telemetry = resources.telemetry
    if records:
        telemetry.events("stored", len(records) - duplicates)
        if duplicates:
            telemetry.events("duplicate", duplicates)
        odd = [record for record in records if record.quarantined or record.bot or record.forged]
        for outcome in ("quarantined", "bot", "forged"):
            count = sum(getattr(record, outcome) for record in odd)
            if count:
                telemetry.events(outcome, count)
    if reading.dropped:
        resources.intake.dropped(reading.dialect, reading.dropped)
    if reading.repairs:
        resources.intake.remarked("repaired", reading.dialect, reading.repairs)
    if not reading.refusals:
        return HttpAnswer(200, SUCCESS)
    resources.intake.remarked("rejected", reading.dialect, reading.refusals)
    rejected = [
        {
            "index": each.index,
            "messageId": each.message_id,
            "field": each.field,
            "code": each.code,
            "message": each.message,
        }
        for each in reading.refusals
    ]
    return HttpAnswer(200, msgspec.json.encode({"success": True, "rejected": rejected}))


def _decoded(exchange: Exchange, resources: Resources, body: bytes, decoder: msgspec.json.Decoder[Decoded]) -> Decoded:
    """A body that cannot be read holds no key either: without one it is refused for that."""
    try:
        return decode(body, decoder)
    except Problem:
        if exchange.grant is None:
            raise stranger(exchange, resources.access, None) from None
        raise
