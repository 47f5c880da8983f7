"""`resonate verify` on a data directory that no service uses."""

from pathlib import Path

import pytest
from oracles.writing import record
from typer.testing import CliRunner
from worlds.event_log import received, write_log

from app.cli.main import app
from app.cli.output import Refused


def verify(monkeypatch: pytest.MonkeyPatch, data: Path, *words: str) -> tuple[int, str]:
    monkeypatch.setenv("RESONATE_DATA", str(data))
    done = CliRunner().invoke(app, ["verify", *words])
    return done.exit_code, str(done.exception) if isinstance(done.exception, Refused) else done.output


def test_a_data_directory_that_is_not_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = verify(monkeypatch, tmp_path / "absent")
    assert (code, "there is no data directory" in said) == (1, True)


def test_a_damaged_part_is_named_until_it_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = received([record(f"m-{n}", time=1_790_000_000_000_000 + n) for n in range(3)])
    part = write_log(tmp_path, events, cut=1)[1].path
    part.write_bytes(b"")
    code, said = verify(monkeypatch, tmp_path)
    assert (code, part.name in said) == (1, True)
    code, said = verify(monkeypatch, tmp_path, "--set-aside", part.name)
    assert (code, "set aside" in said) == (0, True)
    code, said = verify(monkeypatch, tmp_path, "--set-aside", part.name)
    assert (code, "is not a damaged part" in said) == (1, True)
