"""How a run of many tests is laid out: which cases are drawn, what stays in one process, what comes first, and where
coverage is measured.

The hooks are those of pytest; `tests/conftest.py` hands them over.
"""

import os
import random
import sys
from collections import defaultdict
from collections.abc import Generator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from oracles.proving import PLANTED, WHOLE
from servers.service import Service, running

TESTS = Path(__file__).parents[1]
LONGEST_FIRST = ("slow", "browser")  # marks; a long test that is begun last leaves the other processes without work
OF_THE_WHOLE = ("browser", "clients", "reliability")  # folders; the lines that they pass have tests of their own
# of the files of a pool a run of everything draws so many
DRAWN_FILES = {"faults": 3, "browser": 3, "packages": 1, "services": 16}
POOLS = {"faults": "faults", "image": "packages", "wheel": "packages", "demo": "packages"}  # by the group of a test
MEASURED_SERVICES = ("app/analysis", "app/cli", "app/processes", "app/setup")  # what runs in no process of the tests
SUBPROCESSES = "COVERAGE_PROCESS_CONFIG"  # by which coverage measures those that a test starts


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist writes the groups into the names
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What shares a fixture of its file runs in one process, which makes it once; what may take long comes first."""
    if left_out := set(undrawn(config, items)):
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]
    for item in items:
        if (name := pool(item)) is not None:  # so that the whole proof has them all
            item.add_marker(pytest.mark.drawn(DRAWN_FILES[name]) if name == "services" else pytest.mark.slow)
        if shares_with_its_file(item) and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(place(item)))
    items.sort(key=lambda item: not any(item.get_closest_marker(mark) for mark in LONGEST_FIRST))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Coverage rests where a line could only be seen once more: it costs half of what a process does."""
    measure(is_measured(item))
    done = yield
    if nextitem is None:
        measure(True)  # so that whoever writes what was seen finds it running
    return done


def undrawn(config: pytest.Config, items: list[pytest.Item]) -> Iterator[pytest.Item]:
    """What of the long proofs it is not the turn of: of the cases marked `drawn(n)` all but n, and of the files of each
    pool all but as many as DRAWN_FILES says where everything is run. Each run draws anew, all processes of it alike.

    The whole proof leaves out none, nor does whoever plants a fault or names a test; who names files gets all of them.
    """
    if config.getoption("hypothesis_profile", None) in (WHOLE, PLANTED) or any("::" in each for each in config.args):
        return
    run = getattr(config, "workerinput", {}).get("testrunuid") or os.urandom(8).hex()
    cases: dict[tuple[str, int], list[pytest.Item]] = defaultdict(list)
    for item in items:
        if mark := item.get_closest_marker("drawn"):
            cases[item.nodeid.partition("[")[0], mark.args[0]].append(item)
    for (name, wanted), found in cases.items():
        yield from random.Random(f"{run} {name}").sample(found, max(0, len(found) - wanted))
    everything = {config.rootpath, config.rootpath / TESTS.name}
    for name, wanted in DRAWN_FILES.items() if {Path(each).resolve() for each in config.args} <= everything else ():
        files = sorted({place(item) for item in items if pool(item) == name})
        others = random.Random(f"{run} {name}").sample(files, max(0, len(files) - wanted))
        yield from (item for item in items if pool(item) == name and place(item) in others)


def pool(item: pytest.Item) -> str | None:
    """The pool of long files that a test is of, if any."""
    group = item.get_closest_marker("xdist_group")
    if place(item).startswith("browser/"):
        return "browser"
    if group and group.args[0] in POOLS:
        return POOLS[group.args[0]]
    measured = place(item).startswith(MEASURED_SERVICES)
    return "services" if not measured and starts_services(getattr(item, "module", None)) else None


def place(item: pytest.Item) -> str:
    """The file of a test, below `tests/`."""
    return item.path.relative_to(TESTS).as_posix() if item.path.is_relative_to(TESTS) else item.path.as_posix()


def shares_with_its_file(item: pytest.Item) -> bool:
    """Whether the test has a fixture that is made once for a file."""
    found: dict[str, Any] = getattr(item, "_fixtureinfo").name2fixturedefs  # noqa: B009
    return any(definition.scope == "module" for definitions in found.values() for definition in definitions)


def is_measured(item: pytest.Item) -> bool:
    """Not those of the whole, nor what asks a whole service what the tests of its parts ask too."""
    if any(item.get_closest_marker(mark) for mark in LONGEST_FIRST) or place(item).startswith(OF_THE_WHOLE):
        return False
    return place(item).startswith(MEASURED_SERVICES) or not starts_services(getattr(item, "module", None))


def starts_services(module: ModuleType | None) -> bool:
    """Whether a file of tests knows of whole services: it has imported what starts them."""
    return any(each is Service or each is running for each in vars(module or sys).values())


_resting: list[Any] = []


def measure(wanted: bool) -> None:
    """Let coverage rest, here and in what is started from here on, or go on. Nothing where it does not run."""
    coverage = sys.modules.get("coverage")
    if wanted and _resting:
        _resting.pop().start()  # which names itself to what is started, too
    elif not wanted and not _resting and coverage and (measuring := coverage.Coverage.current()):
        measuring.stop()
        os.environ.pop(SUBPROCESSES, None)
        _resting.append(measuring)
