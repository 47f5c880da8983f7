"""The pages of the runbook as somebody follows them: commands in order, each with what it is said to print."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from servers.patience import HUNG_SECONDS
from servers.service import SECRET_KEY, Service
from worlds.alerts import RUNBOOK

BLOCK = re.compile(r"^```sh\n(.*?)^```\n\n```text\n(.*?)^```", re.MULTILINE | re.DOTALL)


class Step(NamedTuple):
    """Commands, and the lines that they print (`*` stands for anything)."""

    commands: str
    printed: str


def steps_of(alert: str) -> Iterator[Step]:
    """Those of its page."""
    for commands, printed in BLOCK.findall((RUNBOOK / f"{alert}.md").read_text(encoding="utf-8")):
        yield Step(commands, printed)


def followed(alert: str, service: Service) -> list[str]:
    """What of the page does not hold for a service: commands that fail, lines that nothing prints."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    told = {"SERVICE": service.url, "SECRET_KEY": SECRET_KEY, "PATH": path, "COLUMNS": "200"}
    wrong: list[str] = []
    for step in steps_of(alert):
        done = subprocess.run(
            ["sh", "-ec", step.commands], env={**service.environment(), **told}, capture_output=True, text=True,
            timeout=HUNG_SECONDS, check=False,
        )  # fmt: skip
        lines = [line.strip() for line in done.stdout.splitlines()]
        said = f"$ {step.commands}{done.stdout[-1_500:]}{done.stderr[-500:]}"
        if done.returncode:
            wrong.append(f"{said}ended with {done.returncode}")
        wrong += [
            f"{said}has no line {line}"
            for line in map(str.strip, step.printed.splitlines())
            if not any(fnmatchcase(each, line.replace("[", "[[]")) for each in lines)
        ]
    return wrong
