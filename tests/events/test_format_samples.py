"""A sample of each format is kept: this release writes what the newest shows, and reads every one that it says to read.

Whoever changes a part, a manifest, a file of the catalogue, a key or a function of the store finds these tests red.
What to do then: docs/decisions/format-numbers.md.
"""

import json
from pathlib import Path

import pytest
from oracles.format_shape import shape
from worlds.format_sample import FORMATS, make_sample, read_sample

from app.runtime.format import check_format
from events.format import FORMAT, OLDEST_READ
from events.log.verify import verify_log
from events.store import preparation
from experiments.catalog.reader import CatalogReader

pytestmark = pytest.mark.anyio
READ = range(OLDEST_READ, FORMAT + 1)
CHANGED = (
    "the format has changed: raise FORMAT in events/format.py and run `python scripts/write_format_sample.py` "
    "(docs/decisions/format-numbers.md)"
)


def kept_shape(folder: Path) -> list[str]:
    return (folder / "shape.txt").read_text(encoding="utf-8").splitlines()


def shape_of(folder: Path) -> list[str]:
    return shape(folder / "directory", json.loads((folder / "store.json").read_text(encoding="utf-8")))


def test_there_is_a_sample_of_each_format_that_is_read() -> None:
    assert {int(folder.name) for folder in FORMATS.iterdir()} >= {*READ}
    for number in READ:
        noted = check_format(FORMATS / str(number) / "directory")
        assert noted is not None
        assert noted.format == number


async def test_this_release_writes_the_format_of_its_number(tmp_path: Path) -> None:
    await make_sample(tmp_path / "sample", tmp_path / "scratch")
    kept = kept_shape(FORMATS / str(FORMAT))
    written = shape_of(tmp_path / "sample")
    assert {*written} - {*kept} == set() == {*kept} - {*written}, CHANGED
    assert shape_of(FORMATS / str(FORMAT)) == kept


@pytest.mark.parametrize("number", READ)
async def test_this_release_goes_on_with_the_format(number: int, tmp_path: Path) -> None:
    folder = FORMATS / str(number)
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    assert await read_sample(folder, tmp_path / "read") == expected
    assert verify_log(tmp_path / "read" / "data").is_sound
    catalog = CatalogReader(tmp_path / "read" / "data").catalog
    assert {key: experiment.status for key, experiment in catalog.experiments.items()} == {
        "banner": "paused", "strip": "draft"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new"), [("{ stream_id, duplicates, conflicts }", "{ stream_id, conflicts, duplicates }"), ("50", "40")]
)
def test_a_function_that_changes_is_another_format(
    old: str, new: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = preparation.FUNCTIONS.read_text(encoding="utf-8")
    assert old in code
    changed = tmp_path / "functions.lua"
    changed.write_text(code.replace(old, new))
    monkeypatch.setattr("oracles.format_shape.FUNCTIONS", changed)
    folder = FORMATS / str(FORMAT)
    assert {*shape_of(folder)} - {*kept_shape(folder)}
    changed.write_text(code.replace("-- Names only grow;", "-- Names never fall;"))
    assert shape_of(folder) == kept_shape(folder)
