"""Official JavaScript clients, run in Node with what a test hands them; skipped aloud where they are not there."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
SCRIPTS = Path(__file__).parent / "clients"
PATIENCE_SECONDS = 90.0


def start(script: str, given: Any) -> "subprocess.Popen[str]":
    """A script of `clients/` with this as JSON in its arguments; it writes a line of JSON for each thing it tells."""
    if shutil.which("node") is None or not (REPOSITORY / "node_modules" / ".installed").exists():
        pytest.skip("the JavaScript clients are not installed here: make node_modules/.installed")
    command = ["node", "--experimental-eventsource", "--no-warnings", str(SCRIPTS / script), json.dumps(given)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=REPOSITORY, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def ran(script: str, given: Any) -> Any:
    """What a script tells last."""
    with start(script, given) as process:
        output, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, errors
    return json.loads(output.splitlines()[-1])


def line(process: "subprocess.Popen[str]") -> Any:
    """The next thing that a running script tells."""
    assert process.stdout is not None
    said = process.stdout.readline()
    assert said, process.stderr.read() if process.stderr else ""
    return json.loads(said)
