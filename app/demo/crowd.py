"""A simulated crowd that visits the example shop and buys there, over the calls of real pages and a real backend."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Final

import httpx

from app.demo.shop import Product, SimulatedPerson, basket, buys, clicked
from kit.tasks import Tasks
from kit.time import now_utc

EXPERIMENTS: Final = ["free-shipping-banner", "checkout-reassurance", "front-page-products"]
CHOSEN_ANEW: Final = ("front-page-products",)  # whose variants are lists
SLOT: Final = "front-page"
BATCH: Final = 500
HISTORY_DAYS: Final = 90
REMEMBERED_AT_ONCE: Final = 200
MOST_AT_ONCE: Final = 400  # visitors; on a machine that is too slow for the rate fewer come
MEAN_STAY_SECONDS: Final = 3.0
LONGEST_STAY_SECONDS: Final = 15.0
OF_BACKEND: Final = ("Order Completed", "Order Refunded")  # with the visitor id, which the payment carried through
Event = dict[str, Any]


@dataclass(slots=True)
class Crowd:
    """The visitors that a seed draws; the counts are of what was sent and what could not be sent.

    Every second one has a past. Who is the n-th visitor, and what they do on the page that they are shown, is the same
    in every run, however fast it is: each person has a chance of their own. A run over an earlier one's data goes on
    with whoever comes next; the orders of those who come again all the same are known and count once.
    """

    page: httpx.AsyncClient  # with the publishable key
    backend: httpx.AsyncClient  # with the secret key
    products: tuple[Product, ...]
    seed: int
    visits: int = 0
    remembered: int = 0  # people with a past
    orders: int = 0
    failures: int = 0
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_AT_ONCE))

    async def remember(self, count: int) -> None:
        """Gives so many more people a past: sends their orders of the last 90 days, to recommend from."""
        now = now_utc()
        events: list[Event] = []
        for number in range(self.remembered, self.remembered + count):
            someone = self._someone("c", number)
            dice = someone.dice("past")
            for order in range(dice.randint(1, 5)):
                when = now - timedelta(days=dice.uniform(0.5, HISTORY_DAYS))
                events.append(self._order(someone, f"past-{order}", []) | {"timestamp": when.isoformat()})
        for start in range(0, len(events), BATCH):
            await send(self.backend, events[start : start + BATCH])
        self.remembered += count

    async def keep_visiting(self, visits_per_second: float) -> None:
        """Visits at a steady rate until cancelled; everybody comes once."""
        async with Tasks() as visits:
            visits.repeat(self._remember_more, "remembering people", 1.0)
            due = time.monotonic()
            while True:
                await self.places.acquire()
                visits.start(partial(self._visit, self.visitor(self.visits)), "a visit")
                self.visits += 1
                due = max(due + 1 / visits_per_second, time.monotonic() - 1)
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    def visitor(self, number: int) -> SimulatedPerson:
        """The n-th visitor, from 0: in turn somebody with a past and somebody new."""
        return self._someone("cv"[number % 2], number // 2)

    def earlier_visitor(self, number: int) -> SimulatedPerson:
        """The n-th of those who came before the first start, from 0."""
        return self._someone("e", number)

    def looks(self, visitor: SimulatedPerson, page_view: str) -> list[Event]:
        """That a visitor opens the front page and stays a while, in a page view of this id."""
        viewed = {"path": "/", "page_view_id": page_view}
        engaged_ms = int(1000 * self.stay_seconds(visitor) * visitor.dice("attention").uniform(0.6, 1.0))
        beat = {"pageViewId": page_view, "seq": 1, "engagedMs": engaged_ms, "final": True, "url": "/"}
        return [
            self._told(visitor, type="page", name="Front page", properties=viewed),
            self._told(visitor, type="engagement", **beat),
        ]

    @staticmethod
    def stay_seconds(visitor: SimulatedPerson) -> float:
        """How long a visitor stays on the page."""
        return min(LONGEST_STAY_SECONDS, visitor.dice("stay").expovariate(1 / MEAN_STAY_SECONDS))

    def deeds(self, visitor: SimulatedPerson, page: dict[str, Any]) -> list[Event]:
        """What the visitor does on the page that was answered: perhaps clicks a recommendation, perhaps buys."""
        banner = page["experiments"]["free-shipping-banner"]["payload"]["banner"] is not None
        shown = page.get("recommendations", {}).get(SLOT, {})
        by_id = {product.product_id: product for product in self.products}
        listed = {item["position"]: by_id.get(item["product_id"]) for item in shown.get("items", [])}
        picked = clicked(visitor, {place: product for place, product in listed.items() if product is not None})
        events: list[Event] = []
        if listed:
            seen = {"recommendation_id": shown["recommendation_id"]}
            events.append(self.track(visitor, "Recommendation Viewed", seen))
            for place, product in picked.items():
                click = seen | {"product_id": product.product_id, "position": place}
                events.append(self.track(visitor, "Recommendation Clicked", click))
        if buys(visitor, banner, bool(picked)):
            order = self._order(visitor, "order", list(picked.values()))
            bought = order["properties"]
            first = {"product_id": bought["products"][0]["product_id"]}
            events += [self.track(visitor, name, first) for name in ("Product Viewed", "Product Added")]
            events += [self.track(visitor, "Checkout Started", {"order_id": bought["order_id"]}), order]
            if visitor.dice("refund").random() < 0.04:
                refund = {key: bought[key] for key in ("order_id", "currency", "total")}
                events.append(self.track(visitor, "Order Refunded", refund))
        return events

    async def _remember_more(self) -> None:
        """Gives more people a past before they come."""
        if self.remembered - self.visits // 2 < REMEMBERED_AT_ONCE:
            try:
                await self.remember(REMEMBERED_AT_ONCE)
            except httpx.HTTPError:
                self.failures += 1

    def _someone(self, kind: str, number: int) -> SimulatedPerson:
        return SimulatedPerson.of(f"{self.seed}-{kind}{number}", self.products)

    async def _visit(self, visitor: SimulatedPerson) -> None:
        try:
            asked = {
                "visitor_id": visitor.visitor_id,
                "attributes": {"device": visitor.device},
                "experiments": EXPERIMENTS,
                "recommendations": [{"slot": SLOT}],
                "consent": visitor.consent,
            }
            answer = await self.page.post("/v1/personalize", json=asked)
            answer.raise_for_status()
            opened, beat = self.looks(visitor, f"{visitor.visitor_id}-page")
            await send(self.page, [opened])
            await asyncio.sleep(self.stay_seconds(visitor))
            deeds = self.deeds(visitor, answer.json())
            told = [deed for deed in deeds if deed["event"] in OF_BACKEND]
            await send(self.page, [beat, *(deed for deed in deeds if deed not in told)])
            if told:
                await send(self.backend, told)
                self.orders += 1
        except httpx.HTTPError:
            self.failures += 1
        finally:
            self.places.release()

    def _order(self, buyer: SimulatedPerson, name: str, picked: list[Product]) -> Event:
        lines = basket(buyer, name, self.products, picked)
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
            "order_id": f"{buyer.visitor_id}-{name}",
            "revenue": total,
            "total": total,
            "currency": "EUR",
            "products": bought,
        }
        return self.track(buyer, "Order Completed", order)

    def track(self, visitor: SimulatedPerson, event: str, properties: dict[str, Any]) -> Event:
        """Something that a visitor does."""
        return self._told(visitor, type="track", event=event, properties=properties)

    def _told(self, visitor: SimulatedPerson, **event: Any) -> Event:
        """An event of this visitor, with what they allow; the payment carried that through to the backend too."""
        return {**event, "anonymousId": visitor.visitor_id, "context": {"consent": {"resonate": visitor.consent}}}


async def send(client: httpx.AsyncClient, events: list[Event]) -> None:
    """Tells the service of events. Raises httpx.HTTPError."""
    answer = await client.post("/v1/batch", json={"batch": events})
    answer.raise_for_status()
