"""A real `resonate serve` of its own, started for a test and ended by its own handle."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil

PUBLISHABLE_KEY = "pk_test_0123456789"
SECRET_KEY = "sk_test_0123456789"
ENTRY = "app.cli.main"


class Service:
    """A running service: its address, keys, data directory and process.

    `client(key)` is an httpx client of it; `results(experiment)` waits until nothing is pending.
    """

    def __init__(self, data: Path, definitions: Path, variables: Mapping[str, str], entry: str = ENTRY) -> None:
        self.data = data
        self.definitions = definitions
        self.log = data.with_name(data.name + ".log")
        self.variables = dict(variables)
        self.entry = entry
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self, timeout_seconds: float = 30) -> "Service":
        """Start and wait until `/readyz` answers 200; on the same port again after the first time."""
        self.launch()
        self.wait_ready(timeout_seconds)
        return self

    def launch(self) -> subprocess.Popen[bytes]:
        """Start without waiting."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", self.entry, "serve"],
                env=self.environment(),
                cwd=Path(__file__).parents[2],
                stdout=log,
                stderr=log,
            )
        return self.process

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RESONATE_")}
        return {
            **kept,
            "RESONATE_PORT": str(self.port),
            "RESONATE_DATA": str(self.data),
            "RESONATE_DEFINITIONS": str(self.definitions),
            "RESONATE_PUBLISHABLE_KEYS": PUBLISHABLE_KEY,
            "RESONATE_SECRET_KEYS": SECRET_KEY,
            **self.variables,
        }

    def wait_ready(self, timeout_seconds: float = 30) -> None:
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            assert self.process is not None
            if self.process.poll() is not None:
                raise AssertionError(f"resonate serve ended with {self.process.returncode}:\n{self.log_text()}")
            with contextlib.suppress(OSError, ValueError, httpx.HTTPError):
                self.port = self._published_port()
                if httpx.get(f"{self.url}/readyz", timeout=1).status_code == 200:
                    return
            time.sleep(0.02)
        raise AssertionError(f"not ready within {timeout_seconds} s:\n{self.log_text()}")

    def _published_port(self) -> int:
        address = json.loads((self.data / "run" / "address").read_text())
        if address["pid"] != self.pid:
            raise ValueError("the address is that of an earlier process")
        return int(address["port"])

    def client(self, key: str = SECRET_KEY, **options: Any) -> httpx.Client:
        headers = {"authorization": f"Bearer {key}", **options.pop("headers", {})}
        return httpx.Client(base_url=self.url, headers=headers, timeout=options.pop("timeout", 70), **options)

    def results(self, experiment: str, timeout_seconds: float = 40, **query: str) -> dict[str, Any]:
        """The readout once nothing is pending."""
        deadline = time.monotonic() + timeout_seconds
        with self.client() as client:
            while True:
                response = client.get(f"/v1/experiments/{experiment}/results", params=query)
                body = response.json()
                if response.status_code == 200 and body["pending"] == 0:
                    return body
                if time.monotonic() > deadline:
                    raise AssertionError(f"still {response.status_code}: {response.text[:2000]}")
                time.sleep(0.1)

    def processes(self) -> dict[str, list[psutil.Process]]:
        """The living processes of the tree by role: worker, writer, store, analysis, trainer."""
        roles: dict[str, list[psutil.Process]] = {}
        for child in psutil.Process(self.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                roles.setdefault(_role(child.cmdline()), []).append(child)
        return roles

    def log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def stop(self, timeout_seconds: float = 15) -> int:
        """SIGTERM, wait, and the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_seconds)

    def end(self) -> None:
        """Stop, by force where it does not go, so that no test leaves a process behind."""
        if self.process is None:
            return
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def write_definitions(folder: Path, files: Mapping[str, str]) -> Path:
    """Write definition files, by name, and return their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


@contextlib.contextmanager
def running(root: Path, files: Mapping[str, str], **variables: str) -> Iterator[Service]:
    """A service with these definition files and RESONATE_* variables, in a folder of its own under `root`."""
    service = Service(root / "data", write_definitions(root / "definitions", files), variables)
    try:
        yield service.start()
    finally:
        service.end()


def _role(command: list[str]) -> str:
    for module in ("app.processes.entry", "servers.dying_writer"):
        if module in command:
            return command[command.index(module) + 1]
    return "store" if any("valkey" in part or "redis-server" in part for part in command[:1]) else "other"
