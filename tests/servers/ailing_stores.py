"""The faults of a store of one's own: it refuses the login, reads its data, or fails over behind its address."""

import contextlib
import socket
import threading
from collections.abc import Iterator

from redis import Redis
from servers.patience import until
from servers.stage import Stage
from servers.stores import DURABLE, StoreServer, free_port


@contextlib.contextmanager
def external(stage: Stage) -> Iterator[None]:
    stage.store = StoreServer(stage.folder / "external").start()
    stage.service.variables["RESONATE_REDIS_URL"] = stage.store.url
    try:
        yield
    finally:
        stage.store.kill()


@contextlib.contextmanager
def login_refused(stage: Stage) -> Iterator[None]:
    assert stage.store is not None
    with Redis(port=stage.store.port, password="unknown-to-the-service") as store:
        store.config_set("requirepass", "unknown-to-the-service")
        store.client_kill_filter(_type="normal", skipme=True)
        try:
            yield
        finally:
            store.config_set("requirepass", "")


@contextlib.contextmanager
def loading(stage: Stage) -> Iterator[None]:
    """It starts anew, and reads what it holds for longer than the block lasts."""
    store = stage.store
    assert store is not None
    with Redis(port=store.port) as client:
        for number in range(2_000):
            client.set(f"ballast:{number}", "x")
    store.kill()
    store.options = (*DURABLE, "--key-load-delay", "50000")  # microseconds a key
    store.launch()
    try:
        yield
    finally:
        store.kill()
        store.options = DURABLE
        store.start()


@contextlib.contextmanager
def behind_one_address(stage: Stage) -> Iterator[None]:
    """A primary and its replica, both behind one address that leads to whichever is the primary."""
    stage.store = StoreServer(stage.folder / "primary").start()
    replica = StoreServer(stage.folder / "replica", (*DURABLE, "--replicaof", f"127.0.0.1 {stage.store.port}"))
    replica.start()
    address = Address(stage.store.port)
    stage.notes["replica"] = str(replica.port)
    stage.service.variables["RESONATE_REDIS_URL"] = f"redis://127.0.0.1:{address.port}"
    stage.notes["address"] = str(address.port)
    _addresses[address.port] = address
    with Redis(port=replica.port) as client:
        until(lambda: client.info("replication")["master_link_status"] == "up", "the replica follows")
    try:
        yield
    finally:
        address.close()
        stage.store.kill()
        replica.kill()


@contextlib.contextmanager
def failing_over(stage: Stage) -> Iterator[None]:
    """The primary is gone; its replica, which had all of it, is promoted when the block ends."""
    assert stage.store is not None
    replica = int(stage.notes["replica"])
    with Redis(port=stage.store.port) as client:
        client.execute_command("CLIENT", "PAUSE", "60000", "WRITE")
        client.wait(1, 10_000)
    stage.store.kill()
    try:
        yield
    finally:
        with Redis(port=replica) as client:
            client.execute_command("REPLICAOF", "NO", "ONE")
        _addresses[int(stage.notes["address"])].lead_to(replica)


class Address:
    """A port that passes every connection on to another one, which may change."""

    def __init__(self, leads_to: int) -> None:
        self.port = free_port()
        self._leads_to = leads_to
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def lead_to(self, port: int) -> None:
        self._leads_to = port
        for each in list(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()
        self.lead_to(self.port)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self._leads_to))
                except OSError:
                    near.close()
                    continue
                threading.Thread(target=self._pass_on, args=(near, far), daemon=True).start()

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        self._open |= {near, far}
        back = threading.Thread(target=self._copy, args=(far, near), daemon=True)
        back.start()
        self._copy(near, far)
        back.join()
        self._open -= {near, far}
        near.close()
        far.close()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while block := source.recv(65_536):
                sink.sendall(block)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


_addresses: dict[int, Address] = {}
