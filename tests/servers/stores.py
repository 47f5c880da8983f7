"""Real stores for the tests: a plain server, one behind TLS, and a cluster of three, all on loopback."""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from redis import Redis
from redis.exceptions import ConnectionError as ConnectionLost
from servers.patience import until

from events.store.process import store_binary

DURABLE = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
SLOTS = 16384
NODES = 3


def free_port() -> int:
    """A port that nobody listens on; below 55000, as a cluster's bus takes the port 10000 above."""
    for _ in range(100):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port < 55000:
            return port
    raise RuntimeError("no free port below 55000")


@dataclass
class StoreServer:
    """A running server; `restart` starts it again on the same port and folder."""

    folder: Path
    options: tuple[str, ...] = DURABLE
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> "StoreServer":
        self.launch()
        until(lambda: answers_ping(self.port) or self.process.poll() is not None, "the store answers")
        return self

    def launch(self) -> None:
        """Start without waiting."""
        self.folder.mkdir(parents=True, exist_ok=True)
        words = [str(store_binary()), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        self.process = subprocess.Popen(
            [*words, "--logfile", "server.log", *self.options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"


@dataclass
class StoreCluster:
    """Three primaries without replicas, all slots covered."""

    nodes: list[StoreServer]

    @property
    def url(self) -> str:
        return f"redis+cluster://127.0.0.1:{self.nodes[0].port}"

    def is_whole(self) -> bool:
        """Whether every node knows all nodes and every slot's owner."""
        clients = [Redis(port=node.port) for node in self.nodes]
        try:
            return all(sees_whole_cluster(client) for client in clients)
        finally:
            for client in clients:
                client.close()


def start_cluster(folder: Path, announced: Callable[[StoreServer], tuple[str, ...]] = lambda _: ()) -> StoreCluster:
    """Starts the nodes, shares the slots out and lets the nodes meet; `announced` are options of a node's own."""
    options = (*DURABLE, "--cluster-enabled", "yes", "--cluster-node-timeout", "1000")
    options += ("--cluster-require-full-coverage", "no")
    nodes = [StoreServer(folder / str(number), options) for number in range(NODES)]
    for node in nodes:
        node.options = (*node.options, *announced(node))
        node.start()
    clients = [Redis(port=node.port) for node in nodes]
    for number, client in enumerate(clients):
        first, last = number * SLOTS // NODES, (number + 1) * SLOTS // NODES - 1
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
        client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
    for node in nodes[1:]:
        clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", node.port)
    for client in clients:
        client.close()
    cluster = StoreCluster(nodes)
    until(cluster.is_whole, "the cluster is whole")
    return cluster


def sees_whole_cluster(client: Redis) -> bool:
    """Whether a node knows every node and every slot's owner."""
    state = client.cluster("info")
    slots = client.cluster("slots")
    return state["cluster_state"] == "ok" and len(slots) == NODES


def answers_ping(port: int) -> bool:
    """Whether a server answers on the port."""
    client = Redis(port=port, socket_timeout=1)
    try:
        return bool(client.ping())
    except (ConnectionLost, OSError):
        return False
    finally:
        client.close()


class Door:
    """An address in front of a plain server, which may be another one from some moment on; runs in a thread."""

    def __init__(self, server: StoreServer, context: ssl.SSLContext | None = None) -> None:
        self.port = free_port()
        self.server = server
        self._context = context
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> Self:
        self._thread.start()
        opening = asyncio.start_server(self._forward, "127.0.0.1", self.port, ssl=self._context)
        self._listening = asyncio.run_coroutine_threadsafe(opening, self._loop).result()
        return self

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._listening.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        except OSError:  # nobody is behind it
            writer.close()
            return
        try:
            with contextlib.suppress(OSError):
                await asyncio.gather(_copy(reader, behind_writer), _copy(behind_reader, writer))
        finally:
            writer.close()
            behind_writer.close()


class TlsDoor(Door):
    """TLS in front of a plain server, as the packaged server has none of its own."""

    def __init__(self, folder: Path, server: StoreServer) -> None:
        self.certificate = self_signed(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        super().__init__(server, context)

    @property
    def url(self) -> str:
        return f"rediss://127.0.0.1:{self.port}?ssl_ca_certs={self.certificate}"


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while block := await reader.read(65536):
        writer.write(block)
        await writer.drain()
    writer.close()


def self_signed(folder: Path) -> Path:
    """A certificate for 127.0.0.1 with its key, in one PEM file."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(address, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / "certificate.pem"
    path.write_bytes(pem + builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    return path
