"""Requests a second of the hot paths as ratios to FastAPI's hello world, all in one interleaved run.

`python -m benchmarks.http [ROUNDS [SECONDS]]`. Servers run on the first core, the client (wrk) on the others; a
round asks every case in turn over 32 connections. The table gives medians of throughput and of CPU time.
"""

import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil

from events.store.embedded import EmbeddedStore
from experiments.catalog.publisher import CatalogKeeper

CONNECTIONS = 32
CLIENT_CORES = sorted(os.sched_getaffinity(0) - {0}) or [0]
HEADERS = 'wrk.headers["Authorization"] = "Bearer pk_benchmark"\nwrk.headers["Content-Type"] = "application/json"\n'
TEN = [f"experiment-{number}" for number in range(10)]


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the table: which server, which requests, and the ratio to `against` that is aimed at."""

    name: str
    server: str
    path: str
    script: str = ""
    against: str = "hello world (FastAPI)"
    goal: float = 0.0
    events: int = 1


def post(body: str) -> str:
    """A wrk script that posts `body`, a Lua expression over the number `n`, for 4,096 visitors made beforehand."""
    return (
        'wrk.method = "POST"\n' + HEADERS + "local made, turn = {}, 0\n"
        "init = function() for n = 1, 4096 do made[n] = wrk.format(nil, nil, nil, " + body + ") end end\n"
        "request = function() turn = turn % 4096 + 1; return made[turn] end\n"
    )


def post_anew(body: str) -> str:
    """The same with every request made anew, for bodies that may not repeat."""
    return (
        'wrk.method = "POST"\n' + HEADERS + "local n = 0\n"
        "request = function() n = n + 1; return wrk.format(nil, nil, nil, " + body + ") end\n"
    )


EVENT = (
    """'{"type":"track","event":"Product Viewed","anonymousId":"v' .. n .. '","messageId":"' .. stamp .. n .. '-%d","""
    """"timestamp":"2026-11-22T00:00:00.000Z","properties":{"product_id":"sku-17","price":19.9,"category":"toys","""
    """"list":"home","position":3},"context":{"library":{"name":"analytics.js","version":"2.1"},"""
    """"page":{"url":"https://shop.example/p/17","path":"/p/17"},"locale":"sk-SK"}}'"""
)
BATCH = """'{"batch":[' .. """ + " .. ',' .. ".join(EVENT % index for index in range(20)) + """ .. ']}'"""
STAMPED = "local stamp = tostring(os.time()) .. tostring(math.random(1e9)) .. '-'\nmath.randomseed(os.time())\n"
CONTEXT = """'{"context":{"targetingKey":"v' .. n .. '","device":"mobile","country":"SK","cart_value":12.5%s}}'"""
FLAG = "/ofrep/v1/evaluate/flags/experiment-0"
NAMED = ",".join(f'"{key}"' for key in TEN)

CASES = (
    Case("hello world (FastAPI)", "hello", "/"),
    Case("OFREP single, targeting, no exposure", "ours", "/ofrep/v1/evaluate/flags/experiment-0",
         post(CONTEXT % ',"resonate.expose":false'), goal=2.5),
    Case("OFREP single, durable exposure", "ours", FLAG, post(CONTEXT % ""), goal=1.6),
    Case("OFREP single, exposure not stored", "unstored", FLAG, post(CONTEXT % "")),
    Case("durable / not durable", "ours", FLAG, post(CONTEXT % ""), against="OFREP single, exposure not stored",
         goal=0.7),
    Case("personalize, 10 experiments", "ours", "/v1/personalize",
         post("""'{"visitor_id":"v' .. n .. '","attributes":{"device":"mobile","cart_value":12.5}}'"""), goal=1.4),
    Case("personalize, 10 durable exposures", "ours", "/v1/personalize",
         post("""'{"visitor_id":"v' .. n .. '","attributes":{"device":"mobile","cart_value":12.5},"experiments":["""
              + NAMED + """]}'""")),
    Case("batch of 20, FastAPI models + XADD", "plain_batch", "/v1/batch", STAMPED + post_anew(BATCH), events=20),
    Case("batch of 20, ours", "ours", "/v1/batch", STAMPED + post_anew(BATCH),
         against="batch of 20, FastAPI models + XADD", goal=4.0, events=20),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measured:
    """One case in one round: requests a second, CPU µs of the server per request, p99 in ms."""

    rate: float
    cpu: float
    p99: float


def definitions(folder: Path) -> None:
    """Ten running experiments with targeting."""
    folder.mkdir(parents=True)
    for key in TEN:
        (folder / f"{key}.yaml").write_text(
            f"key: {key}\nstatus: running\n"
            "audience: {where: {device: {$in: [mobile, desktop]}, cart_value: {$lt: 50}}}\n"
            "variants:\n  - {key: control, payload: {banner: null}}\n  - {key: b, payload: {banner: Free shipping}}\n"
            "goal: purchase_rate\n"
        )


@contextmanager
def servers(data: Path) -> Generator[dict[str, tuple[int, psutil.Process]]]:
    """Every server on a port of its own, ready to be asked."""
    running: dict[str, tuple[int, psutil.Process]] = {}
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for name in dict.fromkeys(case.server for case in CASES):
            port = free_port()
            command = [sys.executable, "-m", "benchmarks.http_servers", name, str(port), str(data)]
            processes.append(subprocess.Popen(command))
            running[name] = (port, psutil.Process(processes[-1].pid))
        for port, _ in running.values():
            wait_for(port)
        yield running
    finally:
        for process in processes:
            process.terminate()
            process.wait()


def measure(case: Case, port: int, process: psutil.Process, seconds: float) -> Measured:
    """One run of wrk against one server."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(case.script)
        script.flush()
        chosen = ["-s", script.name] if case.script else []
        before = cpu_seconds(process)
        cores = ",".join(str(core) for core in CLIENT_CORES)
        command = ["taskset", "-c", cores, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--latency", *chosen,
                   f"http://127.0.0.1:{port}{case.path}"]  # fmt: skip
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        cpu = cpu_seconds(process) - before
    if "Non-2xx" in output:
        raise SystemExit(f"{case.name}: {output}")
    requests = int(re.findall(r"(\d+) requests in", output)[0])
    if not requests:
        raise SystemExit(
            f"{case.name}: not one request in {seconds:g} s; the machine is too busy, or the time too short"
        )
    rate = float(re.findall(r"Requests/sec:\s+([\d.]+)", output)[0])
    number, unit = re.findall(r"99%\s+([\d.]+)(\w+)", output)[0]
    return Measured(rate, cpu / requests * 1e6, float(number) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit])


def cpu_seconds(process: psutil.Process) -> float:
    """Of all its threads, to the nanosecond: the ticks of its times are a tenth of a window beside other work."""
    threads = Path(f"/proc/{process.pid}/task").glob("*/schedstat")
    return sum(int(each.read_text().split()[0]) for each in threads) / 1e9


def run(rounds: int, seconds: float) -> dict[str, list[Measured]]:
    """All cases in turn, `rounds` times."""
    results: dict[str, list[Measured]] = {case.name: [] for case in CASES}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        data.mkdir()
        definitions(Path(folder) / "definitions")
        CatalogKeeper(Path(folder) / "definitions", data, lambda: datetime.now(UTC)).boot()
        store = EmbeddedStore(data, memory_bytes=4 << 30)
        store.start()
        if store.pid is not None:  # the store stands for another machine: it may not take the server's core
            os.sched_setaffinity(store.pid, CLIENT_CORES)
        try:
            with servers(data) as running:
                for _ in range(rounds):
                    for case in CASES:
                        results[case.name].append(measure(case, *running[case.server], seconds))
                print(f"worker resident memory after the run: {running['ours'][1].memory_info().rss / 1e6:.0f} MB")
        finally:
            store.stop()
    return results


def table(results: dict[str, list[Measured]]) -> None:
    """Prints medians and ratios, of throughput and (the other way round) of CPU time."""
    print(f"{'case':40} {'req/s':>9} {'CPU µs':>8} {'p99 ms':>7} {'ratio':>6} {'by CPU':>7} {'goal':>5}")
    for case in CASES:
        pairs = list(zip(results[case.name], results[case.against], strict=True))
        rate = statistics.median(one.rate for one, _ in pairs)
        cpu = statistics.median(one.cpu for one, _ in pairs)
        p99 = statistics.median(one.p99 for one, _ in pairs)
        ratio = statistics.median(one.rate / other.rate for one, other in pairs)
        by_cpu = statistics.median(other.cpu / one.cpu for one, other in pairs)
        goal = f"{case.goal:.1f}" if case.goal else ""
        print(f"{case.name:40} {rate:9.0f} {cpu:8.1f} {p99:7.2f} {ratio:6.2f} {by_cpu:7.2f} {goal:>5}")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, seconds: float = 120.0) -> None:
    """Until something answers there."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            httpx.get(f"http://127.0.0.1:{port}/")
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"no server on port {port}")


def main() -> None:
    """The whole run."""
    if shutil.which("wrk") is None:
        raise SystemExit("the load generator is missing: apt-get install wrk")
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 3.0
    table(run(rounds, seconds))


if __name__ == "__main__":
    main()
