"""Writes what is made of the types of the answers: app/glossary/answers.json and docs/glossary.md. A test compares."""

from pathlib import Path

from app.describing.answers import answers_json, glossary_document, served_types
from app.glossary.entries import PLACE

PAGE = Path(__file__).parents[1] / "docs/glossary.md"

if __name__ == "__main__":
    PLACE.write_bytes(answers_json())
    PAGE.write_text(glossary_document(), encoding="utf-8")
    print(*served_types().faults, sep="\n")
    for name, places in served_types().undescribed.items():
        print(f"{name}: nothing explains it; it stands in {', '.join(dict.fromkeys(places))}")
