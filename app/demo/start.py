"""The service under the demo: it runs when it says so itself, and why it does not is told in a sentence."""

import asyncio
import json
import os
import signal
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from kit.announced import Hearing
from kit.child import Child, Terms, start_module
from kit.files import append_to, read_or_none

COMMAND: Final = "app.cli.main"
READY_SECONDS: Final = 120.0
ENDING_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.05
LAST_WORDS: Final = 12  # lines
PORTS_TRIED: Final = 100


class NotRunning(Exception):
    """There is no service for the demo; the message says why, and what to do."""


class Service:
    """The service as a process of this one, from its start to its end.

    `printed` is what it writes for people: once it is ready its keys and how to sign in are in it.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.data = Path(environment["RESONATE_DATA"])
        self.port = environment.get("RESONATE_PORT", "8000")
        self.address = ""
        self._log = self.data / "service.log"
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - `end` closes it
        self._hearing = Hearing()
        with append_to(self._log) as log:
            self._began_at = log.tell()
            terms = Terms(
                signal.SIGTERM,
                descriptors=[self._hearing.descriptor],
                environment=environment,
                output=self._output,
                errors=log,
            )
            self._child: Child = start_module(COMMAND, ["serve", "--announce", self._hearing.argument], terms)
        self._child.tell(b"")
        self._hearing.started()

    async def ready(self) -> Self:
        """Wait until it has said that it is ready. Raises NotRunning with the reason in words."""
        for _ in range(int(READY_SECONDS / LOOK_SECONDS)):
            ended = self._child.code() is not None  # asked before, so that its last word is heard
            said = self._hearing.hear()
            if said is not None and said.became == "ready":
                self.address = said.facts["address"].replace("//0.0.0.0:", "//127.0.0.1:")
                return self
            if said is not None:
                raise NotRunning(self._refused(said.facts["by"]))
            if ended:
                raise self.ended()
            await asyncio.sleep(LOOK_SECONDS)
        raise NotRunning(f"the service was not ready within {READY_SECONDS:g} s; its log is {self._log}")

    @property
    def runs(self) -> bool:
        return self._child.code() is None

    @property
    def printed(self) -> str:
        """What it wrote for people so far."""
        return os.pread(self._output.fileno(), 1 << 20, 0).decode(errors="replace")

    def ended(self) -> NotRunning:
        """Why a service that has ended by itself did so, in its own last words."""
        said = (read_or_none(self._log) or b"")[self._began_at :].decode(errors="replace")
        words = "\n".join(f"  {line}" for line in said.splitlines() if line.strip())
        last = "\n".join(words.splitlines()[-LAST_WORDS:])
        return NotRunning(f"the service ended; its last words:\n{last}" if last else "the service ended without a word")

    def end(self) -> int:
        """End it, in order, and all that it started; its exit code."""
        self._child.send(signal.SIGTERM)
        code = self._child.wait(ENDING_SECONDS)
        self._hearing.close()
        self._output.close()
        return code

    def _refused(self, by: str) -> str:
        if by == "PortTaken":
            port = free_port(int(self.port))
            return f"port {self.port} is taken by another program; start with RESONATE_PORT={port} make demo"
        if by == "DirectoryInUse":
            address = _address(self.data)
            where = f"at {address}" if address else "and about to start"
            return f"the demo is already running in this folder, {where}"
        self._child.wait(ENDING_SECONDS)  # it is on its way out, and what it says stands in its log then
        return str(self.ended())


def free_port(taken: int) -> int:
    """The next port behind a taken one that nobody listens on."""
    for port in range(taken + 1, min(taken + PORTS_TRIED, 65_536)):
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    return 0  # any


def _address(data: Path) -> str | None:
    """Where the service that owns a data directory answers, as it wrote there itself."""
    try:
        return json.loads(read_or_none(data / "run" / "address") or b"{}").get("url")
    except ValueError:
        return None
