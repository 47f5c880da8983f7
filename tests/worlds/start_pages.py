"""The start pages of `docs/start/`: what their readers write, run, and are told, in its order."""

import re
from pathlib import Path
from typing import Final, NamedTuple

ROOM: Final = Path(__file__).parents[2] / "docs/start"
PAGES: Final = {file.stem: file.read_text(encoding="utf-8") for file in sorted(ROOM.glob("*.md"))}
_BLOCK: Final = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A block of a page: `yaml` is a definition file, `sh` is run, `text` are lines that were printed just before, with
    `*` for what is never the same; `html` stands in a page."""

    kind: str
    text: str


def blocks_of(name: str) -> list[Block]:
    """The blocks of a page in order."""
    return [Block(*found) for found in _BLOCK.findall(PAGES[name])]
