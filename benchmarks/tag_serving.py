"""CPU time of `/resonate.js` against that of `/api/features`: same key, same payload, one worker, asked in turn.

    python -m benchmarks.tag_serving [ROUNDS [SECONDS]]

Three times: as it is, as gzip, and where the caller holds it (304). The table has the medians of CPU µs per request,
and of the rounds' ratios with their quartiles; the aim is 1.2 at most.
"""

import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil

from benchmarks.http import Case, definitions, free_port, measure, wait_for
from events.store.embedded import EmbeddedStore
from experiments.catalog.publisher import CatalogKeeper

SCRIPT = Case("/resonate.js", "ours", "/resonate.js?key=pk_benchmark")
FEATURES = Case("/api/features", "ours", "/api/features/pk_benchmark")


def asked_as(case: Case, port: int, way: str) -> Case:
    """The same request, in one of the three ways."""
    lines = ['wrk.headers["Accept-Encoding"] = "gzip"'] if way == "gzip" else []
    if way == "304":
        etag = httpx.get(f"http://127.0.0.1:{port}{case.path}", headers={"Accept-Encoding": "identity"}).headers["etag"]
        lines.append(f"wrk.headers[\"If-None-Match\"] = '{etag}'")
    return replace(case, script="\n".join(lines))


def run(port: int, process: psutil.Process, rounds: int, seconds: float) -> None:
    """Asks for both in turns, and prints the table."""
    print(f"{'way':8} {'/resonate.js µs':>16} {'/api/features µs':>17} {'ratio':>6}  quartiles", flush=True)
    for way in ("plain", "gzip", "304"):
        cases = [asked_as(case, port, way) for case in (SCRIPT, FEATURES)]
        found: list[list[float]] = []
        for number in range(rounds + 1):  # the first warms up
            order = (0, 1) if number % 2 else (1, 0)
            cpu = {place: measure(cases[place], port, process, seconds).cpu for place in order}
            found.append([cpu[0], cpu[1]])
        ratios = statistics.quantiles([script / features for script, features in found[1:]], n=4)
        script, features = (statistics.median(each) for each in zip(*found[1:], strict=True))
        spread = f"{ratios[0]:.3f} to {ratios[2]:.3f}"
        print(f"{way:8} {script:16.1f} {features:17.1f} {ratios[1]:6.3f}  {spread}", flush=True)


def main() -> None:
    """The whole run."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 1.0
    with tempfile.TemporaryDirectory() as folder:
        data, port, written = Path(folder) / "data", free_port(), Path(folder) / "definitions"
        data.mkdir(mode=0o700)
        definitions(written)
        CatalogKeeper(written, data, lambda: datetime.now(UTC)).boot()
        store = EmbeddedStore(data)
        store.start()
        worker = subprocess.Popen([sys.executable, "-m", "benchmarks.http_servers", "ours", str(port), str(data)])
        try:
            wait_for(port)
            run(port, psutil.Process(worker.pid), rounds, seconds)
        finally:
            worker.terminate()
            worker.wait()
            store.stop()


if __name__ == "__main__":
    main()
