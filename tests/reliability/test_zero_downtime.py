"""A service is restarted behind clients that ask its probe, and none of them is refused or cut off."""

import http.client
import json
import threading
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import SMALLEST_DEFINITIONS
from oracles.proving import examples
from servers.patience import HUNG_SECONDS, until
from servers.service import SECRET_KEY, Service, write_definitions

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]

LAME_DUCK = "3"  # far longer than a probe takes to notice, on a busy machine too
CLIENTS = 8
BETWEEN_SECONDS = 0.05
HEADERS = {"authorization": f"Bearer {SECRET_KEY}", "content-type": "application/json"}
CUT_OFF = (ConnectionError, http.client.HTTPException, TimeoutError)


class Balancer:
    """Knows which of the services are ready, by asking each again and again; it sends nobody to another."""

    def __init__(self, services: list[Service]) -> None:
        self.ports = [service.port for service in services]
        self.ready = dict.fromkeys(self.ports, True)
        self.over = threading.Event()
        self.counted: Counter[str] = Counter()
        self.heard: set[str] = set()

    def probe(self, port: int) -> None:
        """Asks for as long as there are clients."""
        while not self.over.wait(BETWEEN_SECONDS):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HUNG_SECONDS)
            try:
                connection.request("GET", "/readyz")
                answer = connection.getresponse()
                self.heard.add(json.loads(answer.read())["status"])
                self.ready[port] = answer.status == 200
            except (*CUT_OFF, OSError):
                self.ready[port] = False
            finally:
                connection.close()

    def visit(self, number: int) -> None:
        """Assigns and tracks, on a connection that is kept as long as its service is ready, or on a new one each."""
        kept: http.client.HTTPConnection | None = None
        asked = 0
        while not self.over.is_set():
            asked += 1
            if kept is None or not self.ready[kept.port] or number % 2:
                if kept is not None:
                    kept.close()
                chosen = [port for port in self.ports if self.ready[port]]
                if not chosen:  # never: one of the two is there
                    self.counted["nobody"] += 1
                    continue
                kept = http.client.HTTPConnection("127.0.0.1", chosen[asked % len(chosen)], timeout=HUNG_SECONDS)
            kept = self.ask(kept, f"{number}-{asked}")
        if kept is not None:
            kept.close()

    def ask(self, connection: http.client.HTTPConnection, name: str) -> http.client.HTTPConnection | None:
        """One request; the connection, where it may be used again."""
        flag = {"context": {"targetingKey": name}}
        event = {"anonymousId": name, "event": "Product Viewed", "messageId": name}
        path, body = (
            ("/v1/track", event) if name[-1] in "02468" else ("/ofrep/v1/evaluate/flags/free-shipping-banner", flag)
        )
        try:
            connection.request("POST", path, json.dumps(body), HEADERS)
            answer = connection.getresponse()
            answer.read()
        except ConnectionRefusedError:
            self.counted["refused"] += 1
            return None
        except CUT_OFF:
            self.counted["reset"] += 1
            return None
        self.counted[str(answer.status)] += 1
        if answer.getheader("connection") == "close":
            connection.close()
            return None
        return connection


@contextmanager
def clients(services: list[Service]) -> Generator[Balancer]:
    balancer = Balancer(services)
    threads = [threading.Thread(target=balancer.probe, args=(port,)) for port in balancer.ports]
    threads += [threading.Thread(target=balancer.visit, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield balancer
    finally:
        balancer.over.set()
        for thread in threads:
            thread.join()


@pytest.fixture
def services(tmp_path: Path) -> Iterator[list[Service]]:
    """Two that share nothing."""
    made: list[Service] = []
    for name in ("left", "right"):
        folder = tmp_path / name
        variables = {"RESONATE_WORKERS": "1", "RESONATE_LAME_DUCK_SECONDS": LAME_DUCK}
        variables["RESONATE_MAX_CONNECTIONS_PER_NETWORK"] = "1000"
        definitions = write_definitions(folder / "definitions", SMALLEST_DEFINITIONS)
        made.append(Service(folder / "data", definitions, variables))
    try:
        yield [service.start() for service in made]
    finally:
        for service in made:
            service.end()


def test_no_client_that_asks_the_probe_is_refused_or_cut_off_by_restarts(services: list[Service]) -> None:
    """Two of them, twenty in `make prove`."""
    with clients(services) as balancer:
        for number in range(max(2, examples(1))):
            service = services[number % 2]
            answered = balancer.counted["200"]
            until(lambda: balancer.counted["200"] > answered + 50 and all(balancer.ready.values()), "both are used")  # noqa: B023
            assert service.stop() == 0
            service.start()
    print(dict(balancer.counted), balancer.heard)
    assert balancer.heard >= {"ready", "draining"}
    assert set(balancer.counted) == {"200"}
