"""A simulated crowd that visits the example shop and buys there, over the same HTTP calls that a real page makes."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import httpx

from app.demo.shop import Customer, Product, basket, buys, clicked, customer
from kit.tasks import Tasks

EXPERIMENTS: Final = ["free-shipping-banner", "checkout-reassurance", "front-page-products"]
SLOT: Final = "front-page"
BATCH: Final = 500
HISTORY_DAYS: Final = 90
REMEMBERED_AT_ONCE: Final = 200
MOST_AT_ONCE: Final = 400  # visitors; on a machine that is too slow for the rate fewer come
MEAN_STAY_SECONDS: Final = 3.0
LONGEST_STAY_SECONDS: Final = 15.0
Event = dict[str, Any]


@dataclass(slots=True)
class Crowd:
    """Visitors of one run; the counts are of what was sent and what could not be sent.

    `remembered` are the customers with a past.
    """

    client: httpx.AsyncClient
    products: tuple[Product, ...]
    dice: random.Random
    visits: int = 0
    remembered: int = 0
    orders: int = 0
    failures: int = 0
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_AT_ONCE))
    run: str = field(default_factory=lambda: f"{int(time.time()):x}")

    async def remember(self, count: int) -> list[Customer]:
        """Customers with a past: sends their orders of the last 90 days, to recommend from."""
        people = [self._person("c", self.remembered + number) for number in range(count)]
        self.remembered += count
        now = datetime.now(UTC)
        events = [
            self._order(person, now - timedelta(days=self.dice.uniform(0.5, HISTORY_DAYS)), [])
            for person in people
            for _ in range(self.dice.randint(1, 5))
        ]
        for start in range(0, len(events), BATCH):
            await self._send(events[start : start + BATCH])
        return people

    async def keep_visiting(self, known: Sequence[Customer], visits_per_second: float) -> None:
        """Visits at a steady rate until cancelled: every second one by a known customer, each of whom comes once."""
        waiting = list(known)
        self.dice.shuffle(waiting)
        async with Tasks() as visits:
            visits.repeat(partial(self._remember_more, waiting), "remembering customers", 1.0)
            due = time.monotonic()
            while True:
                await self.places.acquire()
                person = waiting.pop() if waiting and self.dice.random() < 0.5 else self._person("v", self.visits)
                visits.start(partial(self._visit, person), "a visit")
                self.visits += 1
                due = max(due + 1 / visits_per_second, time.monotonic() - 1)
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _remember_more(self, waiting: list[Customer]) -> None:
        """Lets more customers with a past come when those at hand have nearly all been here."""
        if len(waiting) < REMEMBERED_AT_ONCE:
            try:
                waiting += await self.remember(REMEMBERED_AT_ONCE)
            except httpx.HTTPError:
                self.failures += 1

    def _person(self, kind: str, number: int) -> Customer:
        categories = tuple(sorted({product.category for product in self.products}))
        return customer(f"{self.run}-{kind}{number}", categories, self.dice)

    async def _visit(self, person: Customer) -> None:
        try:
            asked = {
                "visitor_id": person.visitor_id,
                "attributes": {"device": person.device},
                "experiments": EXPERIMENTS,
                "recommendations": [{"slot": SLOT}],
            }
            answer = await self.client.post("/v1/personalize", json=asked)
            answer.raise_for_status()
            page = f"{self.run}-p{self.dice.getrandbits(48):x}"
            viewed = {"path": "/", "page_view_id": page}
            await self._send(
                [{"type": "page", "name": "Front page", "anonymousId": person.visitor_id, "properties": viewed}]
            )
            stayed_seconds = min(LONGEST_STAY_SECONDS, self.dice.expovariate(1 / MEAN_STAY_SECONDS))
            await asyncio.sleep(stayed_seconds)
            beat = {
                "type": "engagement",
                "messageId": f"{page}:1",
                "anonymousId": person.visitor_id,
                "pageViewId": page,
                "seq": 1,
                "engagedMs": int(1000 * stayed_seconds * self.dice.uniform(0.6, 1.0)),
                "final": True,
                "url": "/",
            }
            await self._send([beat, *self._deeds(person, answer.json())])
        except httpx.HTTPError:
            self.failures += 1
        finally:
            self.places.release()

    def _deeds(self, person: Customer, answer: dict[str, Any]) -> list[Event]:
        """What the visitor did while the page was open: perhaps clicked a recommendation, perhaps bought."""
        banner = answer["experiments"]["free-shipping-banner"]["payload"]["banner"] is not None
        shown = answer.get("recommendations", {}).get(SLOT, {})
        by_id = {product.product_id: product for product in self.products}
        items = {
            item["position"]: by_id[item["product_id"]]
            for item in shown.get("items", [])
            if item["product_id"] in by_id
        }
        picked = {at: product for at, product in items.items() if clicked(person, product.category, self.dice)}
        events: list[Event] = []
        if shown.get("items"):
            listed = {"recommendation_id": shown["recommendation_id"]}
            events.append(self._track(person, "Recommendation Viewed", listed))
            for position, product in picked.items():
                click = listed | {"product_id": product.product_id, "position": position}
                events.append(self._track(person, "Recommendation Clicked", click))
        if buys(banner, bool(picked), self.dice):
            self.orders += 1
            order = self._order(person, None, list(picked.values()))
            bought = order["properties"]
            first = {"product_id": bought["products"][0]["product_id"]}
            events += [self._track(person, name, first) for name in ("Product Viewed", "Product Added")]
            events += [self._track(person, "Checkout Started", {"order_id": bought["order_id"]}), order]
            if self.dice.random() < 0.04:
                refund = {key: bought[key] for key in ("order_id", "currency", "total")}
                events.append(self._track(person, "Order Refunded", refund))
        return events

    def _order(self, person: Customer, when: datetime | None, picked: list[Product]) -> Event:
        lines = basket(person, self.products, picked, self.dice)
        total = round(sum(product.price for product in lines), 2)
        bought = [
            {
                "product_id": product.product_id,
                "name": product.name,
                "category": product.category,
                "price": product.price,
                "quantity": 1,
            }
            for product in lines
        ]
        order = {
            "order_id": f"{self.run}-o{self.dice.getrandbits(48):x}",
            "revenue": total,
            "total": total,
            "currency": "EUR",
            "products": bought,
        }
        return self._track(person, "Order Completed", order) | ({"timestamp": when.isoformat()} if when else {})

    def _track(self, person: Customer, event: str, properties: dict[str, Any]) -> Event:
        return {"type": "track", "event": event, "anonymousId": person.visitor_id, "properties": properties}

    async def _send(self, events: list[Event]) -> None:
        answer = await self.client.post("/v1/batch", json={"batch": events})
        answer.raise_for_status()
