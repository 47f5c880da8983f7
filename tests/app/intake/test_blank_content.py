"""Content is checked, not presence: an id or a name of white space alone, or with control characters, is none, in every
dialect. A blank id would make one visitor of all whose tracker fails so.
"""

import json
import unicodedata
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.proving import examples
from servers.one_worker import PUBLISHABLE, OneWorker, records

BLANK = (
    " ",
    "\t",
    "\n",
    "\u00a0\u2003",
    "\u200b",
    "\u3000 ",
    "a\x00b",
    "a\r\nb",
    "\x7f",
    "a\x1b[31m",
    "\x85a",
    "\ud800",
)
ODD = st.one_of(
    st.sampled_from(BLANK), st.text(st.characters(categories=["Zs", "Zl", "Zp", "Cf"]), min_size=1, max_size=5),
    st.text(max_size=5).flatmap(lambda text: st.characters(categories=["Cc"]).map(lambda control: text + control)),
)  # fmt: skip

Send = Callable[[httpx.Client, str, str], httpx.Response]


def body(value: Any) -> dict[str, Any]:
    """As clients send it that escape what is not ASCII, half of a surrogate pair too."""
    return {"content": json.dumps(value).encode(), "headers": {"content-type": "application/json"}}


def track(client: httpx.Client, who: str, name: str) -> httpx.Response:
    return client.post("/v1/track", **body({"anonymousId": who, "event": name}))


def batch(client: httpx.Client, who: str, name: str) -> httpx.Response:
    events = [{"type": "track", "anonymousId": who, "event": name}, {"type": "identify", "userId": who}]
    return client.post("/v1/batch", **body({"batch": events}))


def pixel(client: httpx.Client, who: str, name: str) -> httpx.Response:
    event = b64encode(json.dumps({"anonymousId": who, "event": name}).encode()).decode()
    return client.get("/v1/pixel/track", params={"data": event, "writeKey": PUBLISHABLE})


def beat(client: httpx.Client, who: str, name: str) -> httpx.Response:
    return client.post("/v1/engagement", **body({"anonymousId": who, "pageViewId": name, "seq": 1, "engagedMs": 5}))


def growthbook(client: httpx.Client, who: str, name: str) -> httpx.Response:
    return client.post("/track", **body([{"event_name": name, "device_id": who, "user_id": who}]))


def google(client: httpx.Client, who: str, name: str) -> httpx.Response:
    return client.post(f"/mp/collect?api_secret={PUBLISHABLE}", **body({"client_id": who, "events": [{"name": name}]}))


def ofrep(client: httpx.Client, who: str, name: str) -> httpx.Response:
    return client.post("/ofrep/v1/evaluate/flags/banner", **body({"context": {"targetingKey": who}}))


def personalize(client: httpx.Client, who: str, name: str) -> httpx.Response:
    return client.post("/v1/personalize", **body({"visitor_id": who, "experiments": ["banner"]}))


TRACKING: Mapping[str, Send] = {
    "track": track, "batch": batch, "pixel": pixel, "engagement": beat, "growthbook": growthbook, "ga4": google,
}  # fmt: skip
ASSIGNING: Mapping[str, Send] = {"ofrep": ofrep, "personalize": personalize}


def names_nobody(text: str) -> bool:
    """By Unicode's categories alone: nothing in it is seen, or something in it controls."""
    kinds = [unicodedata.category(letter) for letter in text]
    return any(kind in ("Cc", "Cs") for kind in kinds) or all(kind[0] in "ZC" for kind in kinds)


def nobody_is_stored(worker: OneWorker) -> None:
    for row in records(worker):
        told = [row.get(name) for name in ("visitor_id", "user_id", "event", "page_view_id")]
        assert not [text for text in told if text and names_nobody(text)], row


@pytest.mark.parametrize("dialect", TRACKING)
def test_an_id_that_names_nobody_and_a_name_that_names_nothing_are_absent(worker: OneWorker, dialect: str) -> None:
    before = len(records(worker))

    @given(ODD)
    def is_refused(odd: str) -> None:
        for who, name in ((odd, "Odd"), ("v-1", odd)):
            answer = TRACKING[dialect](client, who, name)
            assert answer.status_code in (200, 204, 400), answer.text

    with worker.client(PUBLISHABLE) as client:
        is_refused()
        assert TRACKING[dialect](client, "v-1", "Seen").status_code in (200, 204)
    nobody_is_stored(worker)
    assert len(records(worker)) > before


@pytest.mark.parametrize("dialect", ASSIGNING)
def test_who_names_nobody_is_assigned_nothing(worker: OneWorker, dialect: str) -> None:
    with worker.client(PUBLISHABLE) as client:
        for odd in BLANK[: examples(len(BLANK))]:
            answer = ASSIGNING[dialect](client, odd, "")
            assert answer.status_code == 400, (odd, answer.text)
        assert ASSIGNING[dialect](client, "v-1", "").status_code == 200
    nobody_is_stored(worker)


def test_an_event_of_the_year_9999_is_kept_apart_and_counted(worker: OneWorker) -> None:
    with worker.client(PUBLISHABLE) as client:
        event = {"anonymousId": "v-9999", "event": "Late", "timestamp": "9999-12-31T23:59:59Z"}
        assert client.post("/v1/track", json=event).status_code == 200
    [row] = records(worker, visitor_id="v-9999")
    assert row["quarantined"]
