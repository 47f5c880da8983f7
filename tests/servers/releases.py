"""The release before this one, built from the history of the repository, to be run beside it."""

import io
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
NUMBER = re.compile(r"^FORMAT: Final = (\d+)$", re.MULTILINE)


def revision_before() -> str:
    """The last tag, else the newest commit with another version, else the parent; the test is skipped without any."""
    tag = _git("describe", "--tags", "--abbrev=0")
    changed = _git("log", "-1", "--format=%H", "-G^version = ", "HEAD", "--", "pyproject.toml")
    for revision in (tag, f"{changed}^" if changed else "", "HEAD^"):
        if revision and _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"):
            return revision
    pytest.skip("NO ROLLING UPGRADE IS TRIED: this checkout has no history; fetch it whole (git fetch --unshallow)")


def unpacked_wheel(revision: str, folder: Path) -> Path:
    """A folder with what the wheel of a revision installs; first in PYTHONPATH it takes the place of this release."""
    archive = subprocess.run(
        ["git", "-C", REPOSITORY, "archive", "--format=tar", revision], capture_output=True, check=True
    )
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder / "source", filter="fully_trusted")  # our own; a folder of it is a link to another
    built = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    subprocess.run(built, cwd=folder / "source", capture_output=True, check=True)
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        files.extractall(folder / "installed")
    return folder / "installed"


def format_of(installed: Path) -> int:
    """The format that a release knows; one that says nothing of it knows the first."""
    place = installed / "events" / "format.py"
    found = NUMBER.search(place.read_text(encoding="utf-8")) if place.exists() else None
    return int(found[1]) if found else 1


def _git(*words: str) -> str:
    """What git says in one line; nothing where it fails."""
    done = subprocess.run(["git", "-C", REPOSITORY, *words], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
