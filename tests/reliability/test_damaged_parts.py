"""A damaged part under a running service: results and export fail by its name, the rest goes on, and it heals."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import SMALLEST_DEFINITIONS
from oracles.promise import exported
from servers.faults import assign, degraded, kill, track
from servers.patience import until
from servers.service import Service, running

pytestmark = pytest.mark.xdist_group("faults")  # one after the other: each keeps both cores busy

PATHS = ("/v1/experiments/free-shipping-banner/results", "/v1/export/events", "/v1/visitors/probe")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with three parts."""
    with running(tmp_path_factory.mktemp("damage"), SMALLEST_DEFINITIONS, RESONATE_WORKERS="1") as service:
        with service.client() as client:
            for number in range(3):
                assert track(client, f"m-{number}").status_code == 200
                exported(service)
        yield service


def flip_a_bit(part: Path) -> None:
    with part.open("r+b") as file:
        file.seek(part.stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))


def truncate(part: Path) -> None:
    os.truncate(part, part.stat().st_size - 7)


def empty(part: Path) -> None:
    os.truncate(part, 0)


def delete(part: Path) -> None:
    part.unlink()


def truncate_and_lose_digests(part: Path) -> None:
    truncate(part)
    part.with_suffix(".ids").unlink()


@pytest.mark.drawn(2)
@pytest.mark.parametrize("harm", [flip_a_bit, truncate, empty, delete, truncate_and_lose_digests])
def test_no_number_is_computed_from_a_damaged_part(shop: Service, harm: Callable[[Path], None]) -> None:
    part = sorted((shop.data / "log").rglob("*.parquet"))[0]
    sound = part.read_bytes()
    kill(shop, "analysis")  # a new one opens the parts for the first time
    try:
        harm(part)
        with shop.client() as client:
            for path in PATHS:
                answer = client.get(path)
                assert (answer.status_code, answer.json()["code"]) == (503, "data_damaged"), answer.text
                assert part.name in answer.json()["detail"]
            assert any(part.name in cause for cause in degraded(shop))
            assert client.delete("/v1/visitors/probe").json().get("code") == "data_damaged"
            erased = client.delete("/v1/visitors/stranger")  # who is surely in no damaged part
            assert erased.status_code == (202 if harm in (flip_a_bit, truncate, empty) else 503), erased.text
            assert assign(client, "v-1").status_code == 200
            assert track(client, f"during-{harm.__name__}").status_code == 200
    finally:
        part.write_bytes(sound)
    with shop.client() as client:
        until(lambda: all(client.get(path).status_code == 200 for path in PATHS), "numbers are computed again")
    until(lambda: degraded(shop) == [], "nothing is degraded any more")
    ids = [row["message_id"] for row in exported(shop)]
    assert len(ids) == len(set(ids))
    assert {"m-0", "m-1", "m-2", f"during-{harm.__name__}"} <= set(ids)
