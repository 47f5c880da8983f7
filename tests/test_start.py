"""The start pages are walked as their readers would: files written, commands run, what is promised is printed."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from servers.patience import HUNG_SECONDS, ended_when_hung
from worlds.start_pages import PAGES, blocks_of

PERSONS = {"marketer", "web-developer", "analyst", "cx-leader", "operator"}
SERVES = "resonate serve"
KEPT = {  # what a service prints → what the pages call it
    "SERVICE": r"Resonate is ready on (http://[\d.:]+)",
    "PUBLISHABLE_KEY": r"publishable key (pk_\S+)",
    "SECRET_KEY": r"secret key +(sk_\S+)",
    "DOCTOR_KEY": r"key doctor: (sk_\S+)",
}


class Reader:
    """Somebody with an empty folder, who does what a page says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RESONATE_")}
        path = f"{Path(sys.executable).parent}:{kept['PATH']}"
        self.environment = {**kept, "PATH": path, "COLUMNS": "200", "RESONATE_PORT": "0", "RESONATE_WORKERS": "1"}
        self.printed = ""
        self.services: list[subprocess.Popen[str]] = []

    def write(self, text: str) -> None:
        """A definition file, named by its first line."""
        named = re.match(r"# (\S+\.yaml)\n", text)
        assert named is not None, text
        file = self.folder / "definitions" / named[1]
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def run(self, commands: str) -> None:
        """Commands of one block; a service goes on behind, and is waited for."""
        if SERVES not in commands:
            going_on = f"[ ! -e .exports ] || . ./.exports\n{commands}\nexport -p > .exports"  # the same terminal
            done = subprocess.run(
                ["sh", "-ec", going_on], cwd=self.folder, env=self.environment, capture_output=True, text=True,
                timeout=HUNG_SECONDS, check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{commands}\n{done.stdout}{done.stderr}"
            self.hear(done.stdout)
            return
        before, _, _ = commands.partition(SERVES)
        with (self.folder / "serve.log").open("w") as log:
            service = subprocess.Popen(
                ["sh", "-ec", f"{before} exec {SERVES}"], cwd=self.folder, env=self.environment, text=True,
                stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        self.services.append(service)
        with ended_when_hung(service, HUNG_SECONDS):
            self.hear("".join(self._said(service)))

    def _said(self, service: subprocess.Popen[str]) -> Iterator[str]:
        """What a service prints until somebody may sign in."""
        assert service.stdout is not None
        for line in service.stdout:
            yield line
            if line.startswith("Sign in:"):
                return
        raise AssertionError((self.folder / "serve.log").read_text())

    def hear(self, text: str) -> None:
        self.printed = text
        for name, pattern in KEPT.items():
            found = re.search(pattern, text)
            if found is not None:
                self.environment[name] = found[1]

    def end(self) -> None:
        for service in self.services:
            service.terminate()
            service.communicate(timeout=HUNG_SECONDS)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    found = Reader(tmp_path)
    yield found
    found.end()


def absent(promised: str, printed: str) -> list[str]:
    """The promised lines that no printed line is."""
    lines = [line.strip() for line in printed.splitlines()]
    return [
        line for line in map(str.strip, promised.splitlines())
        if not any(fnmatchcase(each, line.replace("[", "[[]")) for each in lines)
    ]  # fmt: skip


def test_there_is_a_short_page_for_each_person() -> None:
    assert set(PAGES) == PERSONS
    assert {name for name, text in PAGES.items() if len(text.splitlines()) > 100} == set()


def test_a_promise_that_is_not_kept_is_seen() -> None:
    assert absent("1 experiment, * errors\nships", "  1 experiment, 2 tests, 0 errors\n") == ["ships"]


@pytest.mark.parametrize("name", sorted(PERSONS))
def test_a_page_is_walked_to_its_end(name: str, reader: Reader) -> None:
    ran = 0
    for block in blocks_of(name):
        if block.kind == "yaml":
            reader.write(block.text)
        elif block.kind == "sh":
            reader.run(block.text)
            ran += 1
        elif block.kind == "text":
            assert absent(block.text, reader.printed) == [], reader.printed
    assert ran >= 4
    assert {block.kind for block in blocks_of(name)} <= {"yaml", "sh", "text", "html"}
