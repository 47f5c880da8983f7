"""What the FAQ answers is what the code does: every table of it stands in the code."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest

from app.http.body import MAX_BODY
from app.keys.scopes import ROLE_NAMES, ROLES
from app.management.openapi import ERRORS
from app.management.personalize_batch import MAX_RECIPIENTS
from app.routes.personalize import MAX_EXPERIMENTS
from events.consent import OF_WORD
from events.dialects.validation import MAX_BATCH, MAX_DEPTH, MAX_EVENT_BYTES, MAX_KEYS, MAX_NAME
from experiments.catalog.phases import design_parts, freeze
from experiments.definitions.folder import read_sources
from experiments.definitions.model import Method, NotInReason, Strategy
from experiments.wording.codes import CHECKS, INFORMS
from kit.conditions import OPERATORS

PAGE = (Path(__file__).parents[1] / "docs/faq.md").read_text(encoding="utf-8")
QUESTIONS = dict(re.findall(r"^## (.+)\n((?:(?!^## ).*\n?)*)", PAGE, re.MULTILINE))


def rows(question: str) -> list[list[str]]:
    """The table below a question, without its head."""
    lines = [line for line in QUESTIONS[question].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def named(cell: str) -> list[str]:
    """What a cell says as names."""
    return re.findall(r"`([^`]+)`", cell)


def first_names(question: str) -> set[str]:
    return {name for row in rows(question) for name in named(row[0])}


def frozen_parts() -> set[str]:
    """The parts of a design that may not change."""
    reading = read_sources({"k.yaml": b"key: k\nvariants: [a, b]\ngoal: purchase_rate\n"})
    return set(design_parts(freeze(reading.files["k"].experiment, reading.complete(), datetime.now(UTC))))


NAMED: Mapping[str, Callable[[], Any]] = {  # the names in the first column are these, no more and no fewer
    "May I look at the results every day?": lambda: get_args(Method),
    "What may I change while a test runs?": frozen_parts,
    "Why is this visitor not in the test?": lambda: get_args(NotInReason),
    "What can an audience ask?": lambda: OPERATORS,
    "What is stored of whom?": lambda: OF_WORD,
    "It was refused. Do I send it again?": lambda: ERRORS,
    "Which lists of products are there?": lambda: get_args(Strategy),
}
COMPARED = {
    "The numbers look good. Why is nothing shipped?", "How large may it be?", "Who may do what on the pages?",
}  # fmt: skip


@pytest.mark.parametrize("question", NAMED)
def test_a_table_has_the_names_that_the_code_has(question: str) -> None:
    assert first_names(question) == set(NAMED[question]())


def test_there_are_ten_questions_and_each_is_compared() -> None:
    assert len(QUESTIONS) == 10
    assert QUESTIONS.keys() == NAMED.keys() | COMPARED
    assert all(rows(question) for question in QUESTIONS)


def test_what_keeps_a_test_from_being_shipped_are_the_checks_that_do() -> None:
    told = {named(row[0])[0]: (row[1], row[2]) for row in rows("The numbers look good. Why is nothing shipped?")}
    assert told == {code: said for code, said in CHECKS.items() if said[0] != INFORMS}


def test_the_limits_are_those_that_hold() -> None:
    told = [int(re.sub(r"\D", "", row[1].split(" ")[0])) for row in rows("How large may it be?")]
    held = [MAX_BODY, MAX_BATCH, MAX_EVENT_BYTES, MAX_DEPTH, MAX_KEYS, MAX_NAME, MAX_RECIPIENTS, MAX_EXPERIMENTS]
    assert told == held


def test_the_roles_gain_what_the_table_of_scopes_gives_them() -> None:
    may: set[str] = set()
    for name, row in zip(ROLE_NAMES, rows("Who may do what on the pages?"), strict=True):
        assert named(row[0]) == [name]
        may |= set(named(row[1]))
        assert may == ROLES[name]


def test_a_status_that_says_when_is_told_to_be_sent_again() -> None:
    told = {named(row[0])[0]: row[1] for row in rows("It was refused. Do I send it again?")}
    assert {status for status, again in told.items() if again == "yes, later"} == {
        status for status, words in ERRORS.items() if "Retry-After" in words
    }
