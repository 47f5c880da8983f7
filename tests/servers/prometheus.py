"""Prometheus and its promtool, where the machine has them (Debian's `prometheus`): it reads from a service."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from servers.patience import until
from servers.stores import free_port

PATHS: Final = f"{os.environ.get('PATH', '')}:/usr/bin:/usr/local/bin"
PROMTOOL: Final = shutil.which("promtool", path=PATHS)
PROMETHEUS: Final = shutil.which("prometheus", path=PATHS)
needed = pytest.mark.skipif(
    PROMTOOL is None or PROMETHEUS is None, reason="Debian's prometheus is missing: make test-tools installs it as root"
)


def promtool(*arguments: str, told: str = "") -> subprocess.CompletedProcess[str]:
    """What promtool says."""
    assert PROMTOOL is not None
    return subprocess.run([PROMTOOL, *arguments], input=told, text=True, capture_output=True, check=False)


class Prometheus:
    """A server that scrapes a service once a second."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, **query: str) -> Any:
        """The data of an answer of its API."""
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=query, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def found(self, query: str) -> list[dict[str, Any]]:
        """What a query finds now."""
        return self.ask("query", query=query)["result"]


@contextmanager
def scraping(folder: Path, target: str, rules: Path) -> Iterator[Prometheus]:
    """One that has scraped `target` (host:port) at least twice, with the alerts of a file."""
    port = free_port()
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": [{"job_name": "resonate", "static_configs": [{"targets": [target]}]}],
    }
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "prometheus.yml"
    file.write_text(json.dumps(configuration))
    assert PROMETHEUS is not None
    options = (f"--config.file={file}", f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([PROMETHEUS, *options], stdout=log, stderr=log)
    server = Prometheus(f"http://127.0.0.1:{port}")
    try:

        def scraped_twice() -> bool:
            try:
                ready = httpx.get(f"{server.url}/-/ready", timeout=10).status_code == 200  # 503 while it starts
            except httpx.HTTPError:
                return False
            return ready and bool(server.found("count_over_time(up[1m]) >= 2"))

        until(scraped_twice, "Prometheus has scraped twice", tell=lambda: (folder / "log").read_text()[-2_000:])
        yield server
    finally:
        process.terminate()
        process.wait(60)
