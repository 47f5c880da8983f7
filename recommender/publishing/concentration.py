"""What a training would put everywhere: products that grow from hardly any list of a strategy into very many.

A stranger who holds the key of a page can invent visitors and their orders, so growth that rests on what pages say is
no reason to show a product to everybody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from events.authority import Authority
from recommender.model.identifiers import Bools, Doubles, Ints
from recommender.model.model import Model
from recommender.model.purchases import UNKNOWN_NETWORK, Purchases
from recommender.ranking.candidates import Scratch
from recommender.ranking.request import Strategy
from recommender.ranking.strategies import Situation, scored
from recommender.training.prediction_tasks import TOP, best

MANY: Final = 0.10  # of a strategy's lists a product may not fill so much
FEW: Final = 0.02  # where it was in less than this before
PAGES: Final = 1_000  # products whose pages are looked at, the most bought of the live model
PEOPLE: Final = 500  # who are asked for
LATE_DAYS: Final = 1.0  # what was received so long before the live model's cut-off may not have been in the log by then
FEWEST_LISTS: Final = 20  # below so many a share says nothing


@dataclass(frozen=True, slots=True)
class Growth:
    """A product's share of the lists of a strategy, now and before; and who bought it since, by authority."""

    strategy: Strategy
    product: str
    share: float
    before: float
    customers: Mapping[str, int]
    networks: int

    def __str__(self) -> str:
        """As reports say it."""
        told = [f"{count} by {word}" for word, count in self.customers.items() if count or word != "proven"]
        told[:1] = [told[0].replace(" by ", " customers by ", 1)]
        networks = f" from {self.networks} network{'s' * (self.networks != 1)}" if self.networks else ""
        share = f"would stand in {self.share:.0%} of lists ({self.before:.0%} before)".replace("%", " %")
        return f'{self.strategy}: product "{self.product}" {share}: {", ".join(told)}{networks}'


def growths(live: Model, model: Model, purchases: Purchases, sold: Bools) -> list[Growth]:
    """The products that grow into more than MANY of a strategy's lists from less than FEW.

    `sold` says of each product of the model whether it can be shown, `purchases` are what it was trained on.
    """
    names = model.ids
    places = live.index.find_digests(model.arrays.id_digests)
    known = np.full(model.size, -1, np.int32)  # the place of each product in the live model
    known[model.arrays.id_places] = places
    shown = np.zeros(live.size, np.bool_)
    shown[known[(known >= 0) & sold]] = True
    pages = np.argsort(-live.arrays.popularity, kind="stable").astype(np.int32)
    pages = pages[shown[pages]][:PAGES]
    new = np.full(live.size, -1, np.int32)
    new[known[known >= 0]] = np.flatnonzero(known >= 0)
    people = np.intersect1d(live.arrays.customer_digests, model.arrays.customer_digests, assume_unique=True)
    people = people[:: max(1, len(people) // PEOPLE)][:PEOPLE]
    then = shares(live, pages, people, shown)
    now = shares(model, new[pages], people, sold)
    found: list[Growth] = []
    for strategy in sorted(now.keys() & then.keys()):
        before = np.where(known >= 0, then[strategy][known], 0) if live.size else np.zeros(model.size)
        for code in np.flatnonzero((now[strategy] > MANY) & (before < FEW)).tolist():
            customers, networks = _customers(purchases, code, live.at_day - LATE_DAYS)
            share = float(now[strategy][code])
            found.append(Growth(strategy, names[code], share, float(before[code]), customers, networks))
    return found


def shares(model: Model, pages: Ints, people: npt.NDArray[np.uint64], sold: Bools) -> dict[Strategy, Doubles]:
    """Of each product its share of a strategy's lists, 0 to 1, of strategies that make lists enough.

    Of `popular`, of which everybody gets one list, it is the product's part of what the list's products have together:
    the last place of the list goes from one product to the next every day. What only fills up a list is not in it.
    """
    found: dict[Strategy, Doubles] = {}
    scratch = Scratch(model.size)
    popularity = np.where(sold, model.arrays.popularity, 0).astype(np.float64)
    whole = float(np.sort(popularity)[::-1][:TOP].sum())
    if whole > 0:
        found["popular"] = popularity / whole
    habits = [habit for digest in people.tolist() if (habit := model.habit(digest)) is not None]
    asked: dict[Strategy, list[tuple[Situation, Ints]]] = {
        "bought_together": [(Situation(None, page, model.at_day), page) for page in np.split(pages, len(pages) or 1)],
        "for_you": [(Situation(habit, None, model.at_day), habit.items) for habit in habits],
    }
    for strategy, situations in asked.items():
        counts, lists = np.zeros(model.size), 0
        for situation, own in situations:
            allowed = sold.copy()
            allowed[own] = False
            answer = scored(model, strategy, situation, allowed.__getitem__, scratch)
            top = best(answer.items, answer.scores, TOP)
            counts[top] += 1
            lists += bool(len(top))
        if lists >= FEWEST_LISTS:
            found[strategy] = counts / lists
    return found


def _customers(purchases: Purchases, product: int, since: float) -> tuple[dict[str, int], int]:
    """Who bought a product since a day, by the highest authority that says so, and from how many networks pages did."""
    told = purchases.origins
    chosen = (purchases.products == product) & (told.received >= since)
    authority: dict[int, int] = {}
    for person, rank in zip(purchases.people[chosen].tolist(), told.authorities[chosen].tolist(), strict=True):
        authority[person] = max(rank, authority.get(person, rank))
    counts = {each.word: sum(rank == each for rank in authority.values()) for each in reversed(Authority)}
    of_pages = chosen & (told.authorities == Authority.PAGE) & (told.networks != UNKNOWN_NETWORK)
    return counts, len(np.unique(told.networks[of_pages]))
