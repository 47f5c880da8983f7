"""A full disk under the parts is named, loses nothing, and heals by itself when space returns."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from oracles.writing import exported_ids, looked, messages, settle, writing, written_ids
from servers.patience import reached

from events.ingest.stream import Stream
from events.log.verify import verify_log
from events.store.connection import Connection
from events.writer.watermark import read_watermarks

pytestmark = pytest.mark.anyio


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB, for the parts alone."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, text=True)
    if mount.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {mount.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


async def test_a_full_disk_is_named_and_heals_without_loss(
    connection: Connection, stream: Stream, small_disk: Path
) -> None:
    async with writing(connection, small_disk):
        await stream.append(messages(1))
        await settle(connection)
        ballast = _fill(small_disk)
        await stream.append(messages(*range(2, 400)))
        await named(connection)
        assert exported_ids(small_disk) == ["m-1"]
        assert not list(small_disk.rglob(".tmp-*"))
        await looked(connection)  # it tries again, in vain
        ballast.unlink()
        await settle(connection)
        assert (await read_watermarks(connection))[0].cause is None
    assert written_ids(small_disk) == sorted(f"m-{number}" for number in range(1, 400))
    assert verify_log(small_disk).is_sound


async def test_a_writer_that_ends_on_a_full_disk_leaves_everything_to_the_next_one(
    connection: Connection, stream: Stream, small_disk: Path
) -> None:
    ballast = _fill(small_disk)
    async with writing(connection, small_disk):
        await stream.append(messages(1, 2))
        await named(connection)
    assert not list(small_disk.rglob("*.parquet"))
    ballast.unlink()
    async with writing(connection, small_disk):
        await settle(connection)
    assert written_ids(small_disk) == ["m-1", "m-2"]


async def named(connection: Connection) -> None:
    """Until the writer says what keeps it from going on."""

    async def is_full() -> bool:
        return (await read_watermarks(connection))[0].cause == "log_disk_full"

    await reached(is_full, "the full disk is named")


def _fill(folder: Path) -> Path:
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue
    return ballast
