"""Measures what RESONATE_STORE_REPLICAS=1 costs: appends with and without it, in turns on one primary and its replica.

    python -m benchmarks.replicas [--seconds 2] [--rounds 5] [--data FOLDER]

Both servers are on this machine and fsync every write, on one disk: the worst case for a disk, the best for a network.
"""

import argparse
import asyncio
import statistics
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from benchmarks.ingest import events_of, throughput
from events.ingest.stream import Stream
from events.store.connection import connect
from events.store.process import store_binary

OPTIONS = ("--appendonly", "yes", "--appendfsync", "always", "--save", "", "--repl-diskless-sync-delay", "0")


@contextmanager
def server(folder: Path, name: str) -> Generator[str]:
    """A server on a socket of its own, and on a port for its replica."""
    (folder / name).mkdir()
    socket = folder / f"{name}.sock"
    port = {"primary": 46_379, "replica": 46_380}[name]
    command = [str(store_binary()), "--port", str(port), "--unixsocket", str(socket), "--dir", str(folder / name)]
    with subprocess.Popen([*command, *OPTIONS], stdout=subprocess.DEVNULL) as process:
        try:
            yield f"unix://{socket}"
        finally:
            process.kill()


def follow(folder: Path) -> None:
    """Makes the one the other's replica, and waits until it follows."""
    with Redis(unix_socket_path=str(folder / "primary.sock")) as primary:
        while True:
            try:
                with Redis(unix_socket_path=str(folder / "replica.sock")) as replica:
                    replica.execute_command("REPLICAOF", "127.0.0.1", 46_379)
                primary.set("written", 1)
                if (primary.execute_command("WAITAOF", 1, 1, 500) or (0, 0))[1] == 1:
                    return
            except (RedisError, OSError):
                time.sleep(0.1)


async def measured(url: str, seconds: float, rounds: int) -> list[tuple[float, float]]:
    """Events a second without and with a wait for one replica, a pair for each round."""
    connections = [await connect(url, replicas=replicas) for replicas in (0, 1)]
    streams = [Stream(connection) for connection in connections]
    first, pairs = 0, list[tuple[float, float]]()
    for _ in range(rounds):
        found: list[float] = []
        for stream in streams:

            async def send(request: int, stream: Stream = stream) -> int:
                return (await stream.append(events_of(request))).stored

            rate, first = await throughput(send, first, seconds)
            found.append(rate)
            await connections[0].ask("DEL", "{0}:events")
        pairs.append((found[0], found[1]))
    for stream in streams:
        await stream.close()
    for connection in connections:
        await connection.close()
    return pairs


def main() -> None:
    """Prints the events a second of each round and the median ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", type=Path, default=None)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=told.data) as name:
        folder = Path(name)
        with server(folder, "primary") as url, server(folder, "replica"):
            follow(folder)
            pairs = asyncio.run(measured(url, told.seconds, told.rounds))
    for without, waited in pairs:
        print(f"{without:10,.0f} events/s without, {waited:10,.0f} with one replica: {waited / without:.2f}")
    ratios = sorted(waited / without for without, waited in pairs)
    print(f"ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
