"""Every code of a readout has its words, and the page says of each check what follows from it."""

import ast
from pathlib import Path
from typing import get_args

import pytest

from experiments.answers.health import CheckCode
from experiments.answers.readout import Ground
from experiments.readout.inference import ESTIMATED_FROM, NO_LONGER_SUPPORTED
from experiments.statistics.estimate import Caveat
from experiments.wording.codes import CHECKS, CLAUSES, INFORMS, UNHEALTHY, WITHHOLDS

ROOT = Path(__file__).parents[3]


def made() -> dict[str, set[str]]:
    """The checks that the code makes, each with what it says of shipping."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "experiments").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Check", "Notice"):
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    withholds = any(word.arg == "withholds_ship" for word in node.keywords)
                    found.setdefault(first.value, set()).add(WITHHOLDS if withholds else INFORMS)
    return found


def test_every_check_that_is_made_has_its_words_and_what_follows_from_it() -> None:
    assert made() == {code: {effect} for code, (effect, _) in CHECKS.items() if effect != UNHEALTHY}
    assert {*CHECKS} == {*get_args(CheckCode), Ground.SAMPLE_RATIO_MISMATCH.value}


def test_every_reason_has_its_clause() -> None:
    assert {*CLAUSES} == {*map(str, Caveat), NO_LONGER_SUPPORTED, f"estimated_from_{ESTIMATED_FROM}"}


@pytest.mark.parametrize("clause", [*CLAUSES.values(), *(what for _, what in CHECKS.values())])
def test_a_clause_is_part_of_a_sentence(clause: str) -> None:
    assert "_" not in clause
    assert clause[0].islower()
    assert not clause.endswith(".")


def test_the_page_says_of_each_check_what_follows_from_it() -> None:
    page = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
    table = page.partition("| check | what follows | what it is |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    assert [(code.strip("`"), effect) for code, effect, _ in rows] == [
        (code, effect) for code, (effect, _) in CHECKS.items()
    ]
