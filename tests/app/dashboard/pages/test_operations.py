"""Operations: every cause that can be named has its sentence and its remedy, and the page says what the API says."""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any, get_args

from markupsafe import escape
from servers.one_worker import SECRET, OneWorker
from servers.people import Visitor

from app.keys.scopes import Role
from app.runtime.ailments import WORDS, Ailment, OwnCause, ailment_told
from app.runtime.telemetry import Rate
from events.causes import STORE_CAUSES
from events.store.health import StoreState, read_state, write_state

SignedInAs = Callable[[Role], Visitor]
CODES = (*STORE_CAUSES, *get_args(OwnCause))


def values_of(page: str) -> set[str]:
    """Every number of a page, as its markup has it."""
    return set(re.findall(r'<data value="([^"]*)"', page))


def numbers_in(answer: Any) -> set[str]:
    """Every number of an answer, and how long each of its lists is."""
    if isinstance(answer, dict):
        return set().union(*map(numbers_in, answer.values()))
    if isinstance(answer, list):
        return {str(len(answer))}.union(*map(numbers_in, answer))
    return {json.dumps(answer)} if isinstance(answer, int | float) else set()


def test_each_cause_that_can_be_named_has_one_sentence_and_what_ends_it() -> None:
    assert set(WORDS) == set(CODES)
    for code in CODES:
        told = ailment_told(Ailment(code, "x"))
        assert (told.code, told.named) == (code, "x")
        assert re.fullmatch(r"[A-Z].{20,}\.", told.sentence), code
        assert code not in told.sentence.split(), code
        assert re.fullmatch(r".{12,}[^.]", told.remedy), code


def test_whatever_ails_the_store_is_read_on_the_page_with_what_ends_it(
    worker: OneWorker, signed_in_as: SignedInAs
) -> None:
    data, viewer = worker.settings.data, signed_in_as("viewer")
    well = read_state(data)
    assert well is not None
    try:
        for code in STORE_CAUSES:
            write_state(data, StoreState(running=False, cause=code, detail="<b>hostile</b>"))
            page = viewer.get("/dashboard/operations")
            assert page.status_code == 200
            sentence, remedy = WORDS[code]
            told = page.text.replace("\u00a0%", " %")  # on pages no line ends between a number and its unit
            assert str(escape(sentence)) in told, code
            assert str(escape(remedy[1:])) in told, code
            assert "<b>hostile" not in page.text
    finally:
        write_state(data, well)


def test_damage_of_the_log_is_told_with_its_name_to_readers_alone(worker: OneWorker, signed_in_as: SignedInAs) -> None:
    analysis = worker.board.desk("analysis")
    analysis.note("data_damaged", "part 7")
    try:
        page = signed_in_as("viewer").get("/dashboard/operations").text
        with worker.client(SECRET) as reader, worker.client() as stranger:
            known, public = (each.get("/readyz").json() for each in (reader, stranger))
    finally:
        analysis.note("data_damaged", None)
    assert "part 7" in page
    assert (known["degraded"], public["degraded"]) == (["data_damaged: part 7"], ["data_damaged"])
    [cause] = known["causes"]
    assert (cause["code"], cause["named"]) == ("data_damaged", "part 7")
    assert "causes" not in public


def test_the_page_has_no_number_that_the_answer_lacks(worker: OneWorker, signed_in_as: SignedInAs) -> None:
    viewer = signed_in_as("viewer")
    with worker.client(SECRET) as client:
        before = client.get("/v1/operations").raise_for_status().json()
        page = viewer.get("/dashboard/operations").text
        after = client.get("/v1/operations").json()
    moving = {"free_bytes", "held_bytes", "memory_bytes", "per_second"}  # between two looks
    numbers = numbers_in(before) | numbers_in(after)
    strange = values_of(page) - numbers
    assert len(values_of(page)) > 3
    assert len(strange) <= len(moving)
    assert re.search(r"As of <time datetime", page)


def test_how_fast_events_come_is_known_after_two_looks() -> None:
    counts, seconds = iter([0.0, 10.0]), iter([0.0, 10.0])
    rate = Rate(lambda: next(counts), lambda: next(seconds))
    assert rate.per_second is None

    asyncio.run(rate.look())
    assert rate.per_second == 1.0
