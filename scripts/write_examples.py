"""Writes the examples of /openapi.json, app/glossary/examples.json: what a service answered of which all was asked.

To be run where an answer has new members (`python scripts/write_examples.py`); a test holds each to its schema.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

CHECKOUT = Path(__file__).parents[1]
PLACE = CHECKOUT / "app/glossary/examples.json"
MOST = 2  # of a list


def pruned(value: Any) -> Any:
    """The same with short lists."""
    if isinstance(value, list):
        return [pruned(item) for item in value[:MOST]]
    if isinstance(value, dict):
        return {name: pruned(item) for name, item in value.items()}
    return value


if __name__ == "__main__":
    sys.path.insert(0, str(CHECKOUT / "tests"))
    from worlds.answered_shop import answered_shop

    from app.glossary.operations import OPERATIONS

    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, answered_shop(Path(folder)) as (_, given):
        for name, status, answer in given:
            if status < 300:
                found.setdefault(f"{OPERATIONS[name].name} {status}", pruned(answer))
    lines = [
        f"{msgspec.json.encode(name).decode()}: {msgspec.json.encode(found[name]).decode()}" for name in sorted(found)
    ]
    PLACE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
