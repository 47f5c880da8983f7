"""Every operation of `/docs` is called as it says there, by curl, JavaScript and Python, against a real service."""

import contextlib
import io
import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from servers.javascript import run_module
from servers.patience import HUNG_SECONDS
from servers.service import PUBLISHABLE_KEY, SECRET_KEY, Service, running

from app.glossary.calls import WrittenCall, call_of, key_needed
from app.keys.scopes import OPEN

pytestmark = pytest.mark.xdist_group("calls")
FILES = {
    "free-shipping-banner.yaml": """
key: free-shipping-banner
status: running
holdouts: [q1-global]
variants: [control, threshold]
goal: purchase_rate
""",
    "holdouts.yaml": "q1-global: {share: 5%, start: 2026-01-01}\n",
}
STREAMS = {"streamFlagChanges", "streamGrowthBookFeatures"}  # they go on; their own tests read them
NOWHERE = {
    "deleteShare",
    "getSharedReport",
    "getTagLibrary",
    "getTagParts",
    "getSurvey",
    "answerSurvey",
}  # their examples name what nobody made
DONE_ALREADY = {"startExperiment", "resumeExperiment", "shipExperiment", "stopExperiment", "pauseExperiment"}
NODE = """
import { readFileSync } from "node:fs";
const { values, calls } = JSON.parse(readFileSync(0, "utf8"));
const AsyncFunction = (async () => {}).constructor, asked = fetch, found = {};
for (const [name, text] of Object.entries(calls)) {
  globalThis.fetch = async (...told) => {
    const answer = await asked(...told);
    found[name] = answer.status;
    return answer;
  };
  await new AsyncFunction("SERVICE", "PUBLISHABLE_KEY", "SECRET_KEY", "console", text)(...values, { log() {} });
}
console.log(JSON.stringify(found));
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("calls")
    journal = str(folder / "erasures")
    with running(folder, FILES, RESONATE_WORKERS="1", RESONATE_ERASURE_JOURNAL=journal) as found:
        yield found


@pytest.fixture(scope="module")
def document(service: Service) -> dict[str, Any]:
    return httpx.get(f"{service.url}/openapi.json", timeout=HUNG_SECONDS).json()


@pytest.fixture(scope="module")
def calls(document: dict[str, Any]) -> dict[str, WrittenCall]:
    """The calls by the names of their operations; what ends something comes last."""
    every = [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if operation["operationId"] not in STREAMS
    ]
    every.sort(key=lambda each: (each[0] == "delete", each[2]["operationId"] in DONE_ALREADY))
    return {operation["operationId"]: call_of(method, path, operation) for method, path, operation in every}


def unexpected(statuses: dict[str, int]) -> dict[str, int]:
    """The statuses that are no success, of operations whose examples ought to be one."""
    return {
        name: status
        for name, status in statuses.items()
        if not (200 <= status < 300 or (status == 404 and name in NOWHERE) or (status == 409 and name in DONE_ALREADY))
    }


def test_every_call_of_python_is_answered(service: Service, calls: dict[str, WrittenCall]) -> None:
    statuses: dict[str, int] = {}
    for name, call in calls.items():
        names: dict[str, Any] = {"SERVICE": service.url, "PUBLISHABLE_KEY": PUBLISHABLE_KEY, "SECRET_KEY": SECRET_KEY}
        with contextlib.redirect_stdout(io.StringIO()):
            exec(call.python, names)
        statuses[name] = names["answer"].status_code
    assert len(statuses) > 75
    assert unexpected(statuses) == {}


def test_every_call_of_javascript_is_answered(service: Service, calls: dict[str, WrittenCall]) -> None:
    values = [service.url, PUBLISHABLE_KEY, SECRET_KEY]
    statuses = run_module(NODE, {"values": values, "calls": {name: call.javascript for name, call in calls.items()}})
    assert statuses.keys() == calls.keys()
    assert unexpected(statuses) == {}


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl: `make test-tools` installs it by apt as root")
def test_every_call_of_curl_is_answered(service: Service, calls: dict[str, WrittenCall]) -> None:
    named = {"SERVICE": service.url, "PUBLISHABLE_KEY": PUBLISHABLE_KEY, "SECRET_KEY": SECRET_KEY}
    ended = {
        name: subprocess.run(
            ["sh", "-ec", call.curl], env=os.environ | named, capture_output=True, timeout=HUNG_SECONDS, check=False
        ).returncode
        for name, call in calls.items()
    }
    refused = {name: code for name, code in ended.items() if code != 0}
    assert set(refused.values()) <= {22}
    assert refused.keys() <= NOWHERE | DONE_ALREADY


def test_a_call_shows_the_key_of_pages_wherever_pages_may_call(service: Service, document: dict[str, Any]) -> None:
    """What the table of keys says is what the service does: a key of pages is refused where it shows another one."""
    with httpx.Client(base_url=service.url, headers={"authorization": f"Bearer {PUBLISHABLE_KEY}"}) as client:
        for path, methods in document["paths"].items():
            for method in methods:
                shown = key_needed(method, path)
                assert (shown is None) == (path in OPEN)
                if shown is not None and "{" not in path and "stream" not in path:
                    refused = client.request(method, path).status_code == 403
                    assert refused == (shown == "SECRET_KEY"), (method, path)
