"""How a whole run is laid out: what runs in one process, what comes first, and where coverage is measured."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from oracles.whole_run import DRAWN_FILES, TESTS

GROUPED = """
import os
import pytest

@pytest.mark.parametrize("number", range(6))
@pytest.mark.xdist_group("one")
def test_of_the_group(number):
    print(f"ran in {os.getpid()}")
"""


LAID_OUT = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
from oracles.proving import register_profiles
from oracles.whole_run import pytest_collection_modifyitems, pytest_runtest_protocol
register_profiles()
"""
SHARING = """
import os
import pytest

@pytest.fixture(scope="module")
def made():
    print(f"made in {os.getpid()}")

@pytest.mark.parametrize("number", range(6))
def test_of_the_file(made, number):
    print(f"ran in {os.getpid()}")
"""
LONG_AND_SHORT = """
import os
import subprocess
import sys
import pytest
import measured

def run_elsewhere(function):
    subprocess.run([sys.executable, "-c", f"import measured; measured.{function}()"], check=True)

def test_short():
    measured.by_short()
    run_elsewhere("by_process_of_short")

@pytest.mark.slow
def test_long():
    measured.by_long()
    run_elsewhere("by_process_of_long")

def test_short_again():
    measured.by_short_again()
"""
PROOF = """
import pytest

@pytest.mark.drawn(4)
@pytest.mark.parametrize("number", range(1000))
def test_of_a_case(number):
    print(f"case {number}")
"""
FAULTY = """
import pytest

@pytest.mark.xdist_group("faults")
def test_of_a_file():
    print("file {}")
"""
LINES = ("by_short", "by_process_of_short", "by_long", "by_process_of_long", "by_short_again")


def run(asked: Path, *options: str) -> str:
    """What pytest says of these tests; nothing of the run around it reaches it."""
    folder = next(each for each in (asked, *asked.parents) if each.is_dir())
    left_out = ("PYTEST_", "COV")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    command = [sys.executable, "-m", "pytest", "-rP", "--rootdir", str(folder), *options, str(asked)]
    return subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, check=True
    ).stdout  # fmt: skip


def together(folder: Path) -> tuple[list[str], list[str]]:
    """The processes in which tests ran, and those that made what they share."""
    said = run(folder, "-n", "2", "--dist", "loadgroup", "-c", os.devnull)
    return re.findall(r"^ran in (\d+)$", said, re.MULTILINE), re.findall(r"^made in (\d+)$", said, re.MULTILINE)


def test_tests_of_one_group_run_in_one_process(tmp_path: Path) -> None:
    (tmp_path / "test_grouped.py").write_text(GROUPED)
    processes, _ = together(tmp_path)
    assert (len(processes), len(set(processes))) == (6, 1)


def test_what_the_tests_of_a_file_share_is_made_once(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(LAID_OUT)
    (tmp_path / "test_sharing.py").write_text(SHARING)
    processes, made = together(tmp_path)
    assert (len(processes), len(set(processes)), len(made)) == (6, 1, 1)


def test_of_long_files_a_run_of_everything_draws_some_and_who_names_them_gets_them(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(LAID_OUT)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = slow\n")
    for number in range(30):
        (tmp_path / f"test_{number}.py").write_text(FAULTY.format(number))
    once, again, named = (
        set(re.findall(r"^file (\d+)$", run(asked, "-n", "2", "--dist", "loadgroup"), re.MULTILINE))
        for asked in (tmp_path, tmp_path, tmp_path / "test_7.py")
    )
    assert (len(once), len(again), named) == (DRAWN_FILES["faults"], DRAWN_FILES["faults"], {"7"})
    assert once != again


def test_of_a_long_proof_a_run_draws_so_many_cases_and_the_whole_proof_has_them_all(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(LAID_OUT)
    (tmp_path / "test_proof.py").write_text(PROOF)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = drawn\n")
    runs = [
        set(re.findall(r"^case (\d+)$", run(tmp_path, "-n", "2", "--dist", "loadgroup"), re.MULTILINE)) for _ in "ab"
    ]
    assert [len(drawn) for drawn in runs] == [4, 4]
    assert runs[0] != runs[1]
    whole = run(tmp_path, "--hypothesis-profile", "prove")
    assert len(set(re.findall(r"^case (\d+)$", whole, re.MULTILINE))) == 1000
    named = run(tmp_path / "test_proof.py::test_of_a_case")
    assert len(set(re.findall(r"^case (\d+)$", named, re.MULTILINE))) == 1000


def test_long_tests_come_first_and_are_not_measured(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(LAID_OUT)
    (tmp_path / "test_long.py").write_text(LONG_AND_SHORT)
    (tmp_path / "measured.py").write_text("".join(f"def {name}():\n    return 1\n" for name in LINES))
    settings = "[run]\nsource = .\nparallel = true\npatch = subprocess\n"
    (tmp_path / ".coveragerc").write_text(settings)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = slow\n")
    said = run(tmp_path, "-v", "-p", "no:xdist", "--cov", "--cov-report=json:seen.json")
    assert re.findall(r"::(\w+) PASSED", said) == ["test_long", "test_short", "test_short_again"]
    functions = json.loads((tmp_path / "seen.json").read_text())["files"]["measured.py"]["functions"]
    assert [name for name in LINES if functions[name]["summary"]["covered_lines"]] == [
        name for name in LINES if "long" not in name
    ]
