"""What clients, proxies and attackers send over one connection, and the statuses that are the right answers to it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from servers.one_worker import PUBLISHABLE

UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk\r\n"
SOCKET = b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
FLAG = b"/ofrep/v1/evaluate/flags/banner"
QUICK = b'{"context":{"targetingKey":"v","resonate.expose":false}}'
EVENT = b'{"anonymousId":"v","event":"Wished","messageId":"the-same-one"}'
BOOKS = b"/v1/track"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Request-Id: h\r\n"
LAST = HEALTH + b"Connection: close\r\n\r\n"
INSIDE = HEALTH + b"\r\n"  # a whole request, where a body is meant


@dataclass(frozen=True, slots=True)
class Stream:
    """The bytes of one connection, and the status of each answer, until it is closed."""

    name: str
    sent: bytes
    statuses: tuple[int, ...]


def post(
    path: bytes, body: bytes, more: bytes = b"", *, version: bytes = b"1.1", host: bytes = b"Host: a\r\n"
) -> bytes:
    """A POST with its length, as our clients send it; `more` stands before the length."""
    key = PUBLISHABLE.encode()
    head = b"POST %b HTTP/%b\r\n%bX-API-Key: %b\r\nX-Request-Id: r\r\n%b" % (path, version, host, key, more)
    return head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def chunked(
    path: bytes, body: bytes, more: bytes = b"", *, sizes: Sequence[int] = (7, 20), trailer: bytes = b""
) -> bytes:
    """The same in chunks."""
    head = post(path, b"", more + CHUNKED).replace(b"Content-Length: 0\r\n", b"")
    at, pieces = 0, b""
    for size in (*sizes, len(body)):
        piece = body[at : at + size]
        at += size
        if piece:
            pieces += b"%x\r\n%b\r\n" % (len(piece), piece)
    return head + pieces + b"0\r\n" + trailer + b"\r\n"


def asked() -> Iterator[Stream]:
    """Requests that are good, one or more, with all that may be said about another protocol."""
    for name, path, body in (("flag", FLAG, QUICK), ("event", BOOKS, EVENT), ("cold", b"/nowhere", QUICK)):
        good = 404 if name == "cold" else 200
        for kind, more in (("plain", b""), ("upgrade", UPGRADE), ("websocket", SOCKET), ("expect", b"Expect: 1\r\n")):
            one, parts = post(path, body, more), chunked(path, body, more)
            yield Stream(f"{name}, {kind}", one + LAST, (good, 200))
            yield Stream(f"{name}, {kind}, in chunks, then again", parts + one + LAST, (good, good, 200))
        closing = post(path, body, UPGRADE.replace(b"Connection: ", b"Connection: close, "))
        yield Stream(f"{name}, upgrade and close", closing + one, (good,))
        yield Stream(f"{name}, upgrade of 1.0", post(path, body, UPGRADE, version=b"1.0") + one, (good,))
        yield Stream(f"{name}, 1.0 without host", post(path, body, version=b"1.0", host=b""), (good,))
        yield Stream(
            f"{name}, 1.0 that is kept", post(path, body, b"Connection: keep-alive\r\n", version=b"1.0") + one, (good,)
        )
    inside = post(FLAG, INSIDE, UPGRADE)
    yield Stream("a request in the body of an upgrade", inside + LAST, (400, 200))
    yield Stream("a request in the chunks of an upgrade", chunked(FLAG, INSIDE, UPGRADE) + LAST, (400, 200))
    yield Stream("an upgrade without a body", HEALTH + UPGRADE + b"\r\n" + LAST, (200, 200))
    yield Stream("upgrades without bodies", (HEALTH + SOCKET + b"\r\n") * 3 + LAST, (200,) * 4)
    yield Stream("upgrade named, not connected", post(FLAG, QUICK, b"Upgrade: h2c\r\n") + LAST, (200, 200))
    yield Stream("upgrade connected, not named", post(FLAG, QUICK, b"Connection: Upgrade\r\n") + LAST, (200, 200))
    yield Stream("blank lines between", b"\r\n" + post(FLAG, QUICK) + b"\r\n\r\n" + LAST, (200, 200))
    yield Stream("nothing after the last", LAST + post(BOOKS, EVENT), (200,))
    yield Stream("rubbish after the last", LAST + b"\x16\x03\x01", (200,))
    last = b"Connection: close\r\n"
    yield Stream("nothing after the last event", post(BOOKS, EVENT, last) + post(FLAG, QUICK), (200,))
    yield Stream("nothing after the last flag", post(FLAG, QUICK, last) + post(FLAG, QUICK), (200,))
    steering = b"X-API-Key: wrong-key\r\nExpect: 100-continue\r\nHost: b\r\nContent-Encoding: br\r\n"
    yield Stream("trailers steer nothing", chunked(FLAG, QUICK, trailer=steering) + LAST, (200, 200))
    yield Stream(
        "a key in the trailer",
        chunked(FLAG, QUICK, trailer=steering).replace(PUBLISHABLE.encode(), b"none-such-key", 1) + LAST,
        (401, 200),
    )
    for host in (
        b"a.example:8000",
        b"127.0.0.1",
        b"[::1]:8000",
        b"[::1]",
        b"a_b",
        b"xn--bcher-kva.example",
        b"",
        b" a ",
    ):
        named = post(FLAG, QUICK, host=b"Host: %b\r\n" % host)
        yield Stream(f"a host {host.decode()}", named + LAST, (200, 200))
    yield Stream("an address with escapes", post(b"/v1/%74rack?a=%20b", EVENT) + LAST, (200, 200))
    yield Stream("an absolute address", post(b"http://b.example/v1/track", EVENT) + LAST, (200, 200))


def refused() -> Iterator[Stream]:
    """Heads of which two readers may think differently, alone and behind others that are answered first."""
    numbers = count()
    good = post(FLAG, QUICK)
    heads = {
        "length, then coding": post(FLAG, b"0\r\n\r\n").replace(b"\r\n\r\n", b"\r\n" + CHUNKED + b"\r\n", 1),
        "coding, then length": post(FLAG, b"0\r\n\r\n", CHUNKED),
        "coding, then no length": post(FLAG, b"", CHUNKED) + b"0\r\n\r\n",
        "upgrade, coding and length": post(FLAG, b"0\r\n\r\n", UPGRADE + CHUNKED),
        "two lengths": post(FLAG, QUICK, b"Content-Length: 3\r\n"),
        "the same length twice": post(FLAG, QUICK, b"Content-Length: %d\r\n" % len(QUICK)),
        "a list of lengths": post(FLAG, QUICK).replace(b"Length: 5", b"Length: 5, 5"),
        "a signed length": post(FLAG, QUICK).replace(b"Length: ", b"Length: +"),
        "no length": post(FLAG, QUICK).replace(b"Length: %d" % len(QUICK), b"Length: "),
        "two codings": chunked(FLAG, QUICK).replace(b"chunked", b"gzip, chunked"),
        "a coding twice": chunked(FLAG, QUICK, CHUNKED),
        "another coding": chunked(FLAG, QUICK).replace(b"chunked", b"gzip"),
        "no coding": chunked(FLAG, QUICK).replace(b"chunked", b"identity"),
        "a coding of 1.0": chunked(FLAG, QUICK).replace(b"HTTP/1.1", b"HTTP/1.0"),
        "an upgraded coding twice": chunked(FLAG, QUICK, UPGRADE).replace(b"chunked", b"gzip, chunked"),
        "no host": post(FLAG, QUICK, host=b""),
        "two hosts": post(FLAG, QUICK, host=b"Host: a\r\nhost: a\r\n"),
        "two hosts in one": post(FLAG, QUICK, host=b"Host: a, b\r\n"),
        "a host with a path": post(FLAG, QUICK, host=b"Host: a/b\r\n"),
        "a host with a user": post(FLAG, QUICK, host=b"Host: u@a\r\n"),
        "a host with a blank": post(FLAG, QUICK, host=b"Host: a b\r\n"),
        "a host with a tab": post(FLAG, QUICK, host=b"Host: a\tb\r\n"),
        "a host with a port that is none": post(FLAG, QUICK, host=b"Host: a:8x\r\n"),
        "a host with two ports": post(FLAG, QUICK, host=b"Host: a:80:81\r\n"),
        "a host of half a bracket": post(FLAG, QUICK, host=b"Host: [::1\r\n"),
        "a host in no known letters": post(FLAG, QUICK, host=b"Host: \xc3\xa9\r\n"),
        "a bad host of 1.0": post(FLAG, QUICK, host=b"Host: a b\r\n", version=b"1.0"),
        "two hosts of 1.0": post(FLAG, QUICK, host=b"Host: a\r\nHost: b\r\n", version=b"1.0"),
        "upgrade without host": post(FLAG, QUICK, UPGRADE, host=b""),
        "another version": post(FLAG, QUICK, version=b"2.0"),
        "a version of old": post(FLAG, QUICK, version=b"0.9"),
        "no version": b"GET /healthz\r\n\r\n",
        "another protocol": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "a tunnel": b"CONNECT b.example:443 HTTP/1.1\r\nHost: a\r\n\r\n" + INSIDE,
        "a tunnel with a body": b"CONNECT b.example:443 HTTP/1.1\r\nHost: a\r\nContent-Length: 38\r\n\r\n" + INSIDE,
        "a folded line": post(FLAG, QUICK, b"X-A: a\r\n b\r\n"),
        "a bare line feed": post(FLAG, QUICK, b"X-A: a\n"),
        "a bare carriage return": post(FLAG, QUICK, b"X-A: a\rb\r\n"),
        "a blank before the colon": post(FLAG, QUICK, b"X-A : a\r\n"),
        "a zero byte": post(FLAG, QUICK, b"X-A: \x00\r\n"),
        "no colon": post(FLAG, QUICK, b"X-A\r\n"),
        "no address": b"POST http:///? HTTP/1.1\r\nHost: a\r\n\r\n",
        "rubbish": b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    }  # fmt: skip
    for name, head in heads.items():
        yield Stream(name, head + good, (400,))
        before = (good, post(BOOKS, EVENT), chunked(FLAG, QUICK), INSIDE, post(FLAG, QUICK, UPGRADE))[next(numbers) % 5]
        yield Stream(f"{name}, behind another", before + head + good, (200, 400))
    bad = {
        "no size": b"x\r\n",
        "a signed size": b"+3\r\nabc\r\n",
        "an endless size": b"fffffffffffffffff\r\n",
        "a bare line feed behind a size": b"3\nabc\n",
        "more than its size": b"3\r\nabcd\r\n",
    }
    for name, wrong in bad.items():
        begun = chunked(FLAG, b"{", sizes=(1,)).removesuffix(b"0\r\n\r\n")
        yield Stream(f"chunk of {name}", begun + wrong + good, (400,))
        yield Stream(
            f"chunk of {name}, behind others", INSIDE + post(BOOKS, EVENT) + begun + wrong + good, (200, 200, 400)
        )


def large() -> Iterator[Stream]:
    """Heads over the limits."""
    good = post(FLAG, QUICK)
    address = post(b"/" + b"a" * 8_200, QUICK)
    yield Stream("a long address", good + address + good, (200, 414))
    yield Stream("an address a byte too long", b"GET /" + b"a" * 8_192 + b" HTTP/1.1\r\nHost: a\r\n\r\n" + good, (414,))
    yield Stream("an endless address", b"GET /" + b"a" * 30_000, (414,))
    yield Stream("a large header", good + post(FLAG, QUICK, b"X-A: " + b"a" * 16_400 + b"\r\n") + good, (200, 431))
    yield Stream("an endless header", good + post(FLAG, QUICK, b"X-A: " + b"a" * 60_000), (200, 431))
    trailer = b"X-A: " + b"a" * 17_000 + b"\r\n"
    yield Stream("a large trailer", INSIDE + chunked(FLAG, QUICK, trailer=trailer) + good, (200, 431))
    yield Stream("an endless trailer", INSIDE + chunked(FLAG, QUICK, trailer=trailer * 9), (200, 431))
    yield Stream("many headers", good + post(FLAG, QUICK, b"X-A: a\r\n" * 2_100), (200, 431))


STREAMS = (*asked(), *refused())
LARGE = tuple(large())
