"""Where a request ends is decided once, by its bytes: never by how they were cut, nor by what it asks for besides."""

import itertools
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers.one_worker import OneWorker
from servers.wire import said
from worlds.request_streams import LARGE, LAST, STREAMS, Stream

STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r]*\r\n")


def statuses(answers: bytes) -> tuple[int, ...]:
    return tuple(int(status) for status in STATUS.findall(answers) if status != b"100")


def pieces(sent: bytes, *cuts: int) -> list[bytes]:
    """The bytes, cut at these places."""
    edges = [0, *sorted(cuts), len(sent)]
    return [sent[start:end] for start, end in itertools.pairwise(edges) if start < end]


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
