"""Writes the examples of /openapi.json, app/glossary/examples.json: what a service answered of which all was asked.

To be run where an answer has new members (`python scripts/write_examples.py`); a test holds each to its schema. What
differs from run to run (moments, ids, tokens, addresses, sizes of the machine) stands there as one fixed value of the
same form, so that a second run changes nothing that a reader would not want to see.
"""

import re
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec

CHECKOUT = Path(__file__).parents[1]
PLACE = CHECKOUT / "app/glossary/examples.json"
MOST = 2  # of a list
DAY = date(2026, 12, 1)  # on which all examples were given
SHOP = "ab.shop.example"
TOKEN = "EXAMPLE-TOKEN"
MACHINE: Mapping[str, float] = {  # what the machine and the clock make of a run, by member
    "now": 1796126400.0,
    "time": 1796126400000000,
    "received_at": 1796126400000000,
    "process": 4242,
    "memory_bytes": 200_000_000,
    "held_bytes": 1_000_000,
    "free_bytes": 50_000_000_000,
    "whole_bytes": 100_000_000_000,
    "lag_seconds": 0.0,
    "per_second": 0.5,
    "seconds": 0.7,
    "network": 1,
    "streams_open": 0,
}
LATER = {"last_used"}  # members that come at some time after a start
MASKS = (  # by form
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]+"), TOKEN),
    (re.compile(r"(?<=/share/)[\w-]{43}"), TOKEN),
    (re.compile(r"(?<=/survey/)[\w=-]+"), TOKEN),
    (re.compile(r"\bv1\.[\w-]{22}\.[\w-]+"), "v1.EXAMPLE-VISITOR"),
    (re.compile(r"\b(?:127\.0\.0\.1|localhost):\d+"), SHOP),
    (re.compile(r"http(?=://ab\.shop)"), "https"),
    (re.compile(r"(?<=\d{8}T)\d{6}-[0-9a-f]{6}"), "120000-abc123"),
    (re.compile(r"\b\d{8}(?=T120000-)"), f"{DAY:%Y%m%d}"),
    (re.compile(r"\b\d{13}-\d+\b"), "1796126400000-0"),
    (re.compile(r"\bp?[0-9a-f]{20,}\b"), lambda found: digits(found[0])),
    (re.compile(r"\b(?=\w*\d)(?=\w*[a-f])[0-9a-f]{8,16}\b"), lambda found: digits(found[0])),
)
MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T\d\d:\d\d:\d\d(?:\.\d+)?")


def digits(found: str) -> str:
    """Hexadecimal digits that are nobody's, as many as there were."""
    return (found[:1] if found.startswith("p") else "") + ("0123456789abcdef" * 4)[: len(found.removeprefix("p"))]


def stable(value: Any, today: date, member: str = "") -> Any:
    """The same with short lists, and with a fixed value of its form where every run would have another."""
    match value:
        case list():
            return [stable(item, today, member) for item in value[:MOST]]
        case dict():
            kept = [name for name in value if name not in LATER]
            return {masked(name, today): stable(value[name], today, name) for name in kept}
        case str():
            return masked(value, today)
        case int() | float() if member in MACHINE and not isinstance(value, bool):
            return MACHINE[member]
        case _:
            return value


def masked(text: str, today: date) -> str:
    """A text as all runs say it: moments are the noon of their day, and the day of the run is always the same."""

    def moved(found: re.Match[str]) -> str:
        return str(DAY + (date.fromisoformat(found[0]) - today))

    text = MOMENT.sub(r"\1T12:00:00", text)
    text = re.sub(r"(?<!\d)20\d\d-[01]\d-[0-3]\d(?!\d)", moved, text)
    for form, mask in MASKS:
        text = form.sub(mask, text)
    return text


if __name__ == "__main__":
    sys.path.insert(0, str(CHECKOUT / "tests"))
    from worlds.answered_shop import answered_shop

    from app.glossary.operations import OPERATIONS

    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, answered_shop(Path(folder)) as (_, given):
        today = datetime.now(UTC).date()
        for name, status, answer in given:
            if status < 300:
                found.setdefault(f"{OPERATIONS[name].name} {status}", stable(answer, today))
    lines = [
        f"{msgspec.json.encode(name).decode()}: {msgspec.json.encode(found[name]).decode()}" for name in sorted(found)
    ]
    PLACE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
