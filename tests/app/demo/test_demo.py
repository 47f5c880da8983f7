"""`resonate demo` in front of a person: it starts, fills, tells the truth beside it, and stops when told.

How often an interval holds the truth is measured over many seeds, by the tests of simulations.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from servers.patience import HUNG_SECONDS, ended_when_hung

AHEAD = re.compile(r"for_you against popular: recommendation_click_rate .*: for_you is ahead")
LINE = re.compile(r"purchase_rate [\d.]+% of (\d+) → .* of (\d+), lift .*, the truth \+30% is (inside|outside)")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.mark.slow
def test_the_readout_fills_beside_the_truth_and_for_you_is_found_ahead(tmp_path: Path) -> None:
    settings = {"RESONATE_DATA": str(tmp_path / "data"), "RESONATE_PORT": str(free_port()), "PYTHONUNBUFFERED": "1"}
    command = [str(Path(sys.executable).with_name("resonate")), "demo"]
    with subprocess.Popen(command, env=os.environ | settings, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as demo:
        try:
            assert demo.stdout is not None
            with ended_when_hung(demo, 20 * HUNG_SECONDS):
                readouts = (match for line in demo.stdout if (match := LINE.search(line)))
                first, second = next(readouts), next(readouts)
                assert int(second[1]) + int(second[2]) > int(first[1]) + int(first[2]) > 0
                assert any(AHEAD.search(line) for line in demo.stdout), "it ended, or was ended, before"
        finally:
            demo.send_signal(signal.SIGINT)
            assert demo.wait(timeout=HUNG_SECONDS) == 0
    data = tmp_path / "data"
    assert [path for path in (data, *data.rglob("*")) if path.lstat().st_mode & 0o077] == []


@pytest.mark.slow
def test_a_run_over_the_data_of_an_earlier_one_goes_on_with_whoever_comes_next(tmp_path: Path) -> None:
    settings = {"RESONATE_DATA": str(tmp_path / "data"), "RESONATE_PORT": str(free_port()), "PYTHONUNBUFFERED": "1"}
    came, units = [0], [0]
    for _ in range(2):
        command = [str(Path(sys.executable).with_name("resonate")), "demo", "--seed", "2"]
        with subprocess.Popen(command, env=os.environ | settings, stdout=subprocess.PIPE, text=True) as demo:
            try:
                assert demo.stdout is not None
                with ended_when_hung(demo, 10 * HUNG_SECONDS):
                    seen = next(found for line in demo.stdout if (found := LINE.search(line)))
                units.append(int(seen[1]) + int(seen[2]))
            finally:
                demo.send_signal(signal.SIGINT)
                assert demo.wait(timeout=HUNG_SECONDS) == 0
        came.append(json.loads((tmp_path / "data" / "crowd.json").read_text())[1])
    new = came[2] - came[1]
    assert new > 0
    assert units[2] - units[1] > new / 2  # the first readout of a run may be behind its last visits
