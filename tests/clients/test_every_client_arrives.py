"""What every official client sends is stored: so many events in, so many rows out, with the same ids and amounts."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from clients.exports import rows_of
from clients.pages import run_in_browser
from clients.table import CLIENTS, Row, rows
from servers.chromium import NO_CHROMIUM, has_chromium
from servers.javascript import WITHOUT, has_packages, node
from servers.patience import HUNG_SECONDS
from servers.proxies import PLACES
from servers.service import PUBLISHABLE_KEY, SECRET_KEY, Service, running
from servers.tls import behind_tls

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("clients")]
HERE = Path(__file__).parent
FILES = {
    "banner.yaml": "key: banner\nstatus: running\nvariants: [control, threshold]\ngoal: purchase_rate\n",
    "colours.yaml": "key: colours\nstatus: running\nvariants: [grey, blue]\ngoal: purchase_rate\n",
    "shop.yaml": "privacy: {default_consent: personal}\n",
}
TRUSTING = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
HTTP, HTTPS = "http", "https behind a proxy, under a path"
ROWS = rows((HTTP, HTTPS))


@dataclass
class Arrived:
    """What clients say went wrong and what the export has, by row; what was refused; why a language is left out."""

    errors: Mapping[str, Sequence[str]]
    visitors: Mapping[str, str | None]  # who a client says that it is
    exported: Mapping[str, Sequence[dict[str, Any]]]
    rejected: str
    skipped: Mapping[str, str]


def in_language(language: str, told: list[dict[str, Any]], trusted: Path) -> list[dict[str, Any]]:
    """What the runner of a language says became of its rows."""
    if language == "browser":
        return run_in_browser(told)
    if language == "python":
        command = [sys.executable, str(HERE / "python_clients.py")]
    else:
        command = [node(), str(HERE / "node_clients.mjs")]
    ran = subprocess.run(
        command, input=json.dumps(told), capture_output=True, text=True, timeout=HUNG_SECONDS, check=False,
        env=os.environ | (dict.fromkeys(TRUSTING, str(trusted)) if trusted.is_file() else {}),
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3_000:]
    return json.loads(ran.stdout)


def exported(service: Service) -> dict[str, list[dict[str, Any]]]:
    """All rows by the row of the table that they name, once nothing is pending."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows_of(service):
        traits = (row.get("context") or {}).get("traits") or {}  # where RudderStack's clients have them
        found.setdefault({**traits, **(row.get("properties") or {})}.get("row", ""), []).append(row)
    return found


def left_out() -> dict[str, str]:
    """The languages and addresses that cannot be tried here, and why."""
    found = {} if has_packages() else dict.fromkeys(("node", "browser"), WITHOUT)
    if not has_chromium():
        found["browser"] = NO_CHROMIUM
    if shutil.which("nginx", path=PLACES) is None:
        found[HTTPS] = "no nginx: `make test-tools` installs it by apt as root"
    return found


@pytest.fixture(scope="module")
def arrived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arrived]:
    """All rows of the table, run once: the languages side by side, each client started once."""
    skipped, folder = left_out(), tmp_path_factory.mktemp("clients")
    with contextlib.ExitStack() as stack:
        started = running(folder, FILES, RESONATE_WORKERS="1", RESONATE_TRUSTED_PROXIES="127.0.0.1")
        service = stack.enter_context(started)
        pool, trusted = stack.enter_context(ThreadPoolExecutor()), folder
        addresses = {HTTP: service.url}
        if HTTPS not in skipped:
            proxied = behind_tls(service.url.removeprefix("http://"), folder)
            addresses[HTTPS], trusted = stack.enter_context(proxied)
        told: dict[str, list[dict[str, Any]]] = {}
        for row in ROWS:
            if skipped.keys().isdisjoint((row.language, row.address)):
                each = row.told(addresses[row.address], PUBLISHABLE_KEY, SECRET_KEY)
                told.setdefault(row.language, []).append(each)
        runs: list[Future[list[dict[str, Any]]]] = [pool.submit(in_language, *each, trusted) for each in told.items()]
        said = [each for run in runs for each in run.result()]
        errors = {each["name"]: each["errors"] for each in said}
        visitors = {each["name"]: each.get("anonymousId") for each in said}
        found = exported(service)
        with service.client() as backend:
            metrics = backend.get("/metrics").text
        counted = [line for line in metrics.splitlines() if line.startswith('resonate_events_total{outcome="rejected"')]
        yield Arrived(errors, visitors, found, "\n".join(counted), skipped)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_a_client_sends_is_stored_with_its_ids_and_amounts(row: Row, arrived: Arrived) -> None:
    if not arrived.skipped.keys().isdisjoint((row.language, row.address)):
        pytest.skip(arrived.skipped.get(row.language) or arrived.skipped[row.address])
    assert arrived.errors[row.name] == []
    found = arrived.exported.get(row.name, [])
    assert len(found) == row.sent, sorted(str(each.get("event", each["type"])) for each in found)
    assert {each["visitor_id"] for each in found} == {row.visitor or arrived.visitors[row.name]}
    assert {each.get("user_id") for each in found} <= {None, row.user}
    assert sum(each["value"] for each in found if each.get("event") == "Order Completed") == row.revenue


def test_nothing_of_it_was_refused(arrived: Arrived) -> None:
    assert arrived.rejected.endswith("} 0") or arrived.rejected == "", arrived.rejected


def test_every_language_has_a_runner() -> None:
    assert {language for language, _ in CLIENTS.values()} == {"python", "node", "browser"}
