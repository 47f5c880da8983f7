"""What the HTTP protocol costs a request, in CPU time, against another checkout of this repository, interleaved.

    python -m benchmarks.wire OTHER_CHECKOUT [ROUNDS]

Each checkout runs its own protocol in a process of its own, over a transport without a kernel and an application that
answers at once, so that nothing but the protocol is measured. A round asks both, in turns; the table has the medians of
CPU µs per request, and the median of the rounds' ratios (this checkout to the other one) with its quartiles.
"""

import asyncio
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

REQUESTS = 4_000
ROUNDS = 60
BODY = b'{"context":{"targetingKey":"v1","device":"mobile","country":"SK","cart_value":12.5}}'
HEAD = (
    b"POST /ofrep/v1/evaluate/flags/experiment-0 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: python-httpx/0.28\r\n"
    b"Accept: */*\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\nAuthorization: Bearer pk_benchmark\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)
)
GET = b"GET /healthz HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: curl/8\r\nAccept: */*\r\n\r\n"
CASES = {"POST, the short way": (HEAD + BODY,), "POST in two pieces": (HEAD, BODY), "GET": (GET,)}


class Application:
    """Answers everything at once: whole by the short way, by ASGI else."""

    class Answer:
        status, body = 200, b'{"key":"experiment-0","reason":"SPLIT","variant":"b"}'

    headers = ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(Answer.body)))

    def answer_whole(self, scope: Any, body: bytes) -> Any:
        return self.Answer, self.headers

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.Answer.body})


class Nowhere(asyncio.Transport):
    """A transport whose other end takes everything."""

    def write(self, data: Any) -> None: ...

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def serve() -> None:
    """A case's name a line, answered by the CPU µs that its requests took each."""
    from uvicorn.server import ServerState

    from app.serving.server import server_config

    config = server_config(Application(), lifespan="off")
    config.load()
    make: Any = config.http_protocol_class
    for line in sys.stdin:
        protocol = make(config=config, server_state=ServerState(), app_state={})
        protocol.connection_made(Nowhere())
        started = time.process_time()
        for _ in range(REQUESTS):
            for piece in CASES[line.strip()]:
                protocol.data_received(piece)
                await asyncio.sleep(0)
            if protocol.cycle is not None:
                while not protocol.cycle.response_complete:
                    await asyncio.sleep(0)
        print((time.process_time() - started) / REQUESTS * 1e6, flush=True)


def main() -> None:
    """Starts both, asks in turns, prints the table."""
    other = Path(sys.argv[1]).resolve()
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS
    servers = {
        folder: subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).resolve()), "serve"],
            env={"PYTHONPATH": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for folder in (Path(__file__).resolve().parents[1], other)
    }

    def asked(server: "subprocess.Popen[str]", case: str) -> float:
        assert server.stdin is not None
        assert server.stdout is not None
        print(case, file=server.stdin, flush=True)
        return float(server.stdout.readline())

    print(f"{'case':24} {'here µs':>8} {'there µs':>9} {'ratio':>6}  quartiles")
    for case in CASES:
        measured: list[list[float]] = []
        for number in range(rounds):
            order = list(servers.values())[:: 1 if number % 2 else -1]
            found = [asked(server, case) for server in order]
            measured.append(found if number % 2 else found[::-1])
        ratios = statistics.quantiles([here / there for here, there in measured], n=4)
        here, there = (statistics.median(side) for side in zip(*measured, strict=True))
        print(f"{case:24} {here:8.2f} {there:9.2f} {ratios[1]:6.3f}  {ratios[0]:.3f} to {ratios[2]:.3f}")
    for server in servers.values():
        server.terminate()


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        import uvloop

        uvloop.run(serve())
    else:
        main()
