"""Who shares a browser is shown and erased without the other, over HTTP with the real service."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import httpx
import msgspec
import pytest
from servers.patience import until
from servers.service import PUBLISHABLE_KEY, Service, running
from worlds.shop_worlds import publish_trained, taste_world

BANNER = {"banner.yaml": "key: banner\nstatus: running\nvariants: [control, b]\ngoal: purchase_rate\n"}
numbers = count()


class Kiosk:
    """A shared computer on which Anna and Bert logged in, what they do elsewhere, and a page that says it is Anna."""

    def __init__(self, shop: Service) -> None:
        number = next(numbers)
        self.anna, self.bert = f"anna-{number}", f"bert-{number}"
        self.kiosk, self.phone, self.laptop, self.page = (f"{name}-{number}" for name in ("k", "phone", "lap", "page"))
        with shop.client() as backend, shop.client(PUBLISHABLE_KEY) as page:
            for visitor in (self.kiosk, self.phone, self.laptop, self.page):
                visit = {"visitor_id": visitor, "experiments": ["banner"]}
                page.post("/v1/personalize", json=visit).raise_for_status()
            for visitor, user in ((self.kiosk, self.anna), (self.phone, self.anna), (self.kiosk, self.bert)):
                backend.post("/v1/track", json=order(visitor, userId=user)).raise_for_status()
            backend.post("/v1/identify", json={"anonymousId": self.laptop, "userId": self.bert}).raise_for_status()
            page.post("/v1/track", json=order(self.kiosk)).raise_for_status()
            page.post("/v1/identify", json={"anonymousId": self.page, "userId": self.anna}).raise_for_status()

    def told(self, rows: list[dict[str, Any]]) -> set[tuple[str, str | None]]:
        """The ids that these rows name, as far as they are of this kiosk."""
        people = {self.kiosk, self.phone, self.laptop, self.page}
        return {(row["visitor_id"], row.get("user_id")) for row in rows if row["visitor_id"] in people}


def order(visitor: str, **ids: str) -> dict[str, Any]:
    lines = [{"product_id": product, "price": 5.0, "quantity": 1} for product in ("wine-7", "wine-3", "cheese-4")]
    properties = {"order_id": f"o-{next(numbers)}", "revenue": 15.0, "currency": "EUR", "products": lines}
    return {"anonymousId": visitor, "event": "Order Completed", "properties": properties, **ids}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("people"), BANNER, RESONATE_WORKERS="1") as service:
        publish_trained(service.data / "models", taste_world())
        with service.client() as client:
            until(lambda: not is_new(client, user_id="c-1"), "the worker knows the people of the shop")
        yield service


@pytest.fixture
def client(shop: Service) -> Iterator[httpx.Client]:
    with shop.client() as found:
        yield found


def is_new(client: httpx.Client, **who: str) -> bool:
    answer = client.post("/v1/recommendations", json={**who, "strategy": "buy_again"}).raise_for_status()
    return "fallback" in answer.json()


def exported(client: httpx.Client) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = client.get("/v1/export/events", params=cursor).raise_for_status()
        lines = [msgspec.json.decode(line) for line in page.content.splitlines()]
        cursor = {"cursor": page.headers["x-resonate-next-cursor"]}
        if not lines and page.headers["x-resonate-pending"] == "0":
            return rows
        rows += lines


def units(shop: Service) -> int:
    return sum(arm["units"] for arm in shop.results("banner")["metrics"][0]["arms"])


def test_an_erased_user_is_gone_from_everything_and_who_shared_a_browser_is_not(
    shop: Service, client: httpx.Client
) -> None:
    who = Kiosk(shop)
    erased = {(who.kiosk, None), (who.kiosk, who.anna), (who.phone, None), (who.phone, who.anna), (who.page, who.anna)}
    stays = {(who.kiosk, who.bert), (who.laptop, None), (who.laptop, who.bert), (who.page, None)}
    assert who.told(exported(client)) == erased | stays
    units_before = units(shop)
    with shop.client(PUBLISHABLE_KEY) as page:
        assert not is_new(page, visitor_id=who.kiosk)
    assert not is_new(client, user_id=who.anna)
    planned = client.request("DELETE", "/v1/users", params={"dry_run": True}, json={"id": who.anna})
    told = planned.raise_for_status().json()
    assert (planned.status_code, told["events"], who.told(exported(client))) == (200, 6, erased | stays)
    assert client.delete(f"/v1/users/{who.anna}").status_code == 202
    assert who.told(exported(client)) == stays
    assert units(shop) == units_before - 2  # the exposures of kiosk and phone name nobody
    until(lambda: is_new(client, user_id=who.anna), "Anna is somebody new")
    with shop.client(PUBLISHABLE_KEY) as page:
        assert is_new(page, visitor_id=who.kiosk)
    assert not is_new(client, user_id=who.bert)


def test_access_says_why_ids_are_one_person_and_what_pages_claim(shop: Service, client: httpx.Client) -> None:
    who = Kiosk(shop)
    held = client.get(f"/v1/users/{who.anna}").raise_for_status().json()
    assert (held["visitors"], held["users"]) == (sorted([who.kiosk, who.phone]), [who.anna])
    assert [(each["visitor"], each["authority"]) for each in held["joined_by"]] == [
        (who.kiosk, "backend"),
        (who.phone, "backend"),
    ]
    assert held["claims"] == [{"id": who.page, "events": 1}]
    assert len(held["events"]) == 6
    of_a_page = client.get(f"/v1/visitors/{who.page}").raise_for_status().json()
    assert (of_a_page["users"], of_a_page["claims"]) == ([], [{"id": who.anna, "events": 1}])


def test_who_is_meant_on_a_shared_computer_must_be_said(shop: Service, client: httpx.Client) -> None:
    who = Kiosk(shop)
    address, body = f"/v1/visitors/{who.kiosk}", {"id": who.kiosk, "only": [who.bert]}
    for refused in (client.get(address), client.delete(address), client.delete(address, params={"dry_run": "true"})):
        assert (refused.status_code, refused.json()["code"]) == (409, "several_people")
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["users"] == [who.anna, who.bert]
        assert {each["user"] for each in refused.json()["joined_by"]} == {who.anna, who.bert}
        assert refused.json()["events"] == 9
    both = client.get(address, params={"only": [who.anna, who.bert]}).raise_for_status().json()
    assert len(both["events"]) == 9
    of_bert = client.get(address, params={"only": who.bert}).raise_for_status().json()
    assert client.request("DELETE", "/v1/visitors", json=body).json()["users"] == [who.bert]
    left = who.told(exported(client))
    assert left == {
        (who.kiosk, who.anna),
        (who.phone, None),
        (who.phone, who.anna),
        (who.page, None),
        (who.page, who.anna),
    }
    assert who.told(of_bert["events"]) & left == set()
