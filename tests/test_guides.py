"""Everything that works is written: each name that the code reads of what others send stands in a guide."""

import re
from pathlib import Path

import pytest
from oracles.names_read import READ

REPOSITORY = Path(__file__).parents[1]
ROOM = REPOSITORY / "docs"
OF_ANSWERS = {"glossary.md", "performance.md", "reliability.md", "journeys.md"}  # what is served, and how it is made
GUIDES = [
    REPOSITORY / "README.md",
    *(file for file in ROOM.rglob("*.md") if "decisions" not in file.parts and file.name not in OF_ANSWERS),
]
LEAST = {"query parameters": 50, "reserved names": 8, "headers": 5, "events": 40, "members of events": 50,
         "bodies": 25, "conditions": 50, "the tag": 30}  # fmt: skip
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
WRITTEN = "\n".join(text for file in GUIDES for text in CODE.findall(file.read_text(encoding="utf-8")))


def is_written(name: str) -> bool:
    """Whether a guide has it, as a name; heads are written in any case."""
    case = re.IGNORECASE if name.startswith("x-") else 0
    return re.search(rf"(?<![\w$]){re.escape(name)}(?!\w)", WRITTEN, case) is not None


@pytest.mark.parametrize("kind", READ)
def test_every_name_that_is_read_stands_in_a_guide(kind: str) -> None:
    names = READ[kind]()
    assert len(names) >= LEAST[kind]
    assert sorted(name for name in names if not is_written(name)) == []


def test_a_name_that_no_guide_has_is_seen() -> None:
    assert [name for name in ("resonate.expose", "X-Resonate-User", "ord", "resonate.nothing") if is_written(name)] == [
        "resonate.expose",
        "X-Resonate-User",
    ]


def test_what_preview_links_exposures_and_surveys_need_is_found_in_the_code() -> None:
    """The walk sees what it should: names that only the code says."""
    every = set().union(*(names() for names in READ.values()))
    assert {"resonate_force", "resonate_preview", "resonate.expose", "score", "rating", "order_id", "$vgte"} <= every
    assert {"expose", "data-resonate-expose", "cart_value"} & every == {"expose", "data-resonate-expose"}
