"""Writes the sample of the format that this release writes: tests/worlds/formats/<number>. A test compares.

A sample that is there stays: what a release has written is never written anew. `--unreleased` replaces it while no
release has its number.
"""

import asyncio
import json
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from oracles.format_shape import shape
from worlds.format_sample import FORMATS, make_sample

from events.format import FORMAT


def write() -> None:
    """The folder of the current number, with its shape."""
    folder = FORMATS / str(FORMAT)
    if folder.exists() and "--unreleased" not in sys.argv:
        sys.exit(f"{folder} is there: raise FORMAT in events/format.py, or give --unreleased where no release has it")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(make_sample(folder, Path(scratch)))
    store = json.loads((folder / "store.json").read_text())
    (folder / "shape.txt").write_text("\n".join(shape(folder / "directory", store)) + "\n")


if __name__ == "__main__":
    write()
