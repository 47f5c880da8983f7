"""The light door to the glossary: every name once, with its sentence, and nothing of the types is loaded for it."""

import subprocess
import sys

from app.glossary.entries import descriptions, entries


def test_each_name_stands_once_in_order_with_a_sentence() -> None:
    names = [entry.name for entry in entries()]
    assert names == sorted(set(names))
    assert descriptions()["units_immature"].startswith("Visitors whose window is still open")
    said = [text for entry in entries() for text in (entry.description, *entry.elsewhere.values())]
    assert all(text.endswith((".", "?")) for text in said)


def test_reading_it_loads_nothing_heavy() -> None:
    told = "import sys, app.glossary.entries as g; g.entries(); print(*sorted({n.split('.')[0] for n in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout.split()
    assert not {"scipy", "numpy", "duckdb", "pydantic", "experiments"} & set(loaded)
