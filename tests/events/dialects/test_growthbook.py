"""GrowthBook's exposure events as records, from the JavaScript SDK and from the Python one."""

from typing import Any

import msgspec
import pytest

from events.dialects.growthbook import read_event, read_events
from events.dialects.validation import Arrival, EventRefused

NOW = 1_800_000_000_000_000
JAVASCRIPT = {"experimentId": "banner", "variationId": "b", "hashAttribute": "id", "hashValue": "v-1"}
PYTHON = {"experiment_id": "banner", "variation_id": 1, "variation_key": "b", "hash_attribute": "id",
          "hash_value": "v-1",
          "in_experiment": True, "hash_used": True}  # fmt: skip


def read(item: dict[str, Any]) -> Any:
    return read_event(item, Arrival(received_at=NOW))


def viewed(properties: Any, name: str = "Experiment Viewed", **fields: Any) -> Any:
    return read({"event_name": name, "properties_json": properties, "context_json": {"a": 1}, **fields})


@pytest.mark.parametrize(("name", "properties"), [("Experiment Viewed", JAVASCRIPT), ("$$experiment_viewed", PYTHON)])
def test_both_sdks_report_the_same_exposure(name: str, properties: dict[str, Any]) -> None:
    record = viewed(properties, name)
    assert (record.type, record.event, record.exposure_source) == ("exposure", "Experiment Viewed", "growthbook")
    assert (record.experiment, record.variant, record.visitor_id, record.properties) == ("banner", "b", "v-1", {"a": 1})


def test_properties_may_be_the_text_of_an_object() -> None:
    assert viewed(msgspec.json.encode(JAVASCRIPT).decode()).variant == "b"


@pytest.mark.parametrize("nothing", ["", None])
def test_what_is_empty_under_one_name_is_read_under_the_other(nothing: str | None) -> None:
    empty = {"properties_json": nothing, "context_json": nothing, "uuid": None}
    told = {"properties": PYTHON, "attributes": {"a": 1}, "event_uuid": "m-1"}
    record = read({"event_name": "Experiment Viewed", **empty, **told})
    assert (record.variant, record.properties, record.message_id) == ("b", {"a": 1}, "m-1")


def test_a_unit_of_users_keeps_its_device_as_the_visitor() -> None:
    record = viewed({**JAVASCRIPT, "hashAttribute": "user_id", "hashValue": "u-1"}, device_id="v-9")
    assert (record.visitor_id, record.user_id) == ("v-9", "u-1")


def test_who_was_not_in_the_experiment_was_not_exposed() -> None:
    record = viewed({**PYTHON, "in_experiment": False}, "$$experiment_viewed", device_id="v-1")
    assert record.type == "track"


def test_other_events_are_tracked_under_their_name() -> None:
    record = read({"event_name": "Clicked", "device_id": "v-1", "properties_json": {"f": 1}})
    assert (record.type, record.event, record.properties) == ("track", "Clicked", {"f": 1})


@pytest.mark.parametrize("name", ["Feature Evaluated", "$$feature_evaluated"])
def test_evaluations_of_features_are_dropped_unless_they_are_kept(name: str) -> None:
    event = {"event_name": name, "device_id": "v-1", "properties_json": {"f": 1}}
    raw = [msgspec.Raw(msgspec.json.encode(event))]
    reading = read_events(raw, Arrival(received_at=NOW))
    assert (reading.records, reading.refusals, reading.dropped) == ([], [], 1)
    kept = read_events(raw, Arrival(received_at=NOW, keeps_evaluations=True))
    assert ([record.event for record in kept.records], kept.dropped) == ([name], 0)


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"event_name": 3},
        {"event_name": "E"},
        {"event_name": "Experiment Viewed", "properties_json": {}},
        {"event_name": "Experiment Viewed", "properties_json": {**JAVASCRIPT, "hashValue": ""}},
        {"event_name": "Experiment Viewed", "device_id": "v", "properties_json": "{"},
        {"event_name": "Experiment Viewed", "device_id": "v", "properties_json": []},
    ],
)
def test_what_cannot_be_an_event_is_refused(item: dict[str, Any]) -> None:
    with pytest.raises(EventRefused):
        read(item)


def test_one_bad_event_never_costs_the_good_ones() -> None:
    good = msgspec.Raw(msgspec.json.encode({"event_name": "E", "device_id": "v"}))
    reading = read_events([good, msgspec.Raw(b"null"), msgspec.Raw(b'"\xff"'), good], Arrival(received_at=NOW))
    assert (len(reading.records), [refusal.index for refusal in reading.refusals]) == (2, [1, 2])
