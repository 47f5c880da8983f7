"""Writes the table of Google Analytics 4's words into the tag; to be run after it changed."""

from pathlib import Path

import msgspec

from events.dialects.ga4 import TABLE

PLACE = Path(__file__).parents[1] / "app/tag/source/generated/ga4.js"
HEAD = "// Made by scripts/write-ga4-table.py from events/dialects/ga4.py: change it there.\nexport const GA4 = "


def javascript() -> str:
    """The table as a module of the tag."""
    return HEAD + msgspec.json.format(msgspec.json.encode(TABLE, order="deterministic"), indent=2).decode() + ";\n"


if __name__ == "__main__":
    PLACE.write_text(javascript(), encoding="utf-8")
