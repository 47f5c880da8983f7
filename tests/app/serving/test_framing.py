"""Where a request ends is decided once, by its bytes: never by how they were cut, nor by what it asks for besides."""

import itertools
import re
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers.one_worker import PUBLISHABLE, SECRET, OneWorker
from servers.patience import HUNG_SECONDS
from servers.wire import said
from worlds.request_streams import LARGE, LAST, STREAMS, Stream

STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r]*\r\n")


def statuses(answers: bytes) -> tuple[int, ...]:
    return tuple(int(status) for status in STATUS.findall(answers) if status != b"100")


def pieces(sent: bytes, *cuts: int) -> list[bytes]:
    """The bytes, cut at these places."""
    edges = [0, *sorted(cuts), len(sent)]
    return [sent[start:end] for start, end in itertools.pairwise(edges) if start < end]


@pytest.mark.drawn(25)
@pytest.mark.parametrize("stream", STREAMS, ids=[stream.name for stream in STREAMS])
def test_the_answers_do_not_depend_on_how_the_bytes_are_cut(worker: OneWorker, stream: Stream) -> None:
    sent = stream.sent
    [whole, *cut] = said(worker, [[sent], *(pieces(sent, at) for at in range(1, len(sent)))])
    assert statuses(whole) == stream.statuses
    different = [at for at, answers in enumerate(cut, 1) if answers != whole]
    assert different == [], (sent[: different[0]], whole, cut[different[0] - 1])
    assert said(worker, [[bytes([byte]) for byte in sent]]) == [whole]


@pytest.mark.parametrize("stream", LARGE, ids=[stream.name for stream in LARGE])
def test_limits_do_not_depend_on_how_the_bytes_are_cut(worker: OneWorker, stream: Stream) -> None:
    sent = stream.sent
    cuts = [pieces(sent, *range(step, len(sent), step)) for step in (1_000, 4_000, 8_100, 8_192, 9_000, 65_536)]
    cuts += [pieces(sent, len(sent) - back) for back in (1, 3, 100, 5_000, 8_000)]
    [whole, *cut] = said(worker, [[sent], *cuts])
    assert statuses(whole) == stream.statuses
    assert {answers for answers in cut} == {whole}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    chosen=st.lists(
        st.sampled_from([stream for stream in STREAMS if stream.sent.endswith(LAST)]), min_size=1, max_size=4
    ),
    end=st.sampled_from(STREAMS),
    data=st.data(),
)
def test_connections_of_many_requests_are_answered_one_by_one_however_they_are_cut(
    worker: OneWorker, chosen: list[Stream], end: Stream, data: st.DataObject
) -> None:
    sent = b"".join(stream.sent.removesuffix(LAST) for stream in chosen) + end.sent
    expected = tuple(status for stream in chosen for status in stream.statuses[:-1]) + end.statuses
    cuts = data.draw(st.lists(st.integers(1, len(sent) - 1), max_size=12))
    [whole, cut] = said(worker, [[sent], pieces(sent, *cuts)])
    assert statuses(whole) == expected
    assert cut == whole


LISTED = b'{"visitor_id": "v-1"}\n{"visitor_id": "v-2"}\n'
UNTOLD = {  # what is asked, and all that is said
    f"GET /sub/{PUBLISHABLE}": rb"retry: \d+\n\nid: \S+\nevent: features\ndata: \{.*\}\n\n",
    f"GET /ofrep/v1/stream?key={PUBLISHABLE}": rb"retry: \d+\n\n(id: \S+\ndata: \{.*\}\n\n)?",
    "POST /v1/personalize/batch": rb'(\{"index":\d,.*\}\n){2}',
}


@pytest.mark.parametrize("asked", UNTOLD)
def test_an_answer_whose_length_nobody_tells_ends_with_the_connection_of_http_1_0(
    worker: OneWorker, asked: str
) -> None:
    lines = f"Authorization: Bearer {SECRET}\r\nContent-Length: {len(LISTED)}\r\n" if asked.startswith("POST") else ""
    sent = f"{asked} HTTP/1.0\r\n{lines}\r\n".encode() + LISTED * bool(lines)
    host, _, port = worker.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=HUNG_SECONDS) as connection:
        connection.sendall(sent)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"transfer-encoding" not in head.lower()
    assert b"connection: close" in head.lower()
    assert re.fullmatch(UNTOLD[asked], body), body
