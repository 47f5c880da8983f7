"""Makes an upload the shop's catalogue, as a whole or not at all."""

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from recommender.artefact import publish, write_artefact
from recommender.product_rows import Format, read_products_file
from recommender.products import product_arrays
from recommender.publishing import new_version

LISTED: Final = 20  # bad rows that an answer names


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of an upload; `errors` names the first bad rows, `bad_rows` counts all of them."""

    version: str | None
    products: int
    bad_rows: int
    errors: tuple[str, ...]


def import_products(folder: Path, upload: Path, form: Format) -> Imported:
    """Reads, checks and publishes an upload. One bad row refuses it, so that the shop's list is never half of one."""
    reading = read_products_file(upload, form)
    if reading.errors:
        return Imported(None, len(reading.products), len(reading.errors), tuple(reading.errors[:LISTED]))
    if not reading.products:
        return Imported(None, 0, 1, ("row 1: the upload holds no product; a catalogue has at least one",))
    version = new_version()
    facts = {"kind": "products", "products": len(reading.products)}
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of two uploads at once the last one stands
        write_artefact(folder, version, product_arrays(reading.products).as_dict(), facts)
        publish(folder, version)
    return Imported(version, len(reading.products), 0, ())


def upload_path(folder: Path, name: str) -> Path:
    """Where an upload waits until it has been read."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f".upload-{os.getpid()}-{name}"
