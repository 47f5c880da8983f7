"""Stores behind TLS: a CA, a client certificate, the host's name; one server and a cluster."""

import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from oracles.writing import record
from servers.authority import ELSEWHERE, Authority
from servers.stores import Door, StoreServer, start_cluster

from events.ingest.stream import Appended, Stream
from events.store.availability import StoreRefused, StoreUnavailable
from events.store.connection import connect

pytestmark = pytest.mark.anyio

OpenDoor = Callable[[StoreServer, Path, bool], Door]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def open_door(authority: Authority) -> Iterator[OpenDoor]:
    """Opens doors before servers: with a certificate, and with or without a wish for the client's."""
    with ExitStack() as opened:

        def open_one(server: StoreServer, certificate: Path, wants_client: bool) -> Door:
            door = Door(server, authority.context(certificate, wants_client=wants_client)).start()
            opened.callback(door.stop)
            return door

        yield open_one


async def stored(url: str) -> Appended:
    connection = await connect(url)
    stream = Stream(connection)
    try:
        await connection.prepare()
        return await stream.append([record("m-1")])
    finally:
        await stream.close()
        await connection.close()


async def refusal(url: str) -> str:
    with pytest.raises(StoreUnavailable) as refused:
        await stored(url)
    return refused.value.cause


@pytest.mark.parametrize("kind", ["server", "cluster"])
async def test_a_ca_and_a_client_certificate_open_a_server_and_a_cluster(
    kind: str, authority: Authority, open_door: OpenDoor, tmp_path: Path
) -> None:
    certificate, own = authority.signed("server"), authority.signed("client")
    query = f"ssl_ca_certs={authority.file}&ssl_certfile={own}&ssl_keyfile={own}"
    doors: list[Door] = []

    def announced(node: StoreServer) -> tuple[str, ...]:
        doors.append(open_door(node, certificate, True))
        return ("--cluster-announce-port", str(doors[-1].port), "--cluster-announce-bus-port", str(node.port + 10_000))

    if kind == "server":
        servers = [StoreServer(tmp_path / "store").start()]
        doors.append(open_door(servers[0], certificate, True))
    else:
        servers = start_cluster(tmp_path / "store", announced).nodes
    scheme = "rediss" if kind == "server" else "rediss+cluster"
    try:
        assert await stored(f"{scheme}://127.0.0.1:{doors[0].port}?{query}") == Appended(1, 0)
    finally:
        for server in servers:
            server.kill()


@contextmanager
def refusing(context: ssl.SSLContext) -> Iterator[int]:
    """The port of a server that shakes no hand, and says why, as asyncio's servers do not."""

    def shake_hands() -> None:
        with suppress(OSError):
            while True:
                raw, _ = listener.accept()
                with context.wrap_socket(raw, server_side=True, do_handshake_on_connect=False) as connection:
                    with suppress(ssl.SSLError):
                        connection.do_handshake()
                    with suppress(OSError):
                        while os.read(connection.fileno(), 1_000):
                            pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=shake_hands, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.mark.parametrize("kind", ["rediss", "rediss+cluster"])
async def test_a_client_without_the_certificate_that_is_wanted_hears_so(
    kind: str, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    with refusing(authority.context(authority.signed("server"), wants_client=True)) as port:
        assert await refusal(f"{kind}://127.0.0.1:{port}?ssl_ca_certs={authority.file}") == "store_login_refused"
    assert "alert certificate required" in caplog.text


@pytest.mark.parametrize("kind", ["rediss", "rediss+cluster"])
@pytest.mark.parametrize(
    ("place", "by", "reason"),
    [
        (ELSEWHERE, "own", "certificate is not valid for '127.0.0.1'"),
        (None, "another", "unable to get local issuer certificate"),
    ],
)
async def test_a_certificate_of_another_host_or_authority_is_refused_with_the_reason(  # noqa: PLR0913 - each is a case
    kind: str, place: object, by: str, reason: str, authority: Authority, open_door: OpenDoor,
    single_server: StoreServer, tmp_path: Path, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    signed = authority.signed("server", *([place] if place else []))  # type: ignore[list-item]
    trusted = authority if by == "own" else Authority(tmp_path / "another", "another")
    door = open_door(single_server, signed, False)
    assert await refusal(f"{kind}://127.0.0.1:{door.port}?ssl_ca_certs={trusted.file}") == "store_login_refused"
    assert reason in caplog.text


async def test_a_certificate_of_another_host_is_taken_where_the_address_says_so(
    authority: Authority, open_door: OpenDoor, single_server: StoreServer
) -> None:
    door = open_door(single_server, authority.signed("server", ELSEWHERE), False)
    url = f"rediss://127.0.0.1:{door.port}?ssl_ca_certs={authority.file}&ssl_check_hostname=false"
    assert (await stored(url)).stored + (await stored(url)).duplicates >= 1


async def test_a_server_without_tls_is_down_for_who_speaks_it(single_server: StoreServer, authority: Authority) -> None:
    url = f"rediss://127.0.0.1:{single_server.port}?ssl_ca_certs={authority.file}"
    assert await refusal(url) in {"store_down", "store_timeout"}


async def test_a_file_that_tls_cannot_use_is_refused_at_once(authority: Authority, tmp_path: Path) -> None:
    missing, text, own = tmp_path / "missing.pem", tmp_path / "text.pem", authority.signed("client")
    text.write_text("no certificate")
    for query, said in (
        (f"ssl_ca_certs={missing}", rf"ssl_ca_certs names {missing}, which cannot be read: No such file"),
        (f"ssl_certfile={own}&ssl_keyfile={missing}", rf"ssl_keyfile names {missing}"),
        (f"ssl_certfile={text}&ssl_keyfile={own}", rf"TLS cannot use ssl_certfile {text}"),
    ):
        for kind in ("rediss", "rediss+cluster"):
            with pytest.raises(StoreRefused, match=said):
                await connect(f"{kind}://127.0.0.1:1?{query}")
