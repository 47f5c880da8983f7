"""A directory per version of plain numpy arrays and a manifest: written whole, verified, mapped, swapped by name."""

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kit.files import replace_file, sync, write_file

MANIFEST: Final = "manifest.json"
CURRENT: Final = "current"
VERSION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
KEPT_VERSIONS: Final = 3  # workers may still map the one before
_CHUNK: Final = 1 << 20


class ArtefactDamaged(Exception):
    """An artefact that must not be used; says which file and why."""

    def __init__(self, name: str, cause: str) -> None:
        super().__init__(f"{name}: {cause}")
        self.name = name
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Artefact:
    """One version: its arrays, read-only and shared between processes, and the facts of its manifest."""

    version: str
    arrays: dict[str, npt.NDArray[Any]]
    facts: dict[str, Any]


def write_artefact(
    folder: Path, version: str, arrays: Mapping[str, npt.NDArray[Any]], facts: Mapping[str, Any]
) -> Path:
    """Writes a version durably, beside the others; nobody reads it before `publish_version`."""
    draft = folder / f".{version}.{os.getpid()}.draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    files = {name: _write_array(draft / f"{name}.npy", array) for name, array in arrays.items()}
    manifest = {**facts, "version": version, "files": files}
    write_file(draft / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True).encode())
    sync(draft)
    target = folder / version
    draft.rename(target)
    sync(folder)
    return target


def publish_version(folder: Path, version: str) -> None:
    """Makes a version the current one, atomically, and drops versions that nobody uses any more."""
    replace_file(folder / CURRENT, version.encode())
    old = sorted((path for path in folder.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    for path in old[:-KEPT_VERSIONS]:
        if path.name != version:
            shutil.rmtree(path, ignore_errors=True)


def current_version(folder: Path) -> str | None:
    """The version that is published, None before the first."""
    try:
        version = (folder / CURRENT).read_text(errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return version if VERSION.fullmatch(version) else None


def read_artefact(folder: Path, version: str) -> Artefact:
    """A version with every file verified. Raises ArtefactDamaged, naming the file."""
    place = folder / version
    facts = _manifest(place)
    for name, digest in facts["files"].items():
        _verify(place / f"{name}.npy", digest)
    return Artefact(version, {name: _mapped(place / f"{name}.npy") for name in facts["files"]}, facts)


def read_facts(folder: Path, version: str) -> dict[str, Any]:
    """The manifest of a version, without its arrays. Raises ArtefactDamaged."""
    return _manifest(folder / version)


def _manifest(place: Path) -> dict[str, Any]:
    name = f"{place.name}/{MANIFEST}"
    try:
        facts = json.loads((place / MANIFEST).read_text())
    except OSError as error:
        raise ArtefactDamaged(name, error.strerror or "cannot be read") from None
    except ValueError:
        raise ArtefactDamaged(name, "it is not JSON") from None
    if not isinstance(facts, dict) or not isinstance(facts.get("files"), dict):
        raise ArtefactDamaged(name, "it names no files")
    return facts


def _verify(path: Path, digest: str) -> None:
    name = f"{path.parent.name}/{path.name}"
    try:
        found = _sha256(path)
    except OSError as error:
        raise ArtefactDamaged(name, error.strerror or "cannot be read") from None
    if found != digest:
        raise ArtefactDamaged(name, "its sha256 is not that of the manifest")


def _mapped(path: Path) -> npt.NDArray[Any]:
    """The array as pages that every process shares; an empty one cannot be mapped."""
    mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    return np.asarray(mapped) if mapped.size else np.load(path, allow_pickle=False)


def _write_array(path: Path, array: npt.NDArray[Any]) -> str:
    with path.open("wb") as file:
        np.save(file, np.ascontiguousarray(array), allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
    return _sha256(path)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


MODELS: Final = "models"


def new_version() -> str:
    """A name that sorts by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
