"""The guides for who comes from elsewhere: our words are those we use, facts of others have their source."""

import re
from pathlib import Path

import pytest

ROOM = Path(__file__).parents[1] / "docs/migrating"
PAGES = {file.stem: file.read_text(encoding="utf-8") for file in ROOM.glob("*.md")}
HOSTS = {"growthbook": "growthbook.io", "posthog": "posthog", "optimizely": "optimizely.com"}
GUIDES = "\n".join(
    (ROOM.parent / name).read_text(encoding="utf-8")
    for name in (
        "definitions.md",
        "clients.md",
        "tag.md",
        "cli.md",
        "events.md",
        "statistics.md",
        "glossary.md",
        "reading.md",
    )
)


def rows(page: str) -> list[list[str]]:
    """The concept table of a page: their word, ours, what differs."""
    lines = [line for line in PAGES[page].splitlines() if line.startswith("|")]
    return [re.split(r"(?<!\\) \| ", line.strip("| ")) for line in lines[2:]]


def test_there_is_a_guide_for_each_product() -> None:
    assert PAGES.keys() == HOSTS.keys()


@pytest.mark.parametrize("page", HOSTS)
def test_every_concept_has_our_word_and_what_differs(page: str) -> None:
    found = rows(page)
    assert len(found) >= 12
    assert [row for row in found if len(row) != 3 or not all(row)] == []


@pytest.mark.parametrize("page", HOSTS)
def test_our_words_are_those_of_the_other_guides(page: str) -> None:
    ours = {word for row in rows(page) for word in re.findall(r"`([^`]+)`", row[1])}
    names = {name for word in ours for name in re.findall(r"[a-z_]+(?:\.yaml)?", word.lower())}
    assert sorted(name for name in names if name not in GUIDES.lower()) == []


@pytest.mark.parametrize(("page", "host"), HOSTS.items())
def test_facts_of_others_name_their_source(page: str, host: str) -> None:
    sources = re.findall(r"\]\((https://[^)]+)\)", PAGES[page])
    assert len(set(sources)) >= 4
    assert [source for source in sources if host not in source.lower()] == []
