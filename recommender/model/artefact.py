"""A directory per version of plain numpy arrays and a manifest: written whole, verified, mapped, swapped by name."""

import hashlib
import json
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kit.files import replace_file, sync, temporary_path, write_file
from kit.time import now_utc

MANIFEST: Final = "manifest.json"
CURRENT: Final = "current"
VERSION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
KEPT_VERSIONS: Final = 3  # workers may still map the one before


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
    draft = temporary_path(folder / version)
    draft.mkdir(parents=True)
    files: dict[str, str] = {}
    for name, array in arrays.items():
        path = draft / f"{name}.npy"
        np.save(path, np.ascontiguousarray(array), allow_pickle=False)
        sync(path)
        files[name] = _sha256(path)
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
    facts = read_facts(folder, version)
    arrays: dict[str, npt.NDArray[Any]] = {}
    for name, digest in facts["files"].items():
        path = folder / version / f"{name}.npy"
        try:
            found = _sha256(path)
        except OSError as error:
            raise ArtefactDamaged(f"{version}/{path.name}", error.strerror or "cannot be read") from None
        if found != digest:
            raise ArtefactDamaged(f"{version}/{path.name}", "its sha256 is not that of the manifest")
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)  # pages that every process shares
        arrays[name] = np.asarray(mapped) if mapped.size else np.load(path, allow_pickle=False)
    return Artefact(version, arrays, facts)


def read_facts(folder: Path, version: str) -> dict[str, Any]:
    """The manifest of a version, without its arrays. Raises ArtefactDamaged."""
    name = f"{version}/{MANIFEST}"
    try:
        facts = json.loads((folder / version / MANIFEST).read_text())
    except OSError as error:
        raise ArtefactDamaged(name, error.strerror or "cannot be read") from None
    except ValueError:
        raise ArtefactDamaged(name, "it is not JSON") from None
    if not isinstance(facts, dict) or not isinstance(facts.get("files"), dict):
        raise ArtefactDamaged(name, "it names no files")
    return facts


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


MODELS: Final = "models"


def new_version() -> str:
    """A name that sorts by time."""
    return f"{now_utc():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
