"""Token buckets: a burst passes, the rest waits whole seconds, and nobody pays for another."""

from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers.one_worker import OneWorker

from app.http.admission import MAX_BUCKETS, Rate, RateLimiter, caller_address

KEY = b"digest"


def limiter(per_second: float = 2, burst: int = 3) -> RateLimiter:
    return RateLimiter(publishable=Rate(per_second, burst), secret=Rate(1000, 1000))


def test_a_burst_passes_and_what_follows_is_told_how_long_to_wait() -> None:
    bucket = limiter()
    assert [bucket.wait_seconds(KEY, "a", False, 100.0) for _ in range(4)] == [0, 0, 0, 1]
    assert bucket.wait_seconds(KEY, "a", False, 100.5) == 0
    assert bucket.wait_seconds(KEY, "a", False, 100.5) == 1


def test_addresses_keys_and_classes_have_buckets_of_their_own() -> None:
    bucket = limiter(burst=1)
    callers = [(KEY, "a", False), (KEY, "b", False), (b"other", "a", False), (KEY, "c", True)]
    assert [bucket.wait_seconds(*caller, 1.0) for caller in callers] == [0, 0, 0, 0]


@given(st.lists(st.floats(0, 20), min_size=1, max_size=200), st.integers(1, 20), st.integers(1, 10))
def test_no_caller_ever_gets_more_than_the_rate_and_the_burst(times: list[float], per_second: int, burst: int) -> None:
    bucket = limiter(per_second, burst)
    passed = sum(bucket.wait_seconds(KEY, "a", False, moment) == 0 for moment in sorted(times))
    span = max(times) - min(times)
    assert passed <= burst + span * per_second + 1


@given(st.integers(1, 40), st.integers(1, 100), st.integers(1, 12), st.data())
def test_workers_together_keep_the_limit_in_every_instant(
    per_second: int, burst: int, workers: int, data: st.DataObject
) -> None:
    rate = Rate(per_second, burst)
    shares = [RateLimiter(publishable=rate.share(workers), secret=rate) for _ in range(workers)]
    moments = sorted(data.draw(st.lists(st.floats(0, 20), min_size=1, max_size=5)))
    passed = [
        sum(share.wait_seconds(KEY, "a", False, moment) == 0 for share in shares for _ in range(burst + 1))
        for moment in moments
    ]
    assert max(passed) <= max(burst, workers)
    assert passed[0] >= min(burst, workers)
    assert sum(passed) <= max(burst, workers) + workers + per_second * (moments[-1] - moments[0])


def test_too_many_buckets_are_forgotten_rather_than_kept() -> None:
    bucket = limiter()
    for number in range(MAX_BUCKETS + 10):
        bucket.wait_seconds(KEY, str(number), False, 1.0)
    assert len(bucket.arrivals) < MAX_BUCKETS


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("9.9.9.9", "1.1.1.1", "9.9.9.9"),  # nobody vouches for a stranger's header
        ("10.0.0.1", "1.1.1.1", "1.1.1.1"),
        (
            "10.0.0.1",
            "8.8.8.8, 1.1.1.1, 10.0.0.2",
            "1.1.1.1",
        ),  # what stands left of the first stranger is his word only
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "rubbish", "rubbish"),
        ("", "1.1.1.1", ""),
    ],
)
def test_only_trusted_proxies_are_believed(peer: str, forwarded: str, address: str) -> None:
    headers = {b"x-forwarded-for": forwarded.encode()}
    assert caller_address(peer, headers, (ip_network("10.0.0.0/8"),)) == address


def test_over_http_it_is_429_with_whole_seconds_and_others_are_served(worker: OneWorker) -> None:
    limits = worker.app.cold.state.resources.access.limiter
    usual, limits.publishable = limits.publishable, Rate(0.5, 2)
    try:
        with worker.client() as client:
            answers = [client.post("/v1/track", json={"anonymousId": "v", "event": "E"}) for _ in range(4)]
            flag = client.post("/ofrep/v1/evaluate/flags/banner", json={"context": {"targetingKey": "v"}})
    finally:
        limits.publishable = usual
        limits.arrivals = {}
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert answers[2].headers["retry-after"] == "2"
    assert (flag.status_code, flag.json()["errorCode"]) == (429, "GENERAL")


def test_a_worker_of_four_lets_a_quarter_of_the_limit_pass(tmp_path: Path) -> None:
    with (
        OneWorker(tmp_path, workers=4, rate_limit_per_second=1, rate_limit_burst=8) as worker,
        worker.client() as client,
    ):
        events = [client.post("/v1/track", json={"anonymousId": "v", "event": "E"}) for _ in range(3)]
    assert [answer.status_code for answer in events] == [200, 200, 429]
