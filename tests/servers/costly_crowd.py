"""Eight connections that repeat one costly request, in a process of their own, and those who call beside them."""

import http.client
import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from servers.service import LIMITS, PUBLISHABLE_KEY, Service
from worlds.costly_requests import Costly

from app.runtime.settings import Settings

EAGER = 8  # connections
CROWD = "127.0.0.66"  # their network
PAGE, BACKEND, PROBE = "127.0.0.3", "127.0.0.5", "127.0.0.4"  # those of others
DEFAULTS = {name: str(Settings.model_fields[name.removeprefix("RESONATE_").lower()].default) for name in LIMITS}
FLAG = "/ofrep/v1/evaluate/flags/experiment-0"
QUESTION = {"context": {"targetingKey": "v", "resonate.expose": False}}


def client(service: Service, network: str, key: str | None) -> httpx.Client:
    """Whoever calls from this network."""
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    transport = httpx.HTTPTransport(local_address=network)
    return httpx.Client(base_url=service.url, headers=headers, timeout=20, transport=transport)


@contextmanager
def repeating(service: Service, costly: Costly) -> Iterator[None]:
    """Eight connections of one network that ask for nothing else, in a process of their own."""
    asking = multiprocessing.get_context("spawn").Process(target=repeat, args=(service.port, costly), daemon=True)
    asking.start()
    try:
        yield
    finally:
        asking.terminate()
        asking.join()


def repeat(port: int, costly: Costly) -> None:
    """The same request on each connection, as soon as the one before is answered, until the process ends."""
    method = "GET" if costly.body is None else "POST"
    lines = [f"{method} {costly.path} HTTP/1.1", "Host: x", f"Content-Length: {len(costly.body or b'')}"]
    lines += [f"{name}: {value}" for name, value in costly.headers.items()]
    lines += [f"Authorization: Bearer {PUBLISHABLE_KEY}"] if costly.keyed else []
    whole = "\r\n".join([*lines, "", ""]).encode() + (costly.body or b"")

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, source_address=(CROWD, 0))
        connection.connect()
        while True:
            connection.sock.sendall(whole)
            answer = http.client.HTTPResponse(connection.sock, method=method)
            answer.begin()
            answer.read()

    crowd = [threading.Thread(target=ask) for _ in range(EAGER)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
