"""Hostile input against a real worker: every probe has one right answer, none is a 500, and the worker lives on."""

import gzip
import itertools
import json
import socket
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil
import pytest
from servers.one_worker import PUBLISHABLE, SECRET, OneWorker
from servers.slow_client import told

OFREP = "/ofrep/v1/evaluate/flags/banner"
BULK = "/ofrep/v1/evaluate/flags"
PERSONALIZE = "/v1/personalize"
VISITOR = {PERSONALIZE: b"visitor_id"}  # what a visitor is called there; nobody looks into members of other names
TRACK = "/v1/track"
BATCH = "/v1/batch"
ENGAGEMENT = "/v1/engagement"
GROWTHBOOK = "/track"
POSTS = (OFREP, BULK, PERSONALIZE, TRACK, BATCH, ENGAGEMENT, GROWTHBOOK)
BAD_IDS = ("", "null", "undefined", "NaN", "[object Object]", "00000000-0000-0000-0000-000000000000", "a\x00b", "a\nb",
           "a\x7fb", "x" * 257, "é" * 129)  # fmt: skip


@dataclass(frozen=True)
class Probe:
    """One request, and the statuses that are right answers to it; `rejected` is the code of a refused event, `repaired`
    that of what was left out of one that is kept.
    """

    name: str
    path: str
    body: bytes
    statuses: tuple[int, ...]
    headers: dict[str, str] = field(default_factory=dict)
    rejected: str | None = None
    repaired: str | None = None
    method: str = "POST"


def unreadable() -> list[Probe]:
    bodies = {
        "empty": b"",
        "blank": b"  ",
        "cut off": b'{"a": [1, 2',
        "not json": b"a=1&b=2",
        "nan": b"NaN",
        "infinity": b'{"anonymousId": Infinity}',
        "lone surrogate": b'{"anonymousId": "\\ud800"}',
        "latin-1": '{"anonymousId": "é"}'.encode("latin-1"),
        "utf-16": '{"anonymousId": "v"}'.encode("utf-16"),
        "nul bytes": b"\x00" * 64,
        "number": b"7",
        "text": b'"text"',
        "null": b"null",
        "trailing garbage": b'{"anonymousId": "v"} x',
        "single quotes": b"{'anonymousId': 'v'}",
        "huge exponent": b'{"anonymousId": "v", "attributes": {"n": 1e999}}',
        "endless number": b'{"anonymousId": "v", "attributes": {"n": ' + b"9" * 5000 + b"}}",
        "raw control character": b'{"anonymousId": "a\x01b"}',
    }
    return [
        Probe(f"{name} {path}", path, body.replace(b"anonymousId", VISITOR.get(path, b"anonymousId")), (400,))
        for name, body in bodies.items()
        for path in POSTS
    ]


def sizes() -> list[Probe]:
    big = b'{"anonymousId": "' + b"x" * 500_001 + b'"}'
    bomb = gzip.compress(b'{"a": "' + b"0" * 50_000_000 + b'"}')
    deep = (
        b'{"anonymousId":"v","event":"E","context":{"targetingKey":"v","a":' + b"[" * 200_000 + b"]" * 200_000 + b"}}"
    )
    probes = [Probe(f"large body {path}", path, big, (413,)) for path in POSTS]
    probes += [Probe(f"gzip bomb {path}", path, bomb, (413,), {"content-encoding": "gzip"}) for path in POSTS]
    probes += [Probe(f"deep json {path}", path, deep, (400,)) for path in POSTS]
    return probes


def encodings() -> list[Probe]:
    body = b'{"anonymousId": "v", "event": "E"}'
    zipped = gzip.compress(body)
    cases: list[tuple[str, str, bytes, tuple[int, ...]]] = [
        ("gzip that is not", "gzip", body, (400,)),
        ("gzip cut off", "gzip", zipped[:-6], (400,)),
        ("gzip with garbage", "gzip", zipped + b"garbage", (400,)),
        ("many members", "gzip", gzip.compress(b"") * 20_000, (400,)),
        ("deflate", "deflate", zlib.compress(body), (415,)),
        ("br", "br", body, (415,)),
        ("stacked", "gzip, gzip", gzip.compress(zipped), (415,)),
        ("unknown", "x-secret", body, (415,)),
        ("identity", "identity", body, (200,)),
        ("two members", "gzip", gzip.compress(body[:10]) + gzip.compress(body[10:]), (200,)),
    ]
    return [
        Probe(name, TRACK, content, statuses, {"content-encoding": name_of})
        for name, name_of, content, statuses in cases
    ]


def ids() -> list[Probe]:
    probes: list[Probe] = []
    for bad in BAD_IDS:
        event = json.dumps({"anonymousId": bad, "event": "E"}).encode()
        context = json.dumps({"context": {"targetingKey": bad}}).encode()
        personal = json.dumps({"visitor_id": bad}).encode()
        beat = json.dumps({"anonymousId": "v", "pageViewId": bad, "seq": 1, "engagedMs": 1}).encode()
        name = repr(bad)[:20]
        probes += [
            Probe(f"track id {name}", TRACK, event, (200,), rejected="missing_id"),
            Probe(f"ofrep id {name}", OFREP, context, (400,)),
            Probe(f"bulk id {name}", BULK, context, (400,)),
            Probe(f"personalize id {name}", PERSONALIZE, personal, (400,) if bad else (200,)),
            Probe(f"beat id {name}", ENGAGEMENT, beat, (200,), rejected="invalid_id"),
        ]
    return probes


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return value


def events() -> list[Probe]:
    good: dict[str, Any] = {"anonymousId": "v", "event": "Order Completed"}
    order = {"order_id": "o-1"}
    cases: dict[str, tuple[dict[str, Any], str | None]] = {  # a code after + is of what was left out
        "no id": ({"event": "E"}, "missing_id"),
        "null ids": ({"event": "E", "anonymousId": None, "userId": None}, "missing_id"),
        "number id": ({"event": "E", "anonymousId": 7}, None),
        "list id": ({"event": "E", "anonymousId": ["v"]}, "missing_id"),
        "no event": ({"anonymousId": "v"}, "missing_event"),
        "event is an object": ({"anonymousId": "v", "event": {}}, "missing_event"),
        "long event name": ({"anonymousId": "v", "event": "E" * 257}, "missing_event"),
        "long message id": ({**good, "properties": order, "messageId": "m" * 100}, "+invalid_id"),
        "properties are a list": ({**good, "properties": []}, "missing_order_id"),
        "context is text": ({**good, "properties": order, "context": "c"}, "+invalid_field"),
        "too deep": ({**good, "properties": {**order, "a": nested(33)}}, "too_deep"),
        "deep enough": ({**good, "properties": {**order, "a": nested(30)}}, None),
        "too many keys": ({**good, "properties": {f"k{n}": n for n in range(513)}}, "too_many_keys"),
        "too large": ({**good, "properties": {**order, "a": "x" * 33_000}}, "event_too_large"),
        "2^63": ({**good, "properties": {**order, "n": 2**63}}, "+number_too_large"),
        "-2^63": ({**good, "properties": {**order, "n": -(2**63)}}, "+number_too_large"),
        "1e300": ({**good, "properties": {**order, "n": 1e300}}, "+number_too_large"),
        "2^63 - 1": ({**good, "properties": {**order, "n": 2**62}}, None),
        "order without id": ({**good, "properties": {"revenue": 1}}, "missing_order_id"),
        "revenue is a word": ({**good, "properties": {**order, "revenue": "much"}}, "+invalid_number"),
        "revenue is nan": ({**good, "properties": {**order, "revenue": "nan"}}, "+invalid_number"),
        "revenue is an object": ({**good, "properties": {**order, "revenue": {}}}, "+invalid_number"),
        "revenue is true": ({**good, "properties": {**order, "revenue": True}}, "+invalid_number"),
        "revenue over 1e9": ({**good, "properties": {**order, "revenue": 1_000_000_001}}, "+number_too_large"),
        "revenue as text": ({**good, "properties": {**order, "revenue": "12.50"}}, None),
        "products are text": ({**good, "properties": {**order, "products": "p"}}, "+invalid_products"),
        "product is a number": ({**good, "properties": {**order, "products": [1]}}, "+invalid_products"),
        "negative price": ({**good, "properties": {**order, "products": [{"price": -1}]}}, "+invalid_products"),
        "currency is a number": ({**good, "properties": {**order, "currency": 978}}, "+invalid_currency"),
        "time is a word": ({**good, "properties": order, "timestamp": "yesterday"}, "+invalid_time"),
        "time is an object": ({**good, "properties": order, "timestamp": {}}, "+invalid_time"),
        "time is huge": ({**good, "properties": order, "timestamp": 1e18}, "+invalid_time"),
        "year 9999": ({**good, "properties": order, "timestamp": "9999-12-31T23:59:59Z"}, None),
        "year 1": ({**good, "properties": order, "timestamp": "0001-01-01T00:00:00Z"}, None),
        "unknown fields": ({**good, "properties": order, "whatever": {"a": 1}}, None),
        "sql in a name": ({"anonymousId": "v", "event": "E", "properties": {'";--': "'; drop table events; --"}}, None),
        "script in a name": ({"anonymousId": "v", "event": "<script>alert(1)</script>"}, None),
        "astral id": ({"anonymousId": "😀", "event": "E"}, None),
    }
    return [
        Probe(name, TRACK, json.dumps(event).encode(), (200,), rejected=None if repaired else code or None,
              repaired=repaired or None)
        for name, (event, code) in cases.items()
        for repaired in [(code or "").partition("+")[2]]
    ]  # fmt: skip


def shapes() -> list[Probe]:
    bodies: list[tuple[str, str, bytes, tuple[int, ...]]] = [
        ("batch missing", BATCH, b"{}", (400,)),
        ("batch is an object", BATCH, b'{"batch": {}}', (400,)),
        ("batch is null", BATCH, b'{"batch": null}', (400,)),
        ("batch is empty", BATCH, b'{"batch": []}', (200,)),
        ("batch of rubbish", BATCH, b'{"batch": [null, 1, "x", [], {}]}', (200,)),
        (
            "types that are no text",
            BATCH,
            b'{"batch": [{"type":{}}, {"type":["track"]}, {"type":"track","event":{}}]}',
            (200,),
        ),
        ("batch with a bad sentAt", BATCH, b'{"batch": [{"type":"page","anonymousId":"v"}], "sentAt": {}}', (200,)),
        ("duplicate members", TRACK, b'{"anonymousId":"a","anonymousId":"b","event":"E"}', (200,)),
        ("byte order mark", TRACK, b'\xef\xbb\xbf{"anonymousId":"v","event":"E"}', (200,)),
        ("visitor_id is a number", PERSONALIZE, b'{"visitor_id": 1}', (200,)),
        ("visitor_id has a fraction", PERSONALIZE, b'{"visitor_id": 1.5}', (400,)),
        ("experiments is text", PERSONALIZE, b'{"visitor_id": "v", "experiments": "banner"}', (400,)),
        (
            "too many experiments",
            PERSONALIZE,
            json.dumps({"visitor_id": "v", "experiments": ["x"] * 201}).encode(),
            (400,),
        ),
        ("slot without a name", PERSONALIZE, b'{"visitor_id": "v", "recommendations": [{}]}', (400,)),
        ("limit 0", PERSONALIZE, b'{"visitor_id": "v", "recommendations": [{"slot": "s", "limit": 0}]}', (400,)),
        (
            "21 slots",
            PERSONALIZE,
            json.dumps({"visitor_id": "v", "recommendations": [{"slot": "s"}] * 21}).encode(),
            (400,),
        ),
        ("user_id is a list", PERSONALIZE, b'{"user_id": []}', (400,)),
        (
            "attributes too deep",
            PERSONALIZE,
            json.dumps({"visitor_id": "v", "attributes": nested(33)}).encode(),
            (400,),
        ),
        ("beat before it began", ENGAGEMENT, b'{"anonymousId":"v","pageViewId":"p","seq":-1,"engagedMs":5}', (200,)),
        ("beat of a year", ENGAGEMENT, b'{"anonymousId":"v","pageViewId":"p","seq":1,"engagedMs":31536000000}', (200,)),
        (
            "beat final maybe",
            ENGAGEMENT,
            b'{"anonymousId":"v","pageViewId":"p","seq":1,"engagedMs":5,"final":"x"}',
            (200,),
        ),
        ("growthbook rubbish", GROWTHBOOK, b'[null, 1, {}, {"event_name": 3}]', (200,)),
        ("growthbook bad json text", GROWTHBOOK, b'[{"event_name": "E", "properties_json": "{"}]', (200,)),
    ]
    return [Probe(name, path, body, statuses) for name, path, body, statuses in bodies]


def addresses() -> list[Probe]:
    body = b'{"context": {"targetingKey": "v"}}'
    keys = ("", "NOPE", "..%2f..%2fetc%2fpasswd", "%00", "%ff", "a" * 500, "caf%C3%A9", "<script>",
            "banner%0d%0ax-a:%20b", "b?x")  # fmt: skip
    probes = [
        Probe(f"flag {key[:20]}", f"/ofrep/v1/evaluate/flags/{key}", body, (400, 404) if key else (200,))
        for key in keys
    ]
    return [
        *probes,
        Probe("get on a post", TRACK, b"", (405,), method="GET"),
        Probe("trace", TRACK, b"", (405,), method="TRACE"),
        Probe("connect-like path", "/http://evil.example/", b"", (404,), method="GET"),
        Probe("dots", "/v1/../v1/experiments/../../etc", b"", (401, 404), method="GET"),
        Probe("trailing slash", "/v1/track/", b"{}", (200,), rejected="missing_event"),
        Probe("two trailing slashes", "/v1/track//", b"{}", (404,)),
        Probe("hostile origin", TRACK, b'{"anonymousId":"v","event":"E"}', (200,), {"origin": "https://a.example, *"}),
        Probe("hostile request id", TRACK, b'{"anonymousId":"v","event":"E"}', (200,), {"x-request-id": "a b;c=<d>"}),
        Probe("hostile traceparent", TRACK, b'{"anonymousId":"v","event":"E"}', (200,), {"traceparent": "00-zz-yy-xx"}),
    ]


PROBES = [*unreadable(), *sizes(), *encodings(), *ids(), *events(), *shapes(), *addresses()]


@pytest.fixture(scope="module")
def client(worker: OneWorker) -> Any:
    with worker.client() as open_client:
        yield open_client


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_a_hostile_request_gets_its_one_right_answer(client: httpx.Client, probe: Probe) -> None:
    answer = client.request(probe.method, probe.path, content=probe.body, headers=probe.headers)
    assert answer.status_code in probe.statuses, answer.text[:300]
    assert len(answer.content) <= 4096
    if answer.status_code == 200 and probe.rejected is not None:
        assert [each["code"] for each in answer.json()["rejected"]] == [probe.rejected], answer.text
    elif answer.status_code == 200 and probe.repaired is not None:
        told = answer.json()
        assert [each["code"] for each in told.pop("repaired")] == [probe.repaired], answer.text
        assert told == {"success": True}
    elif answer.status_code == 200 and probe.path == TRACK:
        assert answer.json() == {"success": True}
    if answer.status_code >= 400:
        speaks_the_dialect(probe.path, answer)


def speaks_the_dialect(path: str, answer: httpx.Response) -> None:
    body = answer.json()
    if path.startswith("/ofrep/"):
        assert body["errorCode"]
        assert body["errorDetails"]
    else:
        assert answer.headers["content-type"] == "application/problem+json"
        assert body["status"] == answer.status_code
        assert body["message"] == body["detail"]
        assert set(body) == {"type", "title", "status", "detail", "code", "message"}


def test_the_worker_did_not_grow_and_lives_on(worker: OneWorker) -> None:
    """Runs after the probes: the largest of them unpack to 50 MB and more."""
    with worker.client() as client:
        before = psutil.Process().memory_info().rss
        for probe in [*sizes(), *encodings()] * 2:
            client.post(probe.path, content=probe.body, headers=probe.headers)
        assert psutil.Process().memory_info().rss - before < 96 << 20
        assert client.get("/healthz").json() == {"status": "ok"}


def connected(worker: OneWorker) -> socket.socket:
    host, port = worker.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def raw(worker: OneWorker, sent: bytes) -> bytes:
    """What the server says to these bytes until it closes."""
    with connected(worker) as connection:
        connection.sendall(sent)
        return told(connection)


HEAD = f"POST /v1/track HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {PUBLISHABLE}\r\n".encode()
RAW: list[tuple[str, bytes, bytes]] = [
    ("no http", b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"400"),
    ("header injection", HEAD + b"X: a\rb\r\n\r\n", b"400"),
    ("two lengths", HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\na", b"400"),
    ("length and chunks", HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
    ("negative length", HEAD + b"Content-Length: -1\r\n\r\n", b"400"),
    ("huge length", HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n", b"400"),
    ("large header", HEAD + b"X-A: " + b"a" * 17_000 + b"\r\nContent-Length: 0\r\n\r\n", b"431"),
    ("endless header", HEAD + b"X-A: " + b"a" * 60_000, b"431"),
    ("long address", b"GET /" + b"a" * 8_500 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"414"),
    ("absolute", b"GET http://b.example/healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b""),
    ("double slash", HEAD.replace(b"/v1", b"//v1") + b"Connection: close\r\n\r\n", b"404"),
    ("connect", b"CONNECT evil.example:443 HTTP/1.1\r\nHost: a\r\n\r\n", b"4"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "sent", "status"), RAW, ids=[case[0] for case in RAW])
def test_a_malformed_request_is_refused_without_a_500(worker: OneWorker, name: str, sent: bytes, status: bytes) -> None:
    answer = raw(worker, sent)
    assert answer.startswith(b"HTTP/1.1 " + status), (name, answer[:200])
    assert not answer.startswith(b"HTTP/1.1 5")


COLD = f"DELETE /v1/users HTTP/1.1\r\nHost: a\r\nX-API-Key: {SECRET}\r\n".encode()
RECEIPT_SECONDS = 1.0  # in place of 5
SLOW: dict[str, tuple[bytes, bytes, bytes]] = {  # what is sent first, what is sent again and again, the answer
    "head": (b"POST /v1/track HTTP/1.1\r\nHost: a\r\nX-Slow: ", b"", b"HTTP/1.1 408"),
    "hot body": (HEAD + b"Content-Length: 40\r\n\r\n{", b"", b"HTTP/1.1 408"),
    "cold body": (COLD + b"Content-Length: 9\r\n\r\n{", b"", b"HTTP/1.1 408"),
    "trickle of a head": (b"POST /v1/track HTTP/1.1\r\nHost: a\r\n", b"X-Slow: b\r\n", b"HTTP/1.1 408"),
    "trickle of a body": (HEAD + b"Content-Length: 400\r\n\r\n", b" ", b"HTTP/1.1 408"),
    "silence": (b"", b"", b""),
}


def test_who_is_slow_is_dropped_when_their_time_is_over(worker: OneWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline is made short, so that a client that waits twenty times as long has waited in vain."""
    for module in ("app.http.body", "app.serving.bounded"):
        monkeypatch.setattr(f"{module}.RECEIPT_SECONDS", RECEIPT_SECONDS)

    def dropped(case: tuple[bytes, bytes, bytes]) -> bytes:
        first, again, _ = case
        with connected(worker) as connection:
            connection.sendall(first)
            return told(connection, itertools.repeat(again) if again else ())

    with ThreadPoolExecutor(len(SLOW)) as together:
        answers = dict(zip(SLOW, together.map(dropped, SLOW.values()), strict=True))
    assert {name: answer[:12] for name, answer in answers.items()} == {name: case[2] for name, case in SLOW.items()}


def test_pipelined_and_split_requests_are_answered_in_order(worker: OneWorker) -> None:
    def one(number: int, expose: str) -> bytes:
        body = b'{"context":{"targetingKey":"pipe-%d"%s}}' % (number, expose.encode())
        return (
            b"POST /ofrep/v1/evaluate/flags/banner HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %b\r\n"
            b"X-Request-Id: n%d\r\nContent-Length: %d\r\n\r\n%b" % (PUBLISHABLE.encode(), number, len(body), body)
        )

    quick = ',"resonate.expose":false'
    stream = b"".join(one(number, quick if number % 2 else "") for number in range(12))
    closing = b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Request-Id: n12\r\nConnection: close\r\n\r\n"
    cut = len(stream) // 2 + 37
    whole = stream[:cut].count(b"POST ") - 1  # those that came before the cut in the last one
    answer = b""
    with connected(worker) as connection:
        connection.sendall(stream[:cut])
        while answer.count(b"HTTP/1.1 200 OK") < whole:
            piece = connection.recv(65_536)
            assert piece, answer
            answer += piece
        connection.sendall(stream[cut:] + closing)
        answer += told(connection)
    numbers = [line.split(b": n")[1] for line in answer.split(b"\r\n") if line.startswith(b"x-request-id: n")]
    assert numbers == [b"%d" % number for number in range(13)]
    assert answer.count(b"HTTP/1.1 200 OK") == 13
