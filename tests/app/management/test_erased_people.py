"""Who was erased is recommended to as somebody new: over HTTP, with the real store, before any training."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from servers.faults import of_every_worker
from servers.patience import until
from servers.service import Service, running
from worlds.shop_worlds import publish_trained, taste_world

BOUGHT = ("wine-7", "wine-3", "cheese-4")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A whole service whose model remembers the people of the shop of tastes."""
    with running(tmp_path_factory.mktemp("erasing"), {}, RESONATE_WORKERS="2") as service:
        publish_trained(service.data / "models", taste_world())
        until(lambda: not any(is_new(service, "c-1")), "both workers know the people of the shop")
        yield service


@pytest.fixture
def client(shop: Service) -> Iterator[httpx.Client]:
    with shop.client() as found:
        yield found


def asked(client: httpx.Client, **body: Any) -> dict[str, Any]:
    return client.post("/v1/recommendations", json=body).raise_for_status().json()


def is_new(shop: Service, person: str, by: str = "visitor_id") -> list[bool]:
    """Whether each worker knows nothing of this person, for either strategy that would."""
    return [
        "fallback" in answer
        for name in ("for_you", "buy_again")
        for answer in of_every_worker(shop, lambda client, name=name: asked(client, **{by: person}, strategy=name))
    ]


def until_new(shop: Service, person: str, by: str = "visitor_id") -> None:
    until(lambda: all(is_new(shop, person, by)), f"{person} is somebody new")


def order(visitor: str, number: int, **ids: str) -> dict[str, Any]:
    lines = [{"product_id": product, "price": 5.0, "quantity": 1} for product in BOUGHT]
    properties = {"order_id": f"{visitor}-{number}", "revenue": 15.0, "currency": "EUR", "products": lines}
    return {"anonymousId": visitor, "event": "Order Completed", "properties": properties, **ids}


def test_the_model_forgets_an_erased_visitor_whom_it_remembers(shop: Service, client: httpx.Client) -> None:
    client.post("/v1/track", json=order("c-3", 1, userId="c-3")).raise_for_status()
    assert "fallback" not in asked(client, visitor_id="c-3", strategy="buy_again")
    assert client.delete("/v1/visitors/c-3").status_code == 202
    until_new(shop, "c-3")
    stranger = asked(client, visitor_id="never-seen", limit=20)
    found = asked(client, visitor_id="c-3", limit=20)
    assert found["items"] == stranger["items"]
    assert "fallback" not in asked(client, visitor_id="c-4", strategy="buy_again")


def test_what_an_erased_visitor_buys_afterwards_counts_from_then_on(shop: Service, client: httpx.Client) -> None:
    client.delete("/v1/users/c-5").raise_for_status()
    until_new(shop, "c-5")
    client.post("/v1/track", json=order("c-5", 1)).raise_for_status()
    again = asked(client, visitor_id="c-5", strategy="buy_again", limit=3)
    assert {item["product_id"] for item in again["items"]} == set(BOUGHT)


def test_erasing_a_visitor_erases_the_user_who_logged_in_there(shop: Service, client: httpx.Client) -> None:
    client.post("/v1/identify", json={"anonymousId": "device-7", "userId": "c-7"}).raise_for_status()
    client.post("/v1/track", json=order("device-7", 1, userId="c-7")).raise_for_status()
    assert "fallback" not in asked(client, user_id="c-7", strategy="buy_again")
    assert client.delete("/v1/visitors/device-7").status_code == 202
    until_new(shop, "c-7", by="user_id")
    until_new(shop, "device-7")
