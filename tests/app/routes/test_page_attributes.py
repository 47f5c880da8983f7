"""Audiences that ask what an address and a user agent tell are answered alike by all dialects; no agent is kept."""

from collections.abc import Iterator
from typing import Any

import pytest
from servers.one_worker import PUBLISHABLE, SECRET, OneWorker, records

PHONE = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0 Mobile Safari/537.36"
)
BASKET = "https://shop.example/basket?utm_source=newsletter"
ASKS = "status: running\nvariants: [a, b]\ngoal: purchase_rate\naudience: {where: "


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneWorker]:
    files = {
        "phones.yaml": f"key: phones\n{ASKS}{{os: Android}}}}\n",
        "baskets.yaml": f"key: baskets\n{ASKS}{{path: /basket, utm_source: newsletter}}}}\n",
    }
    with OneWorker(tmp_path_factory.mktemp("told"), files) as running:
        yield running


def reached(worker: OneWorker, key: str, agent: str, route: str, visitor: str = "v-1", **told: Any) -> set[str]:
    """The experiments that somebody takes part in, who is shown all."""
    body = {"visitor_id": visitor, "attributes": told, "experiments": ["phones", "baskets"]}
    if route.startswith("/ofrep"):
        body = {"context": {"targetingKey": visitor, **told}}
    with worker.client(key, headers={"user-agent": agent}) as client:
        answer = client.post(route, json=body).json()
    flags = (
        answer["flags"] if "flags" in answer else [{"key": k, "metadata": v} for k, v in answer["experiments"].items()]
    )
    return {flag["key"] for flag in flags if flag["metadata"]["in_experiment"]}


@pytest.mark.parametrize("route", ["/ofrep/v1/evaluate/flags", "/v1/personalize"])
def test_what_a_caller_sends_tells_the_rest(told: OneWorker, route: str) -> None:
    assert reached(told, PUBLISHABLE, PHONE, route, url=BASKET) == {"phones", "baskets"}
    assert reached(told, PUBLISHABLE, "", route) == set()
    assert reached(told, SECRET, PHONE, route) == set()  # a backend's own client is nobody's browser
    assert reached(told, SECRET, "httpx", route, userAgent=PHONE, url=BASKET) == {"phones", "baskets"}
    assert reached(told, PUBLISHABLE, PHONE, route, os="iOS", path="/tea", url=BASKET) == set()


def test_nothing_that_was_told_is_kept_with_the_exposure(told: OneWorker) -> None:
    assert reached(told, PUBLISHABLE, PHONE, "/v1/personalize", "v-fine", mood="fine") == {"phones"}
    kept = [record for record in records(told, experiment="phones") if record["properties"] == {"mood": "fine"}]
    assert len(kept) == 1
    assert "Android 14" not in repr(records(told, visitor_id="v-fine", authority=0))


def test_one_flag_is_answered_by_the_browser_that_asks(worker: OneWorker) -> None:
    with worker.client(headers={"user-agent": PHONE}) as client:
        body = {"context": {"targetingKey": "v-2"}}
        assert (
            client.post("/ofrep/v1/evaluate/flags/mobile-only", json=body).json()["metadata"]["in_experiment"] is True
        )
    assert [record["device"] for record in records(worker, visitor_id="v-2")] == ["mobile"]
