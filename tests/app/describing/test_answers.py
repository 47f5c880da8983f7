"""What is made of the types of the answers is what the types say, and each name in them is explained, once."""

import re
from pathlib import Path
from typing import Literal, TypedDict

import pytest

from app.describing import sources
from app.describing.answers import answers_json, glossary_document, served_types
from app.describing.types import ServedTypes
from app.glossary.entries import PLACE

PAGE = Path(__file__).parents[3] / "docs/glossary.md"
SMALL = {"a", "an", "the", "of", "is", "it", "its", "this", "that", "in", "at", "was"}
WRITE = "run: python scripts/write_glossary.py"


def test_what_workers_read_is_made_of_the_types_as_they_are() -> None:
    assert PLACE.read_bytes() == answers_json(), WRITE


def test_the_page_of_the_glossary_is_made_of_the_types_as_they_are() -> None:
    assert PAGE.read_text(encoding="utf-8") == glossary_document(), WRITE


def test_every_member_says_what_it_is_or_where_that_is_said() -> None:
    assert served_types().undescribed == {}
    assert served_types().faults == []


def test_what_a_name_means_in_one_type_is_not_what_it_means_everywhere() -> None:
    assert [entry.name for entry in served_types().explained if entry.description in entry.elsewhere.values()] == []


def test_what_a_type_says_of_a_name_is_said_of_it_there_alone() -> None:
    schemas = served_types().settled()
    because = schemas["ShownMessage"]["properties"]["because"]["description"]
    assert because == "Why the visitor takes no part, as a code."
    assert schemas["Decision"]["properties"]["because"]["description"] == "Why, in sentences."
    assert "description" not in schemas["RudderStackStatistics"]["properties"]["errors"]


class Base(TypedDict):
    """What others are made of.

    As everywhere: `second`, `gone`.
    """

    first: str
    """What it is."""
    second: str


class Silent(TypedDict):
    """Says nothing of `first`, which another type explains."""

    first: str


class Own(Base):
    """One that has members of another."""

    third: Literal["one"]
    """Here: What it is here."""


def test_a_member_is_described_by_its_own_type_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "OURS", (__name__,))
    found = ServedTypes()
    for kind in (Own, Silent):
        found.schema(kind)
    settled = found.settled()
    assert settled["Own"]["properties"]["first"]["description"] == "What it is."
    assert settled["Own"]["properties"]["third"]["description"] == "What it is here."
    assert settled["Own"]["description"] == "One that has members of another."
    assert "description" not in settled["Silent"]["properties"]["first"]
    assert found.faults == ["Own.gone: Own has no such member", "Silent.first: Silent says nothing of it"]


def test_no_explanation_only_repeats_the_name() -> None:
    homes = served_types().homes
    assert len(homes) > 500
    said = [
        (each.name, text) for each in served_types().explained for text in (each.description, *each.elsewhere.values())
    ]
    assert [name for name, text in said if not words(text) - words(name.replace("_", " ")) - SMALL] == []


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.casefold()))
