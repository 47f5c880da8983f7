"""Clients that generators make of our OpenAPI document: every route is there, every answer has its types."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from servers.javascript import REPOSITORY, node
from servers.patience import HUNG_SECONDS
from servers.service import SECRET_KEY, Service, running

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("generated clients")]
GENERATORS = REPOSITORY / ".venv/generators/bin"
WITHOUT = "no generator of Python clients: `make test-tools` installs it"
BESIDE_BYTES = r"Unsupported content type (?:application/x-ndjson|text/csv|application/vnd\.apache\.parquet)\s"
BANNER = "key: banner\nstatus: running\nvariants: [control, threshold]\ngoal: purchase_rate\n"
PROGRAM = """\
import type { paths } from "./api";

type Results = paths["/v1/experiments/{key}/results"]["get"]["responses"][200]["content"]["application/json"];
export const said = (results: Results): string => results.metrics[0].comparisons[0].sentence;
"""
PYTHON = """\
import sys
from resonate_client import AuthenticatedClient
from resonate_client.api.results import get_results

client = AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2])
print(get_results.sync(key="banner", client=client).metrics[0].comparisons[0].sentence)
"""


@dataclass(frozen=True, slots=True)
class Described:
    """A service, its description, and a folder that has it as `openapi.json`."""

    service: Service
    document: dict[str, Any]
    folder: Path


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Described]:
    folder = tmp_path_factory.mktemp("described")
    with running(folder, {"banner.yaml": BANNER}, RESONATE_WORKERS="1") as service:
        answer = httpx.get(f"{service.url}/openapi.json", timeout=HUNG_SECONDS)
        (folder / "openapi.json").write_bytes(answer.content)
        yield Described(service, answer.json(), folder)


def ran(folder: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=HUNG_SECONDS, check=False,
        env={"PATH": f"{GENERATORS}:/usr/local/bin:/usr/bin:/bin"},
    )  # fmt: skip


def compiled(folder: Path, program: str) -> str:
    """What `tsc --strict` says of a program beside the types that openapi-typescript makes; nothing is well."""
    (folder / "program.ts").write_text(program)
    tools = REPOSITORY / "node_modules"
    made = ran(folder, node(), tools / "openapi-typescript/bin/cli.js", "openapi.json", "--output", "api.d.ts")
    assert made.returncode == 0, made.stdout + made.stderr
    return ran(folder, node(), tools / "typescript/bin/tsc", "--strict", "--noEmit", "program.ts").stdout


def test_a_strict_program_of_typescript_reads_a_sentence_as_text(described: Described) -> None:
    assert compiled(described.folder, PROGRAM) == ""


@pytest.mark.parametrize(
    ("right", "wrong"), [(".sentence", ".sentance"), (": string", ": number"), ("key}/results", "key}/result")]
)
def test_a_program_that_misreads_the_answer_does_not_compile(described: Described, right: str, wrong: str) -> None:
    assert right in PROGRAM
    assert "error TS" in compiled(described.folder, PROGRAM.replace(right, wrong))


@pytest.fixture(scope="module")
def made(described: Described) -> tuple[Path, str]:
    """The Python client, and what its generator said."""
    generator = GENERATORS / "openapi-python-client"
    if not generator.is_file():
        pytest.skip(WITHOUT)
    folder = described.folder / "made"
    done = ran(described.folder, generator, "generate", "--path", "openapi.json", "--output-path", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout + done.stderr


def test_a_python_client_has_every_route_and_no_answer_is_left_out(
    described: Described, made: tuple[Path, str]
) -> None:
    folder, said = made
    names = {each["operationId"] for methods in described.document["paths"].values() for each in methods.values()}
    modules = {file.stem for file in folder.glob("*/api/*/*.py") if file.stem != "__init__"}
    assert modules == {re.sub(r"([A-Z])", r"_\1", name).lower() for name in names}
    warnings = re.split(r"^(?:WARNING|Unable)", said, flags=re.MULTILINE)[1:]
    assert [warning[:300] for warning in warnings if not re.search(BESIDE_BYTES, warning)] == []


def test_a_python_client_reads_a_sentence_of_a_running_service(described: Described, made: tuple[Path, str]) -> None:
    read = ran(made[0], GENERATORS / "python", "-c", PYTHON, described.service.url, SECRET_KEY)
    assert read.returncode == 0, read.stderr
    assert re.match(r"[A-Z].* .*[.]$", read.stdout)
