"""What the page's own modules answer, asked in node: the functions that need no page."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).parents[2] / "app" / "tag" / "source"


def asked_in_node(module: str, expression: str, given: Any) -> Any:
    """The JSON of an expression over `given` and `page`, all that a module of the tag exports."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node: the page's modules are asked in Chromium alone")
    script = (
        f"import * as page from {json.dumps((SOURCE / module).as_uri())};"
        "let text = ''; for await (const part of process.stdin) text += part;"
        f"const given = JSON.parse(text); process.stdout.write(JSON.stringify({expression}));"
    )
    command = [node, "--no-warnings", "--input-type=module", "--eval", script]
    return json.loads(
        subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=True).stdout
    )
