"""The recipes of `docs/recipes/`: their definition files, their pages, and their calls with what is answered."""

import re
from pathlib import Path
from typing import Final

ROOM: Final = Path(__file__).parents[2] / "docs/recipes"
GUIDES: Final = {file.stem: file.read_text(encoding="utf-8") for file in sorted(ROOM.glob("*.md"))}
RECIPES: Final = tuple(GUIDES)
_FILE: Final = re.compile(r"^```yaml\n# (\S+\.yaml)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PAGE: Final = re.compile(r"^```html\n(.*?)^```", re.MULTILINE | re.DOTALL)
_STEP: Final = re.compile(r"^```sh\n(.*?)^```(?:(?:(?!```).)*?^```json\n(.*?)^```)?", re.MULTILINE | re.DOTALL)


def files_of(name: str) -> dict[str, str]:
    """The definition files of a recipe, whole, by name."""
    return {file: f"# {file}\n{text}" for file, text in _FILE.findall(GUIDES[name])}


def page_of(name: str) -> str:
    """What a recipe writes into the page."""
    [text] = _PAGE.findall(GUIDES[name])
    return text


def steps_of(name: str) -> list[tuple[str, str | None]]:
    """The calls of a recipe, each with what it is said to answer, where it says that next."""
    return [(call, promised or None) for call, promised in _STEP.findall(GUIDES[name])]
