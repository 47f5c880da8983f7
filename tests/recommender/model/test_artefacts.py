"""Artefacts: whole, verified, swapped by name."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from recommender.model.artefact import ArtefactDamaged, current_version, publish_version, read_artefact, write_artefact
from recommender.model.model import ModelArrays

ARRAYS = {"scores": np.arange(6, dtype=np.float32).reshape(2, 3), "nothing": np.empty((0, 4), np.int32)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_artefact(tmp_path, "v1", ARRAYS, {"cut_off": "2026-01-01"})
    publish_version(tmp_path, "v1")
    return tmp_path


def test_what_is_written_is_read_back(folder: Path) -> None:
    found = read_artefact(folder, "v1")
    assert {name: array.tolist() for name, array in found.arrays.items()} == {
        name: array.tolist() for name, array in ARRAYS.items()
    }
    assert (found.facts["cut_off"], current_version(folder)) == ("2026-01-01", "v1")


def test_arrays_are_mapped_and_cannot_be_changed(folder: Path) -> None:
    scores = read_artefact(folder, "v1").arrays["scores"]
    assert type(scores) is np.ndarray
    assert not scores.flags.writeable


@pytest.mark.parametrize("position", [0, 80, -1])
def test_a_flipped_byte_is_refused_by_name(folder: Path, position: int) -> None:
    path = folder / "v1" / "scores.npy"
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtefactDamaged, match=r"v1/scores\.npy: its sha256 is not that of the manifest"):
        read_artefact(folder, "v1")


def test_a_missing_file_and_a_broken_manifest_are_refused_by_name(folder: Path) -> None:
    (folder / "v1" / "scores.npy").unlink()
    with pytest.raises(ArtefactDamaged, match=r"v1/scores\.npy"):
        read_artefact(folder, "v1")
    (folder / "v1" / "manifest.json").write_text("{")
    with pytest.raises(ArtefactDamaged, match=r"v1/manifest\.json: it is not JSON"):
        read_artefact(folder, "v1")
    with pytest.raises(ArtefactDamaged, match=r"v9/manifest\.json"):
        read_artefact(folder, "v9")


@pytest.mark.parametrize("text", ["", "../../etc", "a/b", "v1\nv2", "x" * 80])
def test_a_name_that_is_no_version_is_none(folder: Path, text: str) -> None:
    (folder / "current").write_text(text)
    assert current_version(folder) is None


def test_old_versions_go_and_the_live_one_stays(folder: Path) -> None:
    for number in range(2, 7):
        write_artefact(folder, f"v{number}", ARRAYS, {})
        publish_version(folder, f"v{number}")
    assert current_version(folder) == "v6"
    kept = {path.name for path in folder.iterdir() if path.is_dir()}
    assert "v6" in kept
    assert len(kept) == 3


@pytest.mark.parametrize("content", [b"\xff\xfe", b"v1\xe9", b"\x00"])
def test_a_current_file_of_other_bytes_names_no_version(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "current").write_bytes(content)
    assert current_version(tmp_path) is None


def test_a_model_that_was_written_before_bears_the_names_that_are_read() -> None:
    assert " ".join(each.name for each in fields(ModelArrays)) == (
        "id_blob id_offsets id_digests id_places popularity baskets rise_short rise_long category family"
        " category_share family_share category_blob category_offsets neighbour_items neighbour_scores"
        " neighbour_supports taste_row taste_items taste_weights customer_digests habit_offsets habit_items"
        " habit_counts habit_decayed habit_recent habit_last habit_first"
    )
