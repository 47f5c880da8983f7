"""What is written down of the cells of the matrix."""

from pathlib import Path

import pytest
from oracles.cells import reported, rows


def test_a_cell_has_one_row_whether_it_held_was_skipped_or_failed(tmp_path: Path) -> None:
    table = tmp_path / "build" / "matrix.csv"
    with reported(table, "disk full", "warm") as row:
        row |= {"gone": 0.254, "took": {"ready_again": 1.0, "worker_back": 2.0}}
    with pytest.raises(AssertionError):
        _lose(table)
    with pytest.raises(pytest.skip.Exception), reported(table, "disk full", "paused"):
        pytest.skip("no small disk here")
    kept = rows(table)
    assert [(each["fault"], each["moment"], each["outcome"]) for each in kept] == [
        ("disk full", "warm", "held"),
        ("writer hung", "warm", "red: 3 were lost"),
        ("disk full", "paused", "skipped: no small disk here"),
    ]
    assert (kept[0]["gone"], kept[0]["took"]) == ("0.25", "ready_again 1.00 · worker_back 2.00")
    assert kept[1]["answers"] == "7"


def _lose(table: Path) -> None:
    with reported(table, "writer hung", "warm") as row:
        row["answers"] = 7
        raise AssertionError("3 were lost\nof many")


def test_a_cell_that_runs_again_has_its_newest_row_alone(tmp_path: Path) -> None:
    table = tmp_path / "matrix.csv"
    with pytest.raises(ValueError, match="lost"), reported(table, "disk full", "warm"):
        raise ValueError("lost")
    with reported(table, "disk full", "a pause, ordered"):
        pass
    with reported(table, "disk full", "warm"):
        pass
    assert {(each["moment"], each["outcome"]) for each in rows(table)} == {
        ("warm", "held"),
        ("a pause, ordered", "held"),
    }
    assert len(rows(table)) == 2
