"""Small random shops whose logs hold every awkward thing at once, for the oracle and the other engines."""

import random
from dataclasses import replace
from typing import Any

from oracles.readout_oracle import DAY, World
from worlds.event_log import Received

from events.records import Record
from experiments.definitions.shop import Bound, Cap, Metric, RatioPart, Subtract

HOUR = DAY // 24
START = 1_774_396_800_000_000  # 2026-03-25: daylight saving time begins in Europe four days later
WEEK = 7 * 86_400

METRICS: tuple[Metric, ...] = (
    Metric(name="purchase_rate", type="proportion", event="Order Completed", window_seconds=WEEK),
    Metric(name="orders", type="count", event="Order Completed", window_seconds=3 * 86_400),
    Metric(
        name="revenue",
        type="mean",
        event="Order Completed",
        value="revenue",
        window_seconds=WEEK,
        cap=Cap(percentile=0.9),
        subtract=Subtract(event="Order Refunded", value="total", within_seconds=2 * 86_400),
    ),
    Metric(
        name="order_value",
        type="ratio",
        numerator=RatioPart(event="Order Completed", sum="revenue"),
        denominator=RatioPart(event="Order Completed"),
    ),
    Metric(
        name="engaged",
        type="mean",
        event="engagement",
        value="engaged_seconds",
        window_seconds=86_400,
        cap=Cap(fixed=40.0),
    ),
    Metric(name="engaged_estimate", type="mean", event="page", value="engaged_seconds", window_seconds=HOUR // 500_000),
    Metric(
        name="seconds_on_mobile_pages",
        type="ratio",
        numerator=RatioPart(event="page", sum="engaged_seconds", where={"device": "mobile"}),
        denominator=RatioPart(event="page"),
    ),
    Metric(name="funnel", type="funnel", steps=("page", "Product Added", "Order Completed"), window_seconds=3 * 86_400),
    Metric(name="returned", type="retention", event="page", from_seconds=86_400, to_seconds=3 * 86_400),
    Metric(name="nps", type="nps", event="Survey Answered", where={"survey": "nps"}),
    Metric(name="ces", type="ces", event="Survey Answered", where={"survey": "ces"}, want="down"),
    Metric(
        name="refund_rate",
        type="ratio",
        numerator=RatioPart(event="Order Refunded"),
        denominator=RatioPart(event="Order Completed"),
        want="down",
    ),
    Metric(
        name="app_revenue",
        type="mean",
        event="Order Completed",
        value="revenue",
        where={"channel": "app"},
        subtract=Subtract(event="Order Refunded", value="total"),
    ),
    Metric(
        name="damaged_rate",
        type="ratio",
        numerator=RatioPart(event="Order Refunded", where={"reason": "damaged"}),
        denominator=RatioPart(event="Order Completed", where={"channel": "app"}),
        want="down",
    ),
    Metric(
        name="items_per_order",
        type="ratio",
        numerator=RatioPart(event="Order Completed", sum="items", money=False),
        denominator=RatioPart(event="Order Completed"),
    ),
    Metric(
        name="margin_per_item",
        type="ratio",
        numerator=RatioPart(event="Order Completed", sum="margin"),
        denominator=RatioPart(event="Order Completed", sum="items", money=False),
    ),
    Metric(
        name="refunds_per_euro",
        type="ratio",
        numerator=RatioPart(event="Order Refunded"),
        denominator=RatioPart(event="Order Completed", sum="revenue"),
    ),
    Metric(name="items", type="mean", event="Order Completed", value="items", money=False, cap=Cap(fixed=3.0)),
    Metric(name="mobile_pages", type="count", event="page", where={"device": "mobile"}, window_seconds=86_400),
    Metric(
        name="revenue_cut_at_both_ends",
        type="mean",
        event="Order Completed",
        value="revenue",
        cap=Cap(percentile=0.8, low=Bound(percentile=0.2)),
        subtract=Subtract(event="Order Refunded", value="total"),
    ),
    Metric(
        name="order_value_cut",
        type="ratio",
        numerator=RatioPart(event="Order Completed", sum="revenue", cap=Cap(low=Bound(fixed=15.0))),
        denominator=RatioPart(event="Order Completed", cap=Cap(fixed=2.0, low=Bound(percentile=0.6))),
    ),
    Metric(name="backend_orders", type="count", event="Order Completed", source="backend"),
    Metric(
        name="backend_revenue",
        type="mean",
        event="Order Completed",
        value="revenue",
        subtract=Subtract(event="Order Refunded", value="total"),
        source="backend",
    ),
    Metric(name="proven_orders", type="count", event="Order Completed", where={"channel": "app"}, source="proven"),
    Metric(name="proven_funnel", type="funnel", steps=("page", "Order Completed"), source="proven"),
    Metric(name="proven_time", type="mean", event="engagement", value="engaged_seconds", source="proven"),
    Metric(name="cart_total", type="mean", event="Product Added", value="price", where={"gift": True}),
)


def world(seed: int, **changes: Any) -> World:
    """A shop of a few dozen visitors; the seed decides everything."""
    crowd = _Crowd(random.Random(seed))
    for number in range(crowd.random.randrange(8, 40)):
        crowd.visit(f"v{number}")
    crowd.webhooks()
    crowd.again()
    as_of = START + crowd.random.randrange(6, 14) * DAY
    made = World(tuple(crowd.events), "banner", ("control", "b", "c"), as_of, timezone="Europe/Bratislava")
    return replace(made, **changes)


class _Crowd:
    def __init__(self, chance: random.Random) -> None:
        self.random = chance
        self.events: list[Received] = []
        self.users = [f"u{number}" for number in range(6)]
        self.orders = 0

    def visit(self, visitor: str) -> None:
        chance = self.random
        user = chance.choice(self.users) if chance.random() < 0.4 else None
        exposed = START + chance.randrange(4 * DAY)
        for _ in range(chance.randrange(1, 3)):
            self.expose(visitor, user if chance.random() < 0.5 else None, exposed)
            exposed += chance.randrange(2 * DAY)
        for _ in range(chance.randrange(12)):
            self.act(visitor, user, START + chance.randrange(-6 * DAY, 10 * DAY))
        if chance.random() < 0.5:
            self.read(visitor, exposed - chance.randrange(HOUR // 60))
        self.browse(visitor, exposed - chance.randrange(HOUR))

    def expose(self, visitor: str, user: str | None, time: int) -> None:
        chance = self.random
        self.add(
            "exposure", time, visitor_id=visitor, user_id=user,
            experiment="banner" if chance.random() < 0.95 else "other",
            variant=chance.choice(["control", "b", "b", "c"]), phase=0 if chance.random() < 0.95 else 1,
            bot=chance.random() < 0.05, forged=chance.random() < 0.05, forced=chance.random() < 0.05,
            properties={"device": chance.choice(["mobile", "desktop"]), "plan": chance.randrange(2)},
        )  # fmt: skip

    def act(self, visitor: str, user: str | None, time: int) -> None:
        chance = self.random
        who: dict[str, Any] = {"visitor_id": visitor, "user_id": user if chance.random() < 0.5 else None}
        if user and chance.random() < 0.3:
            who = {"visitor_id": user, "user_id": user}
        kind = chance.random()
        if kind < 0.3:
            self.add("page", time, **who, device=chance.choice(["mobile", "desktop", None]))
        elif kind < 0.55:
            self.order(who, time)
        elif kind < 0.7:
            price = chance.choice([5, 7.5, "free"])
            self.add(
                "track", time, **who, event="Product Added", properties={"price": price, "gift": chance.random() < 0.5}
            )
        elif kind < 0.85:
            survey = chance.choice(["nps", "ces"])
            self.add(
                "track",
                time,
                **who,
                event="Survey Answered",
                value=float(chance.randrange(12)),
                properties={"survey": survey},
            )
        else:
            self.read(visitor, time)

    def order(self, who: dict[str, Any], time: int) -> None:
        chance = self.random
        self.orders += 1
        key = f"o{self.orders}" if chance.random() < 0.9 else None
        currency = chance.choice(["EUR", "EUR", "EUR", None, "USD"])
        value = chance.choice([10.0, 19.99, 250.5, 1.01])
        channel = {"channel": "app" if self.orders % 3 else "web", "items": self.orders % 4 + 1, "margin": value / 4}
        self.add(
            "track",
            time,
            **who,
            event="Order Completed",
            order_id=key,
            value=value,
            currency=currency,
            properties=channel,
        )
        while key and chance.random() < 0.5:  # told once more, by whomever
            authority, somebody = chance.choice([0, 1, 2, 2, 2]), f"v{chance.randrange(8)}"
            user, names = chance.choice(self.users), [(who["visitor_id"], who["user_id"]), (somebody, None)]
            names += [(user, user), (somebody, user), *([("", None)] * 3 if authority == 2 else [])]
            visitor, user_id = chance.choice(names)
            self.add(
                "track", time + chance.randrange(-HOUR, DAY), visitor_id=visitor, user_id=user_id,
                event="Order Completed", order_id=key, value=chance.choice([value + 1, value + authority, None]),
                currency=currency, authority=authority, properties=chance.choice([None, {"channel": "app"}]),
            )  # fmt: skip
            if chance.random() < 0.4:
                self.checkout(key, time, None)
        for number in range(chance.randrange(3)):
            reason = {"reason": "damaged" if (number + self.orders) % 2 else "late"}
            event = chance.choice(["Order Refunded", "Order Refunded", "Order Cancelled"])
            self.add(
                "track", time + chance.randrange(4 * DAY), **who, event=event, order_id=key,
                value=chance.choice([None, 3.0, -12.5]), authority=chance.choice([0, 1, 2, 2]),
                currency=(None, currency, "GBP", "EUR")[(number + self.orders) % 4],
                properties=reason | ({"refund_id": chance.choice(["r1", "r2", None])} if chance.random() < 0.3 else {}),
            )  # fmt: skip

    def read(self, visitor: str, time: int) -> None:
        chance = self.random
        view = f"p{len(self.events)}"
        if chance.random() < 0.8:
            self.add("page", time, visitor_id=visitor, page_view_id=view)
        for seq in range(chance.randrange(4)):
            beat = time + seq * 15_000_000 + chance.randrange(5_000_000)
            self.add(
                "engagement", beat, visitor_id=visitor, page_view_id=view,
                engaged_ms=seq * chance.choice([9_000, 15_000, 60_000]),
                properties={"seq": seq, "final": chance.random() < 0.5},
            )  # fmt: skip

    def browse(self, visitor: str, time: int) -> None:
        """Page views as a site without the snippet sends them."""
        chance = self.random
        for _ in range(chance.randrange(8)):
            self.add("page", time, visitor_id=visitor, device=chance.choice(["mobile", "desktop"]))
            time += chance.choice([0, 1, 40_000_000, HOUR // 3, HOUR // 2, HOUR])

    def webhooks(self) -> None:
        """Payments that know no visitor, some of which a checkout explains."""
        for number in range(self.random.randrange(6)):
            time, cart = START + self.random.randrange(6 * DAY), self.random.choice([None, ["a", "b"], ["c"]])
            self.add(
                "track", time, visitor_id="", event="Order Completed", order_id=f"w{number}", value=30.0,
                authority=2, product_ids=cart,
            )  # fmt: skip
            for _ in range(self.random.randrange(4)):
                self.checkout(f"w{number}", time, self.random.choice([cart, cart, ["c"], None]))

    def checkout(self, key: str, time: int, cart: list[str] | None) -> None:
        chance = self.random
        self.add(
            "track", time + chance.randrange(-2 * DAY, 2 * DAY), visitor_id=f"v{chance.randrange(8)}",
            user_id=chance.choice([None, None, *self.users]), event="Checkout Started", order_id=key,
            authority=chance.choice([0, 0, 0, 0, 1, 2]), product_ids=cart and chance.sample(cart, len(cart)),
        )  # fmt: skip

    def again(self) -> None:
        """Some messages arrive twice, the second time with another body."""
        for event in self.random.sample(self.events, len(self.events) // 10):
            fields = _fields(event.record) | {"authority": self.random.choice([event.record.authority, 0, 1, 2])}
            changed = Record(**fields | ({"value": 9_999.0} if event.record.value else {}))
            self.events.append(Received(changed, event.received_at + self.random.randrange(1, DAY)))

    def add(self, kind: str, time: int, **fields: Any) -> None:
        fields.setdefault("bot", self.random.random() < 0.03)
        fields.setdefault("authority", self.random.choice([0, 0, 0, 1, 2]))
        record = Record(
            message_id=f"m{len(self.events)}", type=kind, time=time, quarantined=self.random.random() < 0.02, **fields
        )
        late = self.random.choice([0, 0, 1_000, HOUR, DAY])
        self.events.append(Received(record, time + late + len(self.events)))


def _fields(record: Record) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__struct_fields__}
