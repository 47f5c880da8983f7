"""Reads the corpus of marketers' mistakes: files, and the exact lines that answer them."""

from dataclasses import dataclass
from pathlib import Path

CORPUS = Path(__file__).with_name("definition_mistakes.txt")


@dataclass(frozen=True, slots=True)
class Mistake:
    """One wrong folder; `seen_by_editor` where the JSON Schema alone refuses it."""

    name: str
    files: dict[str, str]
    errors: tuple[str, ...]
    seen_by_editor: bool


PAGES = Path(__file__).with_name("page_mistakes.txt")


def mistakes(corpus: Path = CORPUS) -> list[Mistake]:
    """The whole corpus."""
    blocks = corpus.read_text(encoding="utf-8").split("\n== ")[1:]
    return [_mistake(block) for block in blocks]


def _mistake(block: str) -> Mistake:
    title, _, body = block.partition("\n")
    files: dict[str, str] = {}
    errors: list[str] = []
    name = ""
    for line in body.rstrip("\n").split("\n"):
        if line.startswith("-- "):
            name = line.removeprefix("-- ")
            files[name] = ""
        elif line.startswith("!! "):
            errors.append(line.removeprefix("!! "))
        else:
            files[name] += line + "\n"
    return Mistake(title.removesuffix(" [editor]"), files, tuple(errors), title.endswith(" [editor]"))
