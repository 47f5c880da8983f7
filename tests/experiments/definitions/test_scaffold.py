"""`resonate new KEY` writes a commented file that passes the check as it stands."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from experiments.catalog.check import check_folder
from experiments.definitions.schema import FIRST_LINE, SCHEMA_FILE, ScaffoldRefused, new_experiment

NOW = datetime(2026, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize("key", ["free-shipping", "a", "0.b_c", "x" * 100])
def test_a_new_file_passes_the_check(tmp_path: Path, key: str) -> None:
    path = new_experiment(key, tmp_path / "definitions")
    result = check_folder(path.parent, NOW)
    assert (path.name, result.errors, result.tests) == (f"{key}.yaml", (), 2)


def test_every_commented_line_is_valid_too(tmp_path: Path) -> None:
    path = new_experiment("banner", tmp_path)
    lines = path.read_text().removeprefix(FIRST_LINE).split("\n")
    path.write_text(
        "\n".join(line.removeprefix("# ") if line.startswith("# ") else line for line in lines).replace("#   ", "  ")
    )
    result = check_folder(tmp_path, NOW)
    assert result.errors == ()
    assert len(yaml.safe_load(path.read_text())) >= 14


@pytest.mark.parametrize("key", ["", "Banner", "a b", "../banner", "-a", "x" * 101, "shop", "metrics"])
def test_a_key_that_cannot_be_one_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(ScaffoldRefused):
        new_experiment(key, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".yaml", ".yml"])
def test_nothing_is_overwritten(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"banner{suffix}").write_text("mine")
    with pytest.raises(ScaffoldRefused, match="exists already, choose another key"):
        new_experiment("banner", tmp_path)
    assert (tmp_path / f"banner{suffix}").read_text() == "mine"


def test_a_new_file_names_the_schema_beside_it_which_is_made_where_there_is_none(tmp_path: Path) -> None:
    path = new_experiment("banner", tmp_path)
    assert path.read_text().startswith("# yaml-language-server: $schema=./experiment.schema.json\n")
    assert {each.name for each in tmp_path.iterdir()} == {"banner.yaml", SCHEMA_FILE}
    (tmp_path / SCHEMA_FILE).write_text("mine")
    new_experiment("other", tmp_path)
    assert (tmp_path / SCHEMA_FILE).read_text() == "mine"


def test_the_schema_beside_the_files_is_none_of_them(tmp_path: Path) -> None:
    new_experiment("banner", tmp_path)
    with_schema = check_folder(tmp_path, NOW)
    (tmp_path / SCHEMA_FILE).unlink()
    assert check_folder(tmp_path, NOW) == with_schema
    assert with_schema.errors == with_schema.warnings == ()
