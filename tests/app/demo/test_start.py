"""`resonate demo` where something is in its way: what it says, and that it never takes a stranger for its service."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Final

import psutil
import pytest
from servers.patience import HUNG_SECONDS, VAIN_SECONDS, ended_when_hung, until
from servers.service import Service

from app.demo.start import free_port

ANY_PORT: Final = 0  # of the tests that run at the same time, no two choose the same
RESONATE = str(Path(sys.executable).with_name("resonate"))


def environment(folder: Path, port: int, **variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RESONATE_")}
    return kept | {"RESONATE_DATA": str(folder / "demo-data"), "RESONATE_PORT": str(port), **variables}


def refused(folder: Path, port: int, **variables: str) -> str:
    """What the demo says that cannot start."""
    told = subprocess.run(
        [RESONATE, "demo"], env=environment(folder, port, **variables), capture_output=True, text=True, cwd=folder,
        timeout=VAIN_SECONDS, check=False,
    )  # fmt: skip
    assert told.returncode == 1, told
    assert told.stdout == ""
    assert "Traceback" not in told.stderr
    return told.stderr


@contextmanager
def demo(folder: Path, port: int) -> Generator[subprocess.Popen[str]]:
    """The demo, and whether it leaves anything running."""
    with subprocess.Popen(
        [RESONATE, "demo"], env=environment(folder, port), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=folder,
    ) as started:  # fmt: skip
        try:
            with ended_when_hung(started, VAIN_SECONDS):
                yield started
        finally:
            started.kill()


@contextmanager
def a_stranger() -> Generator[int]:
    """A program that answers everything with 200, `/readyz` too; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            while True:
                try:
                    caller, _ = listener.accept()
                except OSError:
                    return
                with caller:
                    caller.recv(4_096)
                    caller.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")

        Thread(target=answer, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def offered(said: str, taken: int) -> int:
    """The port of the one sentence about a taken one."""
    found = re.fullmatch(rf"port {taken} is taken by another program; start with RESONATE_PORT=(\d+) make demo\n", said)
    assert found, said
    return int(found[1])


def test_a_stranger_on_the_port_is_no_success_and_a_free_port_is_offered(tmp_path: Path) -> None:
    with a_stranger() as taken:
        port = offered(refused(tmp_path, taken), taken)
    assert port != taken
    socket.create_server(("127.0.0.1", port)).close()


def test_another_resonate_on_the_port_is_a_stranger_too(service: Service, tmp_path: Path) -> None:
    assert offered(refused(tmp_path / "..", service.port, RESONATE_DATA=str(tmp_path / "mine")), service.port)


def test_a_start_that_fails_for_another_reason_is_told_in_the_services_own_last_words(tmp_path: Path) -> None:
    definitions = tmp_path / "definitions"
    definitions.mkdir()
    (definitions / "test.yaml").write_text("key: test\nstatus: runing\nvariants: [a, b]\ngoal: purchase_rate\n")
    told = refused(tmp_path, ANY_PORT, RESONATE_DEFINITIONS=str(definitions))
    assert told.startswith("the service ended; its last words:\n")
    assert "test.yaml:2" in told
    assert "runing" in told
    told = refused(tmp_path, ANY_PORT, RESONATE_WORKERS="none")
    assert "RESONATE_WORKERS" in told
    assert "test.yaml" not in told, "these are the words of the start before"


def test_a_second_one_in_the_same_folder_is_told_where_the_first_is_and_ctrl_c_ends_all_at_once(tmp_path: Path) -> None:
    with demo(tmp_path, ANY_PORT) as first:
        address = tmp_path / "demo-data" / "run" / "address"
        until(lambda: address.exists() or first.poll() is not None, "the service has said where it is")
        assert first.poll() is None, first.communicate()
        written = json.loads(address.read_text())
        said = refused(tmp_path, ANY_PORT)
        assert said == f"the demo is already running in this folder, at {written['url']}\n"
        everything = psutil.Process(first.pid).children(recursive=True)
        assert written["pid"] in {each.pid for each in everything}
        first.send_signal(signal.SIGINT)
        output, errors = first.communicate(timeout=HUNG_SECONDS)
        assert output.splitlines()[-1] == "stopping …"
        assert errors == ""
        assert first.returncode == 0
    assert [each for each in everything if each.is_running()] == []


def test_ctrl_c_before_the_service_is_ready_ends_it_as_well(tmp_path: Path) -> None:
    with demo(tmp_path, ANY_PORT) as started:
        until(lambda: psutil.Process(started.pid).children(recursive=True), "the service is about to start")
        everything = psutil.Process(started.pid).children(recursive=True)
        started.send_signal(signal.SIGINT)
        output, errors = started.communicate(timeout=HUNG_SECONDS)
    assert (started.returncode, output, errors) == (0, "stopping …\n", "")
    assert [each for each in everything if each.is_running()] == []


def test_one_that_nobody_reads_any_more_ends(tmp_path: Path) -> None:
    with demo(tmp_path, ANY_PORT) as started:
        assert started.stdout is not None
        assert started.stderr is not None
        assert started.stdout.readline()
        everything = psutil.Process(started.pid).children(recursive=True)
        started.stdout.close()
        assert (started.wait(VAIN_SECONDS), started.stderr.read()) == (0, "")
    assert [each for each in everything if each.is_running()] == []


def test_a_service_that_ends_under_the_demo_is_told_with_its_last_words(tmp_path: Path) -> None:
    with demo(tmp_path, ANY_PORT) as started:
        assert started.stdout is not None
        assert started.stdout.readline()
        address = json.loads((tmp_path / "demo-data" / "run" / "address").read_text())
        psutil.Process(address["pid"]).kill()
        _, errors = started.communicate(timeout=VAIN_SECONDS)
    assert started.returncode == 1
    assert errors.startswith("the service ended")
    assert "Traceback" not in errors


@pytest.mark.parametrize("taken", [0, 1])
def test_a_port_that_is_offered_is_behind_the_taken_one(taken: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1] - taken
        assert free_port(port) > port
        assert free_port(port) != listener.getsockname()[1]
