"""What is made of the types of the answers is what the types say, and each name in them is explained, once."""

import re
from pathlib import Path

from app.describing.answers import answers_json, glossary_document, served_types
from app.glossary.entries import PLACE

PAGE = Path(__file__).parents[3] / "docs/glossary.md"
SMALL = {"a", "an", "the", "of", "is", "it", "its", "this", "that", "in", "at", "was"}
WRITE = "run: python scripts/write_glossary.py"


def test_what_workers_read_is_made_of_the_types_as_they_are() -> None:
    assert PLACE.read_bytes() == answers_json(), WRITE


def test_the_page_of_the_glossary_is_made_of_the_types_as_they_are() -> None:
    assert PAGE.read_text(encoding="utf-8") == glossary_document(), WRITE


def test_every_name_in_the_answers_is_explained_in_one_place() -> None:
    assert served_types().undescribed == {}
    assert served_types().twice == []


def test_no_explanation_only_repeats_the_name() -> None:
    homes = served_types().homes
    assert len(homes) > 500
    assert [
        name for name, entry in homes.items() if not words(entry.description) - words(name.replace("_", " ")) - SMALL
    ] == []


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.casefold()))
