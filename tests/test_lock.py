"""The locks name all that is installed: each distribution, the extras it is asked for with, the version it has."""

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import distribution, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[1]
LOCKS = {"requirements.lock": ("", "build"), "requirements-dev.lock": ("", "build", "dev")}
ALL = (*LOCKS, "requirements-generators.lock")  # whose environment is its own; pip looks whether it is whole


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks for that is to be installed here, and the version that is."""

    name: str
    extras: frozenset[str]
    version: str


def locked(name: str, minor: int = sys.version_info.minor) -> dict[str, Requirement]:
    """The lines of a lock that hold on this machine, by canonical name; also under another Python 3."""
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    lines = [Requirement(line) for line in re.findall(r"^([^\s#].*?) \\$", text, re.MULTILINE)]
    python = {"python_version": f"3.{minor}", "python_full_version": f"3.{minor}.9"}
    here = python if minor != sys.version_info.minor else {}
    return {canonicalize_name(line.name): line for line in lines if line.marker is None or line.marker.evaluate(here)}


def asked(extras: tuple[str, ...]) -> set[Asked]:
    """What the installed metadata ask for, beginning with the project and these extras of it."""
    found: set[Asked] = set()
    seen: set[tuple[str, str]] = set()
    waiting = [("resonate", extra) for extra in extras]
    while waiting:
        name, extra = waiting.pop()
        for needed in map(Requirement, distribution(name).requires or ()):
            if needed.marker is not None and not needed.marker.evaluate({"extra": extra}):
                continue
            found.add(Asked(canonicalize_name(needed.name), frozenset(needed.extras), version(needed.name)))
            new = {(needed.name, each) for each in ("", *needed.extras)} - seen
            seen |= new
            waiting += new
    return found


def missing(lock: Mapping[str, Requirement], wanted: Iterable[Asked]) -> set[str]:
    """What is asked for that a lock does not give as it is installed; `name[extra]` where only the extra is missing."""
    found: set[str] = set()
    for each in wanted:
        line = lock.get(each.name)
        if line is None or not line.specifier.contains(each.version, prereleases=True):
            found.add(each.name)
        else:
            found |= {f"{each.name}[{extra}]" for extra in each.extras - line.extras}
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_everything_that_is_asked_for_as_it_is_installed(name: str) -> None:
    assert missing(locked(name), asked(LOCKS[name])) == set()


@pytest.mark.parametrize("name", LOCKS)
def test_a_line_less_is_noticed_whichever_it_is(name: str) -> None:
    lock, wanted = locked(name), asked(LOCKS[name])
    assert len(lock) > 30
    for left_out in lock:
        assert missing({line: lock[line] for line in lock if line != left_out}, wanted) == {left_out}


def test_an_extra_less_is_noticed_whichever_it_is() -> None:
    lock, wanted = locked("requirements-dev.lock"), asked(LOCKS["requirements-dev.lock"])
    extras = [(name, extra) for name, line in lock.items() for extra in line.extras]
    assert ("coverage", "toml") in extras
    for name, extra in extras:
        line = Requirement(str(lock[name]))
        line.extras.remove(extra)
        assert missing({**lock, name: line}, wanted) == {f"{name}[{extra}]"}


def test_the_development_lock_holds_the_whole_other_one() -> None:
    whole = locked("requirements-dev.lock")
    assert {name: line.specifier for name, line in locked("requirements.lock").items()}.items() <= {
        name: line.specifier for name, line in whole.items()
    }.items()


@pytest.mark.parametrize("name", ALL)
def test_a_lock_names_no_index(name: str) -> None:
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    assert re.findall(r"://|--(?!hash=sha256:)\S+", text) == []


@pytest.mark.parametrize("name", LOCKS)
def test_set_up_refuses_the_first_python_that_the_lock_has_nothing_for(name: str) -> None:
    script = (REPOSITORY / "scripts" / "make-venv.sh").read_text(encoding="utf-8")
    [refused] = map(int, re.findall(r"< \(3, (\d+)\)", script))
    assert len(locked(name, minor=refused)) == 0 < 30 < len(locked(name, minor=refused - 1))
