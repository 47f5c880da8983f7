"""Every command leaves data in a format alone that it does not know, and says what would be right."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from app.cli.main import app
from app.cli.output import Refused

READING = {
    "check": [], "doctor": [], "export": [], "holdout": ["everybody"], "results": ["banner"], "report": ["banner"],
    "plan": ["banner"], "program": [], "verify": [], "privacy": [], "aa": ["banner"], "tag": [], "new": ["banner"],
    "keys list": [], "people list": [], "backup": ["copy"], "restore": ["copy"],
}  # fmt: skip
WRITING = {
    "serve": ["--port", "0"], "start": ["banner"], "pause": ["banner"], "resume": ["banner"], "stop": ["banner"],
    "ship": ["banner", "control"], "preview": ["banner:control"], "keys rotate": ["visitor"],
    "init": ["--yes", "--site", "https://shop.example"],
    "keys new": ["a"], "keys revoke": ["a"], "people add": ["ada@shop.example", "--role", "admin"],
    "people link": ["ada@shop.example"], "people role": ["ada@shop.example", "admin"],
    "people remove": ["ada@shop.example"], "recommender train": [],
    "verify": ["--set-aside", "0-000000000000.parquet"],
}  # fmt: skip
NO_DATA = {"demo", "import", "schema", "settings", "simulate", "keys user-token", "recommender evaluate"}
TOO_NEW = {"format": 3, "min_reader": 2, "min_writer": 3, "written_by": "0.9.0"}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory of a release that is not written yet; it holds nothing but the number."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RESONATE_DATA", str(folder))
    monkeypatch.setenv("RESONATE_KEYS", str(tmp_path / "keys.yaml"))
    return folder


def names(group: Any, prefix: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        yield from names(command, f"{name} ") if hasattr(command, "commands") else [prefix + name]


def refusal(command: str, *arguments: str) -> str:
    """What a command is refused with; empty where it is not refused over a format."""
    error = CliRunner().invoke(app, [*command.split(), *arguments]).exception
    return str(error) if isinstance(error, Refused) and "format" in str(error) else ""


def test_every_command_is_looked_at() -> None:
    assert {*names(typer.main.get_command(app))} == {*READING, *WRITING, *NO_DATA}


@pytest.mark.parametrize("command", sorted({*READING, *WRITING}))
def test_a_command_leaves_data_alone_that_it_cannot_read(command: str, data: Path) -> None:
    (data / "format").write_text(json.dumps(TOO_NEW))
    said = refusal(command, *(READING.get(command) or WRITING.get(command, [])))
    assert said.startswith(f"data directory {data} is in format 3, written by Resonate 0.9.0; this is ")
    assert said.endswith("which reads up to 1. Install 0.9.0 or newer, or restore a backup made before the upgrade")
    assert [path.name for path in data.iterdir()] == ["format"]


@pytest.mark.parametrize("command", sorted(WRITING))
def test_a_command_that_writes_leaves_data_alone_that_it_can_only_read(command: str, data: Path) -> None:
    (data / "format").write_text(json.dumps({**TOO_NEW, "min_reader": 1}))
    assert "which reads it and writes up to 1" in refusal(command, *WRITING[command])
    assert [path.name for path in data.iterdir()] == ["format"]


@pytest.mark.parametrize("command", sorted(READING))
def test_a_command_that_reads_goes_on(command: str, data: Path) -> None:
    (data / "format").write_text(json.dumps({**TOO_NEW, "min_reader": 1}))
    assert refusal(command, *READING[command]) == ""


def test_verify_names_a_format_that_it_cannot_read_and_no_damage(data: Path) -> None:
    (data / "format").write_text("spoilt")
    done = CliRunner().invoke(app, ["verify"])
    assert f"{data / 'format'} does not say in which format" in str(done.exception)
    assert "damage" not in done.output + str(done.exception)
