"""CPU time of the hot paths against other checkouts of this repository, in one interleaved run.

    python -m benchmarks.against CHECKOUT... [--rounds 20] [--seconds 1]

Each checkout runs its own worker in its own `.venv`, as the service runs it, over a store of its own; a round asks
all in an order of chance, by wrk. The table has the medians of CPU µs per request, and of the rounds' ratios (there to
here: how many requests a CPU second do here, where it does one there) with their quartiles. Another checkout of the
same commit says how much of a ratio is chance. A line with `token` proves its user here, and names it there.
"""

import argparse
import os
import random
import statistics
import subprocess
import tempfile
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import jwt
import psutil

from benchmarks.http import (
    CASES,
    CLIENT_CORES,
    CONTEXT,
    EVENT,
    STAMPED,
    Case,
    definitions,
    free_port,
    measure,
    post,
    post_anew,
    wait_for,
)

BOOT = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from experiments.catalog.publisher import CatalogKeeper
CatalogKeeper(Path(sys.argv[1]), Path(sys.argv[2]), lambda: datetime.now(UTC)).boot()
"""
SERVE = """
import os, sys
from pathlib import Path
try:
    from app.serving.server import DrainingServer, server_config
except ModuleNotFoundError:  # an older checkout
    from app.http.protocol import server_config
    from app.http.server import DrainingServer
from benchmarks.http_servers import ours
os.sched_setaffinity(0, {0})
config = server_config(ours(Path(sys.argv[2])), host="127.0.0.1", port=int(sys.argv[1]))
DrainingServer(config, lambda: None, drain_seconds=5).run()
"""
STORE = """
import sys
from pathlib import Path
from events.store.embedded import EmbeddedStore
store = EmbeddedStore(Path(sys.argv[1]), memory_bytes=4 << 30)
store.start()
print(store.pid, flush=True)
sys.stdin.read()
store.stop()
"""
SECRET = "k" * 32
KEY = "bench:HS256:a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s"
NOW = int(datetime.now(UTC).timestamp())
TOKEN = jwt.encode({"sub": "u-1", "aud": "resonate", "iat": NOW, "exp": NOW + 3_600}, SECRET, "HS256", {"kid": "bench"})
NAMED = CONTEXT % ',"user_id":"u-1"'
DURABLE = "OFREP single, durable exposure"
HOT = (
    *(case for case in CASES if case.name in {"OFREP single, targeting, no exposure", DURABLE, "batch of 20, ours"}),
    Case("one event", "ours", "/v1/track", STAMPED + post_anew(EVENT % 0)),
    Case(f"{DURABLE}, with a token", "ours", "/ofrep/v1/evaluate/flags/experiment-0", post(NAMED)),
)


@contextmanager
def worker(checkout: Path, root: Path) -> Generator[tuple[int, psutil.Process]]:
    """A worker of this checkout, and its port."""
    data = root / "data"
    data.mkdir(parents=True)
    definitions(root / "definitions")
    python = str(checkout / ".venv/bin/python")
    subprocess.run([python, "-c", BOOT, str(root / "definitions"), str(data)], cwd=checkout, check=True)
    store = subprocess.Popen(
        [python, "-c", STORE, str(data)], cwd=checkout, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert store.stdout is not None
    os.sched_setaffinity(int(store.stdout.readline()), CLIENT_CORES)
    port = free_port()
    command = [python, "-c", SERVE, str(port), str(data)]
    environment = {**os.environ, "PYTHONPATH": str(checkout), "RESONATE_USER_TOKEN_KEYS": KEY}
    process = subprocess.Popen(command, cwd=checkout, env=environment)
    try:
        wait_for(port)
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()
        store.communicate()  # the end of what it reads is its own


def run(checkouts: Sequence[Path], rounds: int, seconds: float) -> None:
    """Asks all, the first is here, and prints the table."""
    print(f"{'case':46} {'checkout':>20} {'µs':>8} {'ratio':>6}  quartiles", flush=True)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        sides = [running.enter_context(worker(each, Path(folder) / str(n))) for n, each in enumerate(checkouts)]
        for case in HOT:
            token = f'wrk.headers["X-Resonate-User"] = "{TOKEN}"\n' if case.name.endswith("token") else ""
            here = replace(case, script=case.script.replace("local made", f"{token}local made"))
            cases = [here, *[case] * (len(sides) - 1)]
            found: list[list[float]] = [[] for _ in sides]
            for _ in range(rounds):
                for side in random.sample(range(len(sides)), len(sides)):
                    found[side].append(measure(cases[side], *sides[side], seconds).cpu)
            for name, there in zip(["here", *map(str, checkouts[1:])], found, strict=True):
                ratios = statistics.quantiles([other / own for own, other in zip(found[0], there, strict=True)], n=4)
                spread = f"{ratios[1]:6.3f}  {ratios[0]:.3f} to {ratios[2]:.3f}"
                print(f"{case.name:46} {name:>20} {statistics.median(there):8.1f} {spread}", flush=True)


def main() -> None:
    """The whole run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", metavar="CHECKOUT", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=1.0)
    asked = parser.parse_args()
    checkouts = [Path(__file__).resolve().parents[1], *(each.resolve() for each in asked.checkouts)]
    run(checkouts, asked.rounds, asked.seconds)


if __name__ == "__main__":
    main()
