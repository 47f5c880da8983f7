"""A real `resonate serve` of its own, started for a test and ended by its own handle."""

import contextlib
import json
import os
import re
import resource
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil
from oracles.public_reader import disagreements
from servers.patience import HUNG_SECONDS, until

PUBLISHABLE_KEY = "pk_test_0123456789"
SECRET_KEY = "sk_test_0123456789"
ENTRY = "app.cli.main"
REPOSITORY = Path(__file__).parents[2]
# For clients of plain HTTP: one that reads the machine's certificates costs 50 ms of CPU each time it is made.
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

LIMITS = (
    *("RESONATE_RATE_LIMIT_PER_SECOND", "RESONATE_RATE_LIMIT_BURST"),
    *("RESONATE_SECRET_RATE_LIMIT_PER_SECOND", "RESONATE_SECRET_RATE_LIMIT_BURST"),
    *("RESONATE_BUDGET_CPU_MS", "RESONATE_BUDGET_BYTES_KB", "RESONATE_BUDGET_EVENTS", "RESONATE_SIGN_INS_PER_MINUTE"),
)


class Service:
    """A running service: its address, keys, data directory and process.

    `client(key)` is an httpx client of it; `results(experiment)` waits until nothing is pending.
    """

    within: tuple[str, ...] = ()  # the command that it is started by

    def __init__(self, data: Path, definitions: Path, variables: Mapping[str, str], entry: str = ENTRY) -> None:
        self.data = data
        self.definitions = definitions
        self.log = data.with_name(data.name + ".log")
        self.variables = dict(variables)
        self.entry = entry
        self.limits: Mapping[int, tuple[int, int]] = {}  # of what it may use, as `resource` names them
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.unpublished = False  # no disk takes the file that says where it listens: as before, then

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> "Service":
        """Start and wait until `/readyz` answers 200; on the same port again after the first time."""
        self.launch()
        self.wait_ready()
        return self

    def launch(self) -> subprocess.Popen[bytes]:
        """Start without waiting."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.within, sys.executable, "-P", "-m", self.entry, "serve"],
                env=self.environment(),
                cwd=Path(__file__).parents[2],
                stdout=log,
                stderr=log,
                preexec_fn=self._limit if self.limits else None,
            )
        return self.process

    def _limit(self) -> None:
        for what, soft_and_hard in self.limits.items():
            resource.setrlimit(what, soft_and_hard)

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RESONATE_")}
        return {
            **kept,
            "RESONATE_PORT": str(self.port),
            "RESONATE_DATA": str(self.data),
            "RESONATE_DEFINITIONS": str(self.definitions),
            "RESONATE_PUBLISHABLE_KEYS": PUBLISHABLE_KEY,
            "RESONATE_SECRET_KEYS": SECRET_KEY,
            "RESONATE_HUNG_SECONDS": "0",  # a test that is about it says how long; on a busy machine all seem to hang
            **dict.fromkeys(LIMITS, "1000000"),  # all of a test's callers share one network, on whatever machine
            **self.variables,
            # A copy of the repository runs its own code, whatever else a test puts before it.
            "PYTHONPATH": os.pathsep.join(filter(None, [self.variables.get("PYTHONPATH"), str(REPOSITORY)])),
        }

    def wait_ready(self) -> None:
        """Until `/readyz` answers 200; fails at once when the process ends."""
        until(self._is_ready, "the service is ready", tell=self.told)

    def _is_ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"resonate serve ended with {self.process.returncode}{self.told()}")
        with contextlib.suppress(OSError, ValueError, httpx.HTTPError):
            if not self.unpublished:
                self.port = self._published_port()
            return httpx.get(f"{self.url}/readyz", timeout=1, verify=NO_CERTIFICATES).status_code == 200
        return False

    def _published_port(self) -> int:
        address = json.loads((self.data / "run" / "address").read_text())
        if address["pid"] != self.pid:
            raise ValueError("the address is that of an earlier process")
        return int(address["port"])

    def client(self, key: str = SECRET_KEY, **options: Any) -> httpx.Client:
        """A client, of which every readout is read once more, from its public form alone."""
        headers = {"authorization": f"Bearer {key}", **options.pop("headers", {})}
        options.setdefault("event_hooks", {"response": [contradicts_nothing]})
        options.setdefault("verify", NO_CERTIFICATES)
        return httpx.Client(base_url=self.url, headers=headers, timeout=options.pop("timeout", 70), **options)

    def results(self, experiment: str, **query: str) -> dict[str, Any]:
        """The readout once nothing is pending."""
        with self.client() as client:

            def settled() -> dict[str, Any] | None:
                answer = client.get(f"/v1/experiments/{experiment}/results", params=query)
                assert answer.status_code != 400, answer.text
                return answer.json() if answer.status_code == 200 and answer.json()["pending"] == 0 else None

            return until(settled, f"the readout of {experiment} has nothing pending", tell=self.told) or {}

    def processes(self) -> dict[str, list[psutil.Process]]:
        """The living processes of the tree by role: worker, writer, store, analysis, trainer."""
        roles: dict[str, list[psutil.Process]] = {}
        for child in psutil.Process(self.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                roles.setdefault(_role(child.cmdline()), []).append(child)
        return roles

    def log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def told(self) -> str:
        """What a failure adds: the end of the log."""
        return f"; the log ends with\n{self.log_text()[-5_000:]}"

    def stop(self, timeout_seconds: float = HUNG_SECONDS) -> int:
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


def contradicts_nothing(response: httpx.Response) -> None:
    """Reads a readout that was served once more: what it says must follow from the numbers in it."""
    served = response.headers.get("content-type", "").startswith("application/json") and response.status_code == 200
    if served and re.fullmatch(r"/v1/experiments/[^/]+/results", response.url.path):
        response.read()
        contradicted = disagreements(response.json(), whole="metric" not in response.url.params)
        assert not contradicted, contradicted


def _role(command: list[str]) -> str:
    for module in ("app.processes.entry", "servers.dying_writer", "servers.moving_clock"):
        if module in command:
            return command[command.index(module) + 1]
    return "store" if any("valkey" in part or "redis-server" in part for part in command[:1]) else "other"
