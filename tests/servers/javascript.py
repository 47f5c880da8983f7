"""JavaScript for the tests: node with the locked packages, and bundles of them for pages; skipped aloud without npm."""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from servers.patience import HUNG_SECONDS

REPOSITORY = Path(__file__).parents[2]
WITHOUT = "no node with the locked packages: `make node_modules/.installed` gets them by npm"


def has_packages() -> bool:
    """Whether node is there, and what npm installs."""
    return shutil.which("node") is not None and (REPOSITORY / "node_modules/esbuild").is_dir()


def node() -> str:
    """Where node is; skips the test where it, or what npm installs, is missing."""
    if not has_packages():
        pytest.skip(WITHOUT)
    return shutil.which("node") or ""


def run_module(code: str, given: Any = None, *, timeout: float = HUNG_SECONDS) -> Any:
    """What a module writes to its standard output as JSON, given JSON on its standard input."""
    ran = subprocess.run(
        [node(), "--input-type=module", "-e", code], input=json.dumps(given), cwd=REPOSITORY, capture_output=True,
        text=True, timeout=timeout, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3_000:]
    return json.loads(ran.stdout)


@cache
def bundled(code: str, name: str = "", *, loader: str = "js") -> str:
    """A module with all that it imports, from node_modules or the tree, as one script; `name` holds its exports."""
    options = ["--bundle", "--log-level=error", "--platform=browser", f"--loader={loader}", "--charset=utf8",
               f"--format={'iife' if name else 'esm'}", '--define:process.env.NODE_ENV="production"']  # fmt: skip
    named = [f"--global-name={name}"] if name else []
    node()
    ran = subprocess.run(
        [str(REPOSITORY / "node_modules/.bin/esbuild"), *options, *named], input=code, cwd=REPOSITORY,
        capture_output=True, text=True, timeout=HUNG_SECONDS, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3_000:]
    return ran.stdout
