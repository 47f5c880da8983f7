"""Shops whose visitors look, buy, answer surveys and ask for help: drawn, with all that goes wrong among them."""

import random
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hypothesis import strategies as st
from worlds.readout_studies import DAY, HOUR, START, Shop

from events.authority import Authority
from events.records import Record

CHANNELS = ("email", "chat", "phone")
SHOP_FILES = {
    "shop.yaml": (
        "timezone: Europe/Bratislava\n"
        "support_hours: {monday: 0:00-24:00, tuesday: 9:00-17:30, sunday: [1:00-4:00, 9:00-12:00]}\n"
        "targets: {csat: 60%, first_response: 30 hours, nps: 0}\n"
    )
}


@dataclass(frozen=True)
class DrawnExperience:
    """A shop of so many visitors over some days, drawn from a seed; its clocks are set in the meantime. Where
    `repeated`, people answer the same survey more than once.
    """

    seed: int
    days: int
    visitors: int
    repeated: bool

    @cached_property
    def records(self) -> list[Record]:
        """What happened."""
        chance, shop = random.Random(self.seed), Shop()
        for number in range(self.visitors):
            Visit(shop, chance, f"v{number}", self.days).happens(self.repeated)
        return [each for each in shop.records if each.time < START + self.days * DAY]


def experiences(most: int = 60) -> st.SearchStrategy[DrawnExperience]:
    """Shops of many visitors, and of few."""
    visitors = st.sampled_from((most, most, most // 2, most // 8, 1))
    return st.builds(DrawnExperience, st.integers(0, 2**32), st.integers(60, 110), visitors, st.booleans())


class Visit:
    """What one visitor does."""

    def __init__(self, shop: Shop, chance: random.Random, visitor: str, days: int) -> None:
        self.shop, self.chance, self.visitor = shop, chance, visitor
        self.since = START + chance.randrange(days * DAY)
        self.bot = chance.random() < 0.05
        self.user = f"u{chance.randrange(40)}" if chance.random() < 0.4 else None

    def later(self, most_days: float) -> int:
        """A moment at some time after the first."""
        return self.since + self.chance.randrange(round(most_days * DAY))

    def tell(self, event: str, time: int, authority: Authority = Authority.PAGE, **fields: Any) -> None:
        """An event of this visitor, who is known as a user now and then."""
        user = self.user if self.chance.random() < 0.5 else None
        self.shop.add(
            "track", self.visitor, time, event=event, authority=authority, user_id=user, bot=self.bot, **fields
        )

    def happens(self, repeated: bool) -> None:
        chance = self.chance
        device = chance.choice(["mobile", "desktop", None])
        self.shop.add("page", self.visitor, self.since, device=device, bot=self.bot)
        for _ in range(chance.randrange(4)):
            self.shop.add("page", self.visitor, self.later(45), device=device, bot=self.bot)
        for event in ("Product Viewed", "Checkout Started"):
            if chance.random() < 0.6:
                self.tell(event, self.later(3))
        for _ in range(chance.choice([0, 0, 1, 1, 2])):
            self.buys()
        for survey in ("csat", "nps", "ces", "after-chat"):
            if chance.random() < 0.6:
                self.answers(survey, chance.randrange(1, 4) if repeated else 1)
        for _ in range(chance.choice([0, 1, 1, 2, 3])):
            self.asks_for_help()

    def buys(self) -> None:
        """An order, of which a backend may tell once more, later and with another time."""
        order, time, value = f"o{len(self.shop.records)}", self.later(70), float(self.chance.randrange(1, 90))
        user = self.user if self.chance.random() < 0.5 else None
        fields: dict[str, Any] = {"order_id": order, "currency": "EUR", "user_id": user, "bot": self.bot}
        self.shop.buy(self.visitor, time, value, **fields)
        if self.chance.random() < 0.4:
            later = time + self.chance.randrange(HOUR)
            self.shop.buy(self.visitor, later, value, authority=Authority.BACKEND, **fields)

    def answers(self, survey: str, times: int) -> None:
        """A survey that is shown, and answered so often, at times off its scale."""
        kind = {"kind": self.chance.choice(["csat", "csat", "nps"])} if survey == "after-chat" else {}
        properties = {"survey": self.chance.choice([survey, survey.upper()]), **kind}
        if self.chance.random() < 0.7:
            self.tell("Survey Shown", self.later(20), properties={"survey": survey, **kind})
        for _ in range(times if self.chance.random() < 0.8 else 0):
            score = self.chance.choice([None, *map(float, range(12)), 4.5])
            told = {**properties, "channel": self.chance.choice(CHANNELS)}
            self.tell("Survey Answered", self.later(30), value=score, properties=told)

    def asks_for_help(self) -> None:
        """A ticket, of which all may be told twice or in a strange order; a page's word on it counts nothing."""
        chance = self.chance
        told: dict[str, Any] = {"ticket_id": f"t{len(self.shop.records)}", "channel": chance.choice(CHANNELS)}
        begin = self.later(5)
        if chance.random() < 0.95:
            self.tell("Ticket Opened", begin, Authority.BACKEND, properties=told)
        for _ in range(chance.choice([0, 1, 2, 2, 3])):
            answer = {**told, "by": chance.choice(["agent", "agent", "bot"])}
            self.tell("Ticket Answered", begin + chance.randrange(-HOUR, 4 * DAY), Authority.BACKEND, properties=answer)
        for event, often in (("Ticket Resolved", 0.8), ("Ticket Reopened", 0.3), ("Ticket Resolved", 0.5)):
            if chance.random() < often:
                time = begin + chance.randrange(12 * DAY)
                for _ in range(chance.choice([1, 1, 2])):
                    self.tell(event, time, Authority.BACKEND, properties=told)
        if chance.random() < 0.1:
            self.tell("Ticket Resolved", begin + HOUR, properties=told)
