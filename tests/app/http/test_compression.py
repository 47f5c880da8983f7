"""gzip for who takes it: packed once, under a strong ETag of its own, and either form is known again."""

import zlib
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples
from servers.one_worker import PUBLISHABLE, OneWorker

from app.http.compression import Packing, takes_gzip
from app.http.exchange import Exchange

FEATURES = f"/api/features/{PUBLISHABLE}"


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (None, False), (b"", False), (b"br", False), (b"gzip", True), (b"GZip", True), (b"br, gzip;q=0.5, *", True),
        (b"gzip;q=0", False), (b"gzip; q=0.000, br", False), (b"x-gzip", True), (b"ungzip", False), (b"gzipped", False),
        (b"deflate,gzip ; q=1.0", True), (b"identity;q=1, gzip;q=0.01", True),
    ],
)  # fmt: skip
def test_gzip_is_taken_by_whom_names_it(given: bytes | None, taken: bool) -> None:
    assert takes_gzip({} if given is None else {b"accept-encoding": given}) is taken


def crowded(count: int) -> dict[str, str]:
    variants = "variants: [{key: a, payload: {text: Free shipping}}, {key: b, payload: {text: From 50 EUR}}]"
    return {
        f"e{each}.yaml": f"key: e{each}\nstatus: running\n{variants}\ngoal: purchase_rate\n" for each in range(count)
    }


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with OneWorker(tmp_path_factory.mktemp("crowd"), crowded(100)) as worker:
        yield worker


def forms(worker: OneWorker, path: str) -> tuple[httpx.Response, httpx.Response]:
    with worker.client(None) as client:
        return tuple(client.get(path, headers={"accept-encoding": each}) for each in ("identity", "gzip"))  # type: ignore[return-value]


def test_the_payload_of_a_hundred_experiments_is_a_third_as_large_and_has_two_strong_tags(crowd: OneWorker) -> None:
    plain, packed = forms(crowd, FEATURES)
    assert plain.content == packed.content
    assert int(packed.headers["content-length"]) <= 0.3 * int(plain.headers["content-length"])
    assert "content-encoding" not in plain.headers
    assert packed.headers["etag"] == plain.headers["etag"][:-1] + '-gzip"'
    assert [each.headers["vary"] for each in (plain, packed)] == ["Accept-Encoding"] * 2
    with crowd.client(None) as client:
        for shown in (plain, packed):
            for taken in (plain, packed):
                encoding = taken.headers.get("content-encoding", "identity")
                told = {"accept-encoding": encoding, "if-none-match": shown.headers["etag"]}
                held = client.get(FEATURES, headers=told)
                assert (held.status_code, held.headers["etag"]) == (304, taken.headers["etag"])


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
def test_documents_are_packed_as_they_are_sent(crowd: OneWorker, path: str) -> None:
    plain, packed = forms(crowd, path)
    assert (packed.headers["content-encoding"], packed.content) == ("gzip", plain.content)
    assert int(packed.headers["content-length"]) < len(plain.content) / 3
    assert "Accept-Encoding" in plain.headers["vary"]


def test_small_answers_errors_and_posts_are_not_packed(worker: OneWorker) -> None:
    with worker.client() as client:
        body = {"context": {"targetingKey": "v-1", "resonate.expose": False}}
        answers = [
            client.get("/healthz"), client.get("/elsewhere"), client.post("/ofrep/v1/evaluate/flags", json=body),
        ]  # fmt: skip
    assert ["content-encoding" in answer.headers for answer in answers] == [False] * 3


def test_who_refuses_gzip_gets_none(crowd: OneWorker) -> None:
    with crowd.client(None) as client:
        answer = client.get(FEATURES, headers={"accept-encoding": "gzip;q=0, identity"})
    assert "content-encoding" not in answer.headers


def exchange(**headers: str) -> Exchange:
    scope = {"headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]}
    return Exchange.of(scope, iter(["id"]))


@settings(max_examples=examples(50), deadline=None)
@given(pieces=st.lists(st.binary(max_size=3_000), min_size=1, max_size=6))
def test_a_stream_of_pieces_is_packed_piece_by_piece(pieces: list[bytes]) -> None:
    """Each piece can be read when it was sent: an export's first rows do not wait for its last."""
    packing = Packing(exchange(accept_encoding="gzip"))
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/x-ndjson")]}
    sent = packing.messages(start)
    unpacker, read = zlib.decompressobj(31), b""
    for place, piece in enumerate(pieces, 1):
        more = place < len(pieces)
        for message in packing.messages({"type": "http.response.body", "body": piece, "more_body": more}):
            sent.append(message)
            if (b"content-encoding", b"gzip") in sent[0]["headers"]:
                read += unpacker.decompress(message.get("body", b""))
            else:
                read += message.get("body", b"")
        assert read == b"".join(pieces[:place])
    assert sent[0]["type"] == "http.response.start"
    assert ((b"content-encoding", b"gzip") in sent[0]["headers"]) is (len(pieces) > 1 or len(pieces[0]) >= 1_000)
