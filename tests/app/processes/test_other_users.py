"""Whoever else has an account on the machine can open nothing of a run, and put nothing into it."""

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from conftest import SMALLEST_DEFINITIONS, StartService
from servers.patience import HUNG_SECONDS, until
from servers.service import ENTRY, Service, write_definitions

from app.runtime.data_directory import DataDirectory
from events.store.process import socket_path

CATALOGUE = "product_id,name,category,price\nsku-1,One,toys,9\nsku-2,Two,toys,10\n"


@pytest.fixture(autouse=True)
def careless() -> Iterator[None]:
    """The account that starts the service hides nothing by itself."""
    before = os.umask(0)
    yield
    os.umask(before)


def open_to(forbidden: int, *places: Path) -> list[str]:
    """All that lies in these places, and they themselves, with one of these bits."""
    found = [path for place in places for path in (place, *place.rglob("*"))]
    modes: dict[Path, int] = {}
    for path in found:
        with suppress(FileNotFoundError):  # the store writes its files anew now and then
            modes[path] = path.lstat().st_mode
    return [f"{path} {mode:o}" for path, mode in modes.items() if mode & forbidden and not stat.S_ISLNK(mode)]


def resonate(service: Service, *words: str) -> str:
    """What a command prints that is run beside the service, or after it."""
    command = [sys.executable, "-P", "-m", ENTRY, *words]
    done = subprocess.run(
        command, env=service.environment(), capture_output=True, text=True, timeout=HUNG_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def live_through(service: Service) -> None:
    """What a service and its commands do in their life."""
    with service.client() as client:
        client.put("/v1/products", content=CATALOGUE, headers={"content-type": "text/csv"}).raise_for_status()
        for number in range(40):
            order = {"order_id": f"o{number}", "revenue": 9, "products": [{"product_id": f"sku-{number % 2 + 1}"}]}
            event = {"anonymousId": f"v{number % 7}", "event": "Order Completed", "properties": order}
            client.post("/v1/track", json=event).raise_for_status()
        service.results("free-shipping-banner")
        resonate(service, "recommender", "train")
        resonate(service, "pause", "free-shipping-banner")
        resonate(service, "export", "--output", str(service.data.parent / "events.ndjson"))
        assert client.request("DELETE", "/v1/visitors/v1").status_code == 202
        assert client.get("/v1/recommendations/sku-1").status_code == 200
        assert client.get("/v1/visitors/v2").status_code == 200


def umasks(service: Service) -> set[str]:
    """What the processes of the tree, those that come and go as well, take from the modes of what they make."""
    roles = {"supervisor": [psutil.Process(service.pid)], **service.processes()}
    assert roles.keys() >= set(TREE)
    found = set[str]()
    for each in (each for processes in roles.values() for each in processes):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            found.add(Path(f"/proc/{each.pid}/status").read_text().partition("Umask:")[2].split()[0])
    return found


TREE = ("supervisor", "worker", "writer", "analysis", "store")


def test_no_file_folder_or_socket_of_a_whole_life_is_open_to_another_user(start_service: StartService) -> None:
    service = start_service(
        SMALLEST_DEFINITIONS, RESONATE_PUBLISHABLE_KEYS="", RESONATE_SECRET_KEYS="sk_test_0123456789"
    )
    live_through(service)
    assert umasks(service) == {"0077"}
    sockets = [DataDirectory(service.data).analysis_socket, socket_path(service.data)]
    assert all(path.is_socket() for path in sockets)
    assert open_to(0o077, service.data, *sockets) == []
    assert service.stop() == 0
    resonate(service, "verify")
    service.start()
    service.results("free-shipping-banner")
    assert service.stop() == 0
    assert open_to(0o077, service.data, service.data.parent / "events.ndjson") == []


def test_a_group_may_read_where_it_is_allowed_to_and_reaches_no_socket(
    start_service: StartService, tmp_path: Path
) -> None:
    data = tmp_path / "service-0" / "data"
    data.mkdir(parents=True)
    data.chmod(0o2770)
    service = start_service(SMALLEST_DEFINITIONS, RESONATE_DATA_GROUP="1")
    with service.client() as client:
        client.post("/v1/track", json={"anonymousId": "v", "event": "Wished"}).raise_for_status()
    service.results("free-shipping-banner")
    assert umasks(service) == {"0027"}
    assert stat.S_IMODE(data.stat().st_mode) & 0o777 == 0o750
    assert open_to(0o027, data) == []
    assert {stat.S_IMODE(data.joinpath(name).stat().st_mode) & 0o777 for name in ("run", "store")} == {0o700}
    parts = [*(data / "log").rglob("*.parquet")]
    assert parts != [] == [part for part in parts if not part.stat().st_mode & 0o040]


def test_a_data_directory_of_an_older_version_is_closed_and_it_is_said(
    start_service: StartService, tmp_path: Path
) -> None:
    data = tmp_path / "service-0" / "data"
    for name, mode in (("log/day=2026-11-20", 0o755), ("store", 0o755), ("run", 0o777), ("models", 0o775)):
        (data / name).mkdir(parents=True)
        (data / name).chmod(mode)
        (data / name / "old").write_text("")
    (data / "log/day=2026-11-20/old").unlink()  # a log holds parts alone
    data.chmod(0o755)
    service = start_service(SMALLEST_DEFINITIONS)
    assert open_to(0o077, data) == []
    assert f"other users could use {data} (mode 0755): they cannot any more" in service.log_text()


def long_places(data: Path) -> list[Path]:
    """Where the sockets of a data directory with a long path lie."""
    return [DataDirectory(data).analysis_socket.parent, socket_path(data).parent]


@pytest.mark.parametrize("place", [0, 1], ids=["analysis", "store"])
def test_a_folder_for_sockets_that_someone_made_before_is_not_used(tmp_path: Path, place: int) -> None:
    data = tmp_path / ("long" * 30) / "data"
    premade = long_places(data)[place]
    (tmp_path / "theirs").mkdir()
    premade.symlink_to(tmp_path / "theirs")
    data.parent.mkdir()
    service = Service(data, tmp_path / "definitions", {})
    (tmp_path / "definitions").mkdir()
    try:
        assert service.launch().wait(HUNG_SECONDS) == 1
        assert f"{premade} is a link or belongs to someone else" in service.log_text()
        assert list((tmp_path / "theirs").iterdir()) == []
    finally:
        service.end()
        premade.unlink()


def test_a_long_path_has_its_sockets_in_folders_of_its_own(tmp_path: Path) -> None:
    service = Service(tmp_path / ("long" * 30) / "data", tmp_path / "definitions", {})
    service.data.parent.mkdir()
    write_definitions(tmp_path / "definitions", SMALLEST_DEFINITIONS)
    places = long_places(service.data)
    try:
        service.start()
        service.results("free-shipping-banner")
        assert {place.parent for place in places} == {Path(tempfile.gettempdir())}
        assert open_to(0o077, *places, service.data) == []
    finally:
        service.end()
        for place in places:
            (place / "store.sock").unlink(missing_ok=True)
            until(lambda place=place: place.rmdir() is None, "nothing is left in the folder of a socket")
