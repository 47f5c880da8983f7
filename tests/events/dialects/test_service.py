"""Answers to surveys and tickets: whatever is said is stored; it is in a figure, or it is named why it is not."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples

from events.authority import Authority
from events.dialects.segment import read_single
from events.dialects.service import SCORES
from events.dialects.validation import COUNTS_NOWHERE, Arrival, Reading
from events.records import Record

ARRIVAL = Arrival(received_at=1_800_000_000_000_000, authority=Authority.BACKEND)
SCALES = {"csat": (1, 5), "nps": (0, 10), "ces": (1, 7)}  # as the guide says


def read(event: str, properties: Any, **arrival: Any) -> Reading:
    item = {"anonymousId": "v", "event": event, "messageId": "m", "properties": properties}
    return read_single(item, 100, "track", msgspec.structs.replace(ARRIVAL, notes=[], **arrival))


def told(reading: Reading) -> tuple[list[str], list[str]]:
    return [each.field for each in reading.repairs], [each.code for each in reading.useless]


def figure(record: Record) -> str | None:
    """In which figure an answer is, by the stored row alone."""
    held = record.properties or {}
    survey, kind = held.get("survey"), held.get("kind")
    if not isinstance(survey, str) or not survey.strip() or record.value is None:
        return None
    counted = kind if kind is not None else survey.lower()
    low, high = SCALES.get(counted, (1, 0))
    return counted if low <= record.value <= high else None


@pytest.mark.parametrize(
    ("properties", "in_figure", "value", "repaired"),
    [
        ({"survey": "nps", "score": 9}, "nps", 9.0, []),
        ({"survey": "NPS", "score": 9}, "nps", 9.0, ["survey"]),
        ({"survey": "nps", "value": 9}, "nps", 9.0, ["value"]),
        ({"survey": "nps", "rating": "9"}, "nps", 9.0, ["rating", "rating"]),
        ({"survey": "nps", "Rating": 9}, "nps", 9.0, ["Rating"]),
        ({"survey": "nps", "VALUE": 9}, "nps", 9.0, ["VALUE"]),
        ({"survey": "nps", "score": "9"}, "nps", 9.0, ["score"]),
        ({"Survey": "nps", "Score": 0}, "nps", 0.0, ["Survey", "Score"]),
        ({"survey": "after delivery", "kind": "CSAT", "score": 5}, "csat", 5.0, ["kind"]),
        ({"survey": "after delivery", "kind": "csat", "score": 5}, "csat", 5.0, []),
        ({"kind": "ces", "score": 7}, "ces", 7.0, ["survey"]),
        ({"survey": "csat", "kind": "stars", "score": 4}, "csat", 4.0, ["kind"]),
        ({"survey": "nps", "score": None, "value": 3}, "nps", 3.0, ["value"]),
    ],
)
def test_an_answer_in_another_wording_counts_and_is_named(
    properties: dict[str, Any], in_figure: str, value: float, repaired: list[str]
) -> None:
    reading = read("Survey Answered", dict(properties))
    assert (figure(reading.records[0]), reading.records[0].value) == (in_figure, value)
    assert told(reading) == ([f"properties.{each}" for each in repaired], [])


@pytest.mark.parametrize(
    ("properties", "codes"),
    [
        ({"survey": "nps", "score": 11}, ["score_off_scale"]),
        ({"survey": "csat", "score": 0}, ["score_off_scale"]),
        ({"survey": "delivery", "kind": "ces", "score": 8}, ["score_off_scale"]),
        ({"survey": "nps"}, ["score_missing"]),
        ({"survey": "nps", "score": "very good"}, ["score_missing"]),
        ({"survey": "nps", "score": True}, ["score_missing"]),
        ({"score": 9}, ["survey_unnamed"]),
        ({"survey": " ", "score": 9}, ["survey_unnamed"]),
        ({"survey": "delivery", "score": 9}, ["survey_of_no_kind"]),
        ({}, ["survey_unnamed", "score_missing"]),
    ],
)
def test_an_answer_that_is_in_no_figure_is_stored_and_named(properties: dict[str, Any], codes: list[str]) -> None:
    reading = read("Survey Answered", dict(properties))
    assert [figure(record) for record in reading.records] == [None]
    assert told(reading)[1] == codes


NAMES = st.sampled_from(["survey", "Survey", "kind", "KIND", *SCORES, "Score", "channel", "note"])
VALUES = st.one_of(
    st.sampled_from(["nps", "NPS", "csat", "ces", "delivery", "", " ", "9", "4", "4.5", "ten", "-1", "1e1"]),
    st.integers(-2, 12), st.floats(-1, 12), st.none(), st.booleans(), st.just([]), st.just({}),
)  # fmt: skip


@settings(max_examples=examples(300))
@given(properties=st.dictionaries(NAMES, VALUES, max_size=6))
def test_every_answer_is_in_a_figure_or_named_useless(properties: dict[str, Any]) -> None:
    reading = read("Survey Answered", properties)
    [record] = reading.records
    assert (figure(record) is None) == bool(reading.useless)
    assert {each.code for each in reading.useless} <= COUNTS_NOWHERE
    assert not {each.code for each in reading.repairs} & COUNTS_NOWHERE


def test_who_was_asked_needs_no_score() -> None:
    assert told(read("survey_shown", {"survey": "nps"})) == ([], [])
    assert told(read("Survey Shown", {})) == ([], ["survey_unnamed"])


def test_a_survey_of_a_metric_counts_on_its_scale() -> None:
    scales = {**SCALES, "support": (1.0, 5.0)}
    assert told(read("Survey Answered", {"survey": "Support", "score": 5}, scales=scales)) == ([], [])
    assert told(read("Survey Answered", {"survey": "support", "score": 6}, scales=scales))[1] == ["score_off_scale"]
    other = {"survey": "support", "kind": "nps", "score": 9}  # what the event itself says of its kind goes first
    assert told(read("Survey Answered", other, scales=scales)) == ([], [])


@pytest.mark.parametrize("event", ["Ticket Opened", "Ticket Answered", "Ticket Resolved", "Ticket Reopened"])
def test_a_ticket_is_known_by_its_id_as_text(event: str) -> None:
    reading = read(event.lower().replace(" ", "_"), {"ticketId": 35436, "by": "Agent", "channel": "email"})
    [record] = reading.records
    assert (record.event, record.properties) == (
        event,
        {"ticket_id": "35436", "by": "agent" if event == "Ticket Answered" else "Agent", "channel": "email"},
    )
    assert told(reading)[1] == []


@pytest.mark.parametrize("ticket_id", [None, "", "null", 1.5, [], {}])
def test_a_ticket_without_its_id_is_in_no_figure(ticket_id: Any) -> None:
    assert told(read("Ticket Opened", {"ticket_id": ticket_id}))[1] == ["ticket_unnamed"]


@pytest.mark.parametrize("by", [None, "", "somebody", 7])
def test_an_answer_of_neither_agent_nor_bot_is_the_first_of_nobody(by: Any) -> None:
    assert told(read("Ticket Answered", {"ticket_id": "t", "by": by}))[1] == ["answered_by_nobody"]


def test_a_ticket_that_a_page_tells_of_is_in_no_figure() -> None:
    assert told(read("Ticket Opened", {"ticket_id": "t"}, authority=Authority.PAGE))[1] == ["ticket_of_page"]


def test_what_keeps_an_event_out_of_figures_is_no_repair_of_its_row() -> None:
    [record] = read("Survey Answered", {"survey": "nps", "score": 99}).records
    assert record.context is None
