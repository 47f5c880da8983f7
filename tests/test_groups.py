"""Tests of one group run in one process: those that stop or slow down what they share would disturb each other."""

import os
import re
import subprocess
import sys
from pathlib import Path

GROUPED = """
import os
import pytest

@pytest.mark.parametrize("number", range(6))
@pytest.mark.xdist_group("one")
def test_of_the_group(number):
    print(f"ran in {os.getpid()}")
"""


def test_tests_of_one_group_run_in_one_process(tmp_path: Path) -> None:
    (tmp_path / "test_grouped.py").write_text(GROUPED)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV"))}
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadgroup", "-rP", "-c", os.devnull]
    ran = subprocess.run(
        [*command, "--rootdir", tmp_path, tmp_path], env=environment, capture_output=True, text=True, check=False
    )
    processes = re.findall(r"^ran in (\d+)$", ran.stdout, re.MULTILINE)
    assert (len(processes), len(set(processes))) == (6, 1), ran.stdout
