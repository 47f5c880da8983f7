"""What a regular look at all experiments costs the service: the list as it is known, and with all results read anew.

    python -m benchmarks.looks [EXPERIMENTS] [LOOKS]

A log of 100,000 events lies ready, EXPERIMENTS (20) run, and before each of LOOKS (20) a hundred events come. CPU time
of worker and analysis together, a look; below it what looks every five seconds and every ten minutes take of one core.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from servers.service import running

from app.webhooks.telling import GLANCE_SECONDS, READ_SECONDS
from benchmarks import readout_log
from benchmarks.known_readout import FILES, cpu_seconds

WAYS = {"known": GLANCE_SECONDS, "now": READ_SECONDS}


def main(experiments: int = 20, looks: int = 20) -> None:
    """Prints a line for each way of looking."""
    [text] = FILES.values()
    files = {f"banner-{n}.yaml": text.replace("key: banner", f"key: banner-{n}") for n in range(experiments)}
    with tempfile.TemporaryDirectory() as folder:
        readout_log.write(readout_log.LogPlan(100_000), Path(folder) / "data")
        with running(Path(folder), files, RESONATE_WORKERS="1") as service, service.client() as client:
            for way, every in WAYS.items():
                client.get("/v1/experiments", params={"results": way}).raise_for_status()
                spent = 0.0
                for look in range(looks):
                    batch = [
                        {"type": "page", "anonymousId": f"v-{n}", "messageId": f"{way}-{look}-{n}"} for n in range(100)
                    ]
                    client.post("/v1/batch", json={"batch": batch}).raise_for_status()
                    before = cpu_seconds(service)
                    client.get("/v1/experiments", params={"results": way}).raise_for_status()
                    spent += cpu_seconds(service) - before
                print(f"{way:6} CPU {1e3 * spent / looks:7.1f} ms, every {every:g} s: {spent / looks / every:.3%}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
