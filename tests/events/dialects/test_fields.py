"""What one event holds ends no request, and of who refuses nothing is kept, not even why an event could not be read."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from events.consent import Consent, Stated
from events.dialects.ga4 import CollectBody, read_collected
from events.dialects.growthbook import read_events
from events.dialects.segment import RawBatchBody, read_batch, read_single
from events.dialects.validation import Arrival, Reading

NOW = 1_800_000_000_000_000
LARGE = 10**300
GOOD = {"type": "track", "event": "E", "anonymousId": "v-1"}
REFUSING = Stated(said=Consent.NONE)


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


def segment(event: str, arrival: Arrival) -> Reading:
    body = f'{{"batch":[{event},{msgspec.json.encode(GOOD).decode()}]}}'.encode()
    return read_batch(msgspec.json.decode(body, type=RawBatchBody), arrival)


def growthbook(event: str, arrival: Arrival) -> Reading:
    good = msgspec.json.encode({"event_name": "E", "device_id": "v-1"}).decode()
    return read_events(msgspec.json.decode(f"[{event},{good}]".encode(), type=list[msgspec.Raw]), arrival)


def ga4(event: str, arrival: Arrival) -> Reading:
    body = f'{{"client_id":"v-1","events":[{event},{{"name":"E"}}]}}'.encode()
    return read_collected(msgspec.json.decode(body, type=CollectBody), arrival)


@pytest.mark.parametrize("levels", [40, 600, 800])
@pytest.mark.parametrize(
    ("read", "event"),
    [
        (segment, '{"type":"track","event":"E","anonymousId":"v","properties":INSIDE}'),
        (segment, '{"type":"track","event":"E","anonymousId":"v","context":INSIDE}'),
        (growthbook, '{"event_name":"E","device_id":"v","properties_json":INSIDE}'),
        (ga4, '{"name":"E","params":INSIDE}'),
    ],
)
def test_an_event_nested_without_end_beside_a_large_number_is_refused_alone(
    read: Callable[[str, Arrival], Reading], event: str, levels: int
) -> None:
    reading = read(event.replace("INSIDE", f'{{"n":{LARGE},"deep":{nested(levels)}}}'), Arrival(received_at=NOW))
    assert [refusal.index for refusal in reading.refusals] == [0]
    assert [record.event for record in reading.records] == ["E"]


@pytest.mark.parametrize(
    "told",
    [
        {"timestamp_micros": 10**400},
        {"timestamp_micros": -(10**400)},
        {"consent": {"ad_user_data": [[]], "analytics_storage": 1}},
    ],
)
def test_no_member_of_a_body_of_google_ends_the_request(told: dict[str, Any]) -> None:
    body = CollectBody(events=[msgspec.Raw(b'{"name":"E"}')], client_id="v-1", **told)
    assert [record.visitor_id for record in read_collected(body, Arrival(received_at=NOW)).records] == ["v-1"]


def test_our_own_word_among_what_google_calls_consent_is_heard() -> None:
    granted = {"analytics_storage": "granted", "personalization_storage": "granted"}
    for told in ({"resonate": "none"}, {"resonate": "none", **granted}, {**granted, "analytics_storage": "denied"}):
        body = CollectBody(events=[msgspec.Raw(b'{"name":"E"}')], client_id="v-1", consent=told)
        reading = read_collected(body, Arrival(received_at=NOW))
        assert (reading.records, reading.gone) == ([], 1)


def test_of_who_refuses_no_event_is_named_as_refused_or_repaired() -> None:
    arrival, refusing = Arrival(received_at=NOW), Arrival(received_at=NOW, consent=REFUSING)
    large = {**GOOD, "messageId": "m", "context": {"consent": {"resonate": "none"}}}
    attributes = '"uuid":"m","attributes":{"resonate.consent":"none"}'
    torn = f'{{"event_name":"E","device_id":"v",{attributes},"properties_json":"{{torn"}}'
    deep = f'{{"event_name":"E","device_id":"v",{attributes},"properties":{{"d":{nested(50)}}}}}'
    for reading in (
        read_single(large, 40_000, "track", arrival),
        read_single({**GOOD, "event": 5}, 100, "track", refusing),
        segment('{"type":"nonsense","messageId":"m"}', refusing),
        growthbook(torn, arrival),
        growthbook(deep, arrival),
    ):
        assert (reading.refusals, reading.repairs, reading.gone > 0) == ([], [], True)


def test_an_event_that_is_gone_is_not_told_of_as_repaired() -> None:
    arrival = Arrival(received_at=NOW, consent=Stated(said=Consent.MEASURE))
    reading = read_single({"userId": "u-1", "anonymousId": "v", "timestamp": [], "traits": 5}, 50, "identify", arrival)
    assert (reading.records, reading.repairs, reading.gone) == ([], [], 1)


def test_no_word_of_a_caller_is_the_name_of_a_field() -> None:
    name = "alice@shop.example\n42"
    told = {"experiment_id": "e", "variation_id": "a", "hashAttribute": name}
    event = {"event_name": "Experiment Viewed", "properties": told, "attributes": {name: True}, "device_id": "v"}
    reading = growthbook(msgspec.json.encode(event).decode(), Arrival(received_at=NOW))
    assert [repair.field for repair in reading.repairs] == ["context_json.hashAttribute"]
