"""Check before effect: a request that is refused has stored nothing, remembered nothing and counted no success."""

import copy
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import redis
from hypothesis import event, given, settings
from hypothesis import strategies as st
from oracles.proving import examples
from servers.one_worker import SECRET, OneWorker

from events.store.keys import events_key

ORDER = {
    "anonymousId": "v-1", "userId": "u-1", "event": "Order Completed", "timestamp": "2026-01-20T09:00:00Z",
    "context": {"page": {"path": "/cart"}, "locale": "sk-SK"},
    "properties": {"order_id": "o-1", "revenue": 49.9, "currency": "EUR",
                   "products": [{"product_id": "sku-17", "price": 49.9, "quantity": 1}]},
}  # fmt: skip
VIEWED = {"anonymousId": "v-1", "event": "Experiment Viewed",
          "properties": {"experiment_id": "banner", "variation_id": "threshold"}}  # fmt: skip
PAGE = {"anonymousId": "v-1", "properties": {"url": "https://shop.example/p/17", "path": "/p/17"}}
VALID: dict[str, Any] = {
    "/ofrep/v1/evaluate/flags/banner": {
        "context": {"targetingKey": "v-1", "user_id": "u-1", "device": "mobile", "cart": {"items": ["a"]}}
    },
    "/v1/personalize": {
        "visitor_id": "v-1", "user_id": "u-1", "attributes": {"device": "mobile", "cart": {"value": 10.5}},
        "experiments": ["banner"], "expose": True,
        "recommendations": [{"slot": "front", "limit": 3, "items": ["sku-17"]}, {"slot": "cart"}],
    },
    "/v1/track": ORDER,
    "/v1/page": PAGE,
    "/v1/screen": {"anonymousId": "v-1", "name": "Cart"},
    "/v1/identify": {"anonymousId": "v-1", "userId": "u-1", "traits": {"plan": "gold"}},
    "/v1/group": {"userId": "u-1", "groupId": "g-1"},
    "/v1/alias": {"previousId": "v-1", "userId": "u-1"},
    "/v1/engagement": {"anonymousId": "v-1", "pageViewId": "pv-1", "seq": 3, "engagedMs": 42_000, "final": False},
    "/v1/batch": {"batch": [{"type": "track", **ORDER}, {"type": "page", **PAGE}, {"type": "track", **VIEWED}],
                  "sentAt": "2026-01-20T09:00:00Z", "context": {"locale": "sk-SK"}},
    "/track": [{"event_name": "Experiment Viewed", "device_id": "v-1",
                "properties_json": {"experimentId": "banner", "variationId": "threshold", "hashValue": "v-1"}}],
}  # fmt: skip
REFUSED_WHOLE = ("/ofrep/v1/evaluate/flags/banner", "/v1/personalize", "/v1/batch")  # else single events are named
DEEP: Any = 1
for _ in range(40):
    DEEP = {"a": DEEP}
REMOVED, REPEATED = object(), object()
SPOILS = (REMOVED, REPEATED, None, True, 0, -1, 1.5, 2**64, 1e300, "", "null", "a\x00b", "x" * 300, [], {}, DEEP, [[1]])
SUCCESSES = ('outcome="stored"', 'outcome="logged"', 'outcome="unlogged"', 'outcome="duplicate"')


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every way down to a field or an item."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield (*above, name)
        yield from places(each, (*above, name))


def spoiled(body: Any, place: tuple[Any, ...], spoil: Any) -> Any:
    """The body with one field removed, repeated beyond every limit, or replaced."""
    root = copy.deepcopy(body)
    holder = root
    for name in place[:-1]:
        holder = holder[name]
    if spoil is REMOVED:
        del holder[place[-1]]
    elif spoil is REPEATED:
        holder[place[-1]] = [holder[place[-1]][0] if isinstance(holder[place[-1]], list) else "x"] * 3_000
    else:
        holder[place[-1]] = spoil
    return root


def traces(worker: OneWorker, client: httpx.Client) -> tuple[Any, ...]:
    """What a stored request would change: the log, the histories and the counters of success."""
    with redis.Redis(unix_socket_path=str(worker.store.socket)) as store:
        stored = (store.xlen(events_key(0)), store.dbsize())
    counted = [line for line in client.get("/metrics").text.splitlines() if any(each in line for each in SUCCESSES)]
    return (*stored, *counted)


@pytest.fixture(scope="module")
def client(worker: OneWorker) -> Iterator[httpx.Client]:
    with worker.client(SECRET) as found:
        yield found


@pytest.mark.parametrize("path", VALID)
def test_a_valid_body_leaves_its_trace(worker: OneWorker, client: httpx.Client, path: str) -> None:
    before = traces(worker, client)
    assert client.post(path, json=VALID[path]).status_code == 200
    assert traces(worker, client) != before


@pytest.mark.drawn(4)
@pytest.mark.parametrize("path", VALID)
def test_a_refused_body_leaves_no_trace(worker: OneWorker, client: httpx.Client, path: str) -> None:
    refusals: list[int] = []
    anywhere = list(places(VALID[path]))
    outermost = [place for place in anywhere if len(place) == 1]

    @settings(max_examples=examples(120))
    @given(st.sampled_from(outermost) | st.sampled_from(anywhere), st.sampled_from(SPOILS))
    def refused(place: tuple[Any, ...], spoil: Any) -> None:
        before = traces(worker, client)
        answer = client.post(path, json=spoiled(VALID[path], place, spoil))
        event(f"{path} {answer.status_code}")
        assert answer.status_code in (200, 400, 413), answer.text
        if answer.status_code != 200:
            refusals.append(answer.status_code)
            assert traces(worker, client) == before, (place, spoil)

    refused()
    assert len(refusals) >= 8 or path not in REFUSED_WHOLE
