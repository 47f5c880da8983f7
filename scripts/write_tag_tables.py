"""Writes what the tag knows from tables of the service: app/tag/source/generated/agents.js. A test compares."""

from pathlib import Path
from re import Pattern
from typing import Final

from events.dialects.user_agents import BROWSERS, DEVICES, SYSTEMS

GENERATED: Final = Path(__file__).parents[1] / "app" / "tag" / "source" / "generated"


def agents() -> str:
    """The patterns of user agents as a module of JavaScript, for `attributes.js`."""
    lines = ["// From events/dialects/user_agents.py, by `python scripts/write_tag_tables.py`."]
    tables: dict[str, tuple[tuple[str, Pattern[str]], ...]] = {
        "DEVICES": DEVICES,
        "BROWSERS": BROWSERS,
        "SYSTEMS": SYSTEMS,
    }
    for name, families in tables.items():
        written = [(family, pattern.pattern.replace("/", r"\/")) for family, pattern in families]
        lines += [f"export const {name} = [", *(f'  ["{family}", /{text}/],' for family, text in written), "];"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    GENERATED.mkdir(parents=True, exist_ok=True)
    (GENERATED / "agents.js").write_text(agents())
