"""`resonate demo` in front of a person: its first lines say what came of the test and where to look; it fills, tells
the truth beside the estimate, and stops when told.

How often an interval holds the truth is measured over many seeds, by the tests of simulations.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import httpx
import pytest
from servers.patience import HUNG_SECONDS, VAIN_SECONDS, ended_when_hung, until

from app.demo.past import EARLIER_DAYS, VISITORS_A_DAY
from app.demo.run import BANNER, PRODUCTS, sentence

LINE = re.compile(r"([\d,]+) visitors, ([\d,]+) bought\. .*The truth, 30% higher, is (inside|outside)\.")
NAMES = ["Look", "Shop", "Docs"]


@contextmanager
def demo(folder: Path, *options: str) -> Generator[IO[str]]:
    """What the demo says, until the block ends; then it stops when told, with 0."""
    settings = {"RESONATE_DATA": str(folder / "data"), "RESONATE_PORT": "0"}
    command = [str(Path(sys.executable).with_name("resonate")), "demo", *options]
    with subprocess.Popen(command, env=os.environ | settings, stdout=subprocess.PIPE, text=True, cwd=folder) as started:
        try:
            assert started.stdout is not None
            with ended_when_hung(started, 20 * HUNG_SECONDS):
                yield started.stdout
        finally:
            started.send_signal(signal.SIGINT)
            assert started.wait(timeout=HUNG_SECONDS) == 0


def told(said: IO[str]) -> re.Match[str]:
    """The next line with the counts of the log."""
    return next(match for line in said if (match := LINE.search(line)))


def count(text: str) -> int:
    return int(text.replace(",", ""))


def results(folder: Path, key: str) -> dict[str, Any]:
    """What the demo's service answers of an experiment."""
    address = json.loads((folder / "data" / "run" / "address").read_text())["url"]
    secret = json.loads((folder / "data" / "keys.json").read_text())["secret"]
    headers = {"authorization": f"Bearer {secret}"}

    def answered() -> dict[str, Any] | None:
        answer = httpx.get(f"{address}/v1/experiments/{key}/results", headers=headers, timeout=VAIN_SECONDS)
        return answer.json() if answer.status_code == 200 else None  # a busy machine says when to ask again

    return until(answered, f"the readout of {key} is there") or {}


def looked_at(address: str) -> str:
    """A page of the demo's service, looked at again where it says that its numbers cannot be computed now."""

    def shown() -> str | None:
        page = httpx.get(address, timeout=VAIN_SECONDS)
        assert page.status_code in (200, 503), page.text
        return page.text if page.status_code == 200 else None

    return until(shown, "the report is shown") or ""


@pytest.mark.slow
@pytest.mark.xdist_group("demo")
def test_the_first_lines_say_what_came_of_it_and_where_a_chart_of_earlier_days_is(tmp_path: Path) -> None:
    with demo(tmp_path) as said:
        first, *others = [said.readline() for _ in range(5)]
        assert sentence(results(tmp_path, BANNER)).partition(":")[0] == first.partition(":")[0]
        places = dict(line.rstrip("\n").split(": ", 1) for line in others if ": " in line)
        assert [name for name in places if name in NAMES] == NAMES
        assert others[0].startswith("Look: http://127.0.0.1:")
        page = looked_at(places["Look"])
        days = set(re.findall(r'<th scope="row">(\d{4}-\d\d-\d\d)</th>', page))
        assert len(days) >= EARLIER_DAYS - 1  # of the first alone nothing may be known
        assert httpx.get(places["Shop"]).status_code == httpx.get(places["Docs"]).status_code == 200
        compared = results(tmp_path, BANNER)["metrics"][0]["comparisons"][0]
        assert sum(arm["units"] for arm in compared["arms"]) > 0.9 * EARLIER_DAYS * VISITORS_A_DAY
        levels = results(tmp_path, BANNER)["metrics"][0]["dimensions"]
        assert {level["level"] for level in levels} == {"desktop", "mobile", "tablet"}


@pytest.mark.slow
@pytest.mark.xdist_group("demo")
def test_the_readout_fills_beside_the_truth_and_for_you_is_found_ahead(tmp_path: Path) -> None:
    def ahead() -> bool:
        interval = results(tmp_path, PRODUCTS)["metrics"][0]["comparisons"][0]["ci"]
        return interval is not None and interval[0] > 0

    with demo(tmp_path) as said:
        first, second = told(said), told(said)
        assert count(second[1]) > count(first[1]) > EARLIER_DAYS * VISITORS_A_DAY / 2
        until(lambda: ahead() or not said.readline(), "for_you is found ahead", 10 * HUNG_SECONDS)
        assert ahead()
    data = tmp_path / "data"
    assert [path for path in (data, *data.rglob("*")) if path.lstat().st_mode & 0o077] == []


@pytest.mark.slow
@pytest.mark.xdist_group("demo")
def test_a_run_over_the_data_of_an_earlier_one_counts_that_too_and_goes_on_with_whoever_comes_next(
    tmp_path: Path,
) -> None:
    came, units = [0], [0]
    for _ in range(2):
        with demo(tmp_path, "--seed", "2") as said:
            units.append(count(told(said)[1]))
        came.append(json.loads((tmp_path / "data" / "crowd.json").read_text())[1])
    new = came[2] - came[1]
    assert new > 0
    assert units[2] - units[1] > new / 2  # the first readout of a run may be behind its last visits
