"""From a wish to a list: rules before ranking, one of each group, diversity, and always as many as there are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from recommender import reasons
from recommender.arrays import Bools, Floats, Ints
from recommender.candidates import Scratch
from recommender.frequency import Habit
from recommender.reasons import Because
from recommender.rules import Condition, Rules
from recommender.shelf import NOTHING, Shelf
from recommender.strategies import STRATEGIES, Situation, Strategy, scored

Places: TypeAlias = npt.NDArray[np.int64]

POOL: Final = 5  # times the limit: from so many of the best a list is put together
SMALLEST_POOL: Final = 50
CHUNK: Final = 256
BASKET_DAYS: Final = 1.0  # purchases this close to the last one count as the same basket
LATEST: Final = 5


@dataclass(frozen=True, slots=True)
class Wish:
    """One list that is asked for: `cart` and `exclude` are ids, `bought` gives when each product was bought last."""

    strategy: Strategy
    limit: int
    fallback: Strategy = "popular"
    cart: tuple[str, ...] = ()
    habit: Habit | None = None
    bought: dict[str, float] = field(default_factory=dict[str, float])
    rules: Rules = field(default_factory=Rules)


@dataclass(frozen=True, slots=True)
class Ranked:
    """One product of a list; `score` is relative to the best of its strategy, from 0 to 1 unless boosted."""

    product_id: str
    score: float
    because: Because


@dataclass(frozen=True, slots=True)
class Ranking:
    """A list, and the strategy that served in place of the wished one (None when it served itself)."""

    items: tuple[Ranked, ...]
    fallback: Strategy | None


class Ranker:
    """Puts lists together over one shelf; it owns the buffers, so one list at a time."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.scratch = Scratch(shelf.model.size if shelf.model is not None else 0)
        self._blocked = np.zeros(shelf.size, np.bool_)

    def rank(self, wish: Wish, day: float) -> Ranking:
        """The list. It has `limit` products whenever so many may be shown."""
        listing = _Listing(self, wish, day)
        try:
            listing.block()
            return listing.ranking()
        finally:
            self._blocked[listing.blocked] = False

    def free(self, places: Ints) -> Bools:
        """Which of the places are not blocked for the list that is being made."""
        return ~self._blocked.take(places)

    def set_blocked(self, places: Ints) -> None:
        self._blocked[places] = True


class _Listing:
    """One list in the making."""

    def __init__(self, ranker: Ranker, wish: Wish, day: float) -> None:
        self.ranker, self.shelf, self.wish, self.day = ranker, ranker.shelf, wish, day
        self.blocked: Ints = NOTHING
        self.masks: list[Bools] = [self.shelf.passing(condition) for condition in _conditions(wish.rules)]
        self.cart = self.shelf.find(list(wish.cart))

    def block(self) -> None:
        """Takes out what is excluded by name, what is in the cart, and what was bought and need not be shown again."""
        named = [*self.wish.rules.exclude, *self._bought()]
        self.blocked = np.concatenate([self.cart, self.shelf.find(named)]) if named else self.cart
        self.ranker.set_blocked(self.blocked)

    def ranking(self) -> Ranking:
        picked = _Picked(self.shelf, self.wish.limit, self.wish.rules.diversity)
        self._accessories(picked)
        fallback: Strategy | None = None
        for strategy in dict.fromkeys((self.wish.strategy, self.wish.fallback)):
            if picked.items:
                break
            self._strategy(picked, strategy)
            fallback = strategy if strategy != self.wish.strategy else None
        if not picked.items and self.wish.strategy != "popular":
            fallback = "popular"
        self._fill(picked)
        return Ranking(tuple(picked.list()), fallback)

    def allowed(self, places: Ints) -> Bools:
        """Which of the places may be shown."""
        mask = self.ranker.free(places)
        for passing in self.masks:
            mask &= passing.take(places)
        return mask

    def _bought(self) -> list[str]:
        rules, wish = self.wish.rules, self.wish
        exclude = wish.strategy == "for_you" if rules.exclude_purchased is None else rules.exclude_purchased
        if not exclude:
            return []
        days = rules.repurchase_after_days
        since = float("-inf") if days is None else self.day - days
        return [product for product, last in wish.bought.items() if last > since]

    def _strategy(self, picked: "_Picked", strategy: Strategy) -> None:
        shelf, model = self.shelf, self.shelf.model
        if model is None or strategy not in STRATEGIES:
            return
        of_model = shelf.of_model

        def eligible(codes: Ints) -> Bools:
            places = of_model.take(codes)
            mask = self.allowed(places)
            mask &= places >= 0
            return mask

        situation = Situation(self.wish.habit, self._codes_at_hand(strategy), self.day)
        found = scored(model, strategy, situation, eligible, self.ranker.scratch)
        if not len(found.items):
            return
        top = float(found.scores.max())
        values = np.exp(np.maximum(found.scores - top, -60.0)).astype(np.float32)
        places = of_model[found.items]
        if self.wish.rules.boosts:
            values *= self._boosts(places)
        places, values, codes = self._with_newcomers(strategy, places, values, found.items)
        best = _largest(values, places, max(SMALLEST_POOL, POOL * self.wish.limit))
        picked.offer(places[best], values[best])
        taken = [place for place in best if places[place] in picked.items]
        known = np.array([place for place in taken if codes[place] >= 0], np.int64)
        chosen = codes[known].astype(np.int32)
        told = reasons.reasons(model, strategy, found, chosen, self.wish.habit, self.ranker.scratch)
        for place, because in zip(places[known].tolist(), told, strict=True):
            picked.because.setdefault(place, because)
        for place in taken:
            if codes[place] < 0:
                picked.because[int(places[place])] = reasons.newcomer(shelf, int(places[place]))

    def _codes_at_hand(self, strategy: Strategy) -> Ints:
        """For what is bought together: the model's codes of the cart; without one, of the last purchases."""
        if strategy != "bought_together":
            return NOTHING
        codes = self.shelf.model_codes[self.cart]
        codes = np.unique(codes[codes >= 0]).astype(np.int32)
        habit = self.wish.habit
        if len(codes) or habit is None or self.wish.cart:
            return codes
        latest = np.argsort(-habit.last, kind="stable")[:LATEST]
        return habit.items[latest[habit.last[latest] >= habit.last.max() - BASKET_DAYS]]

    def _with_newcomers(
        self, strategy: Strategy, places: Ints, values: Floats, codes: Ints
    ) -> tuple[Ints, Floats, Ints]:
        """Products that nobody bought yet get what their category and brand get on average."""
        shelf = self.shelf
        if not len(shelf.newcomers) or strategy in ("buy_again", "popular"):
            return places, values, codes
        new = shelf.newcomers[self.allowed(shelf.newcomers)]
        category = _usual(shelf.category[places], values, shelf.category[new])
        brand = _usual(shelf.brand_codes(places), values, shelf.brand_codes(new))
        riding = category > 0
        new, share = new[riding], np.where(brand > 0, (category + brand) / 2, category)[riding]
        share = (share * self._boosts(new)).astype(np.float32)
        none = np.full(len(new), -1, np.int32)
        return np.concatenate([places, new]), np.concatenate([values, share]), np.concatenate([codes, none])

    def _boosts(self, places: Ints) -> Floats:
        factors = np.ones(len(places), np.float32)
        for boost in self.wish.rules.boosts:
            mask = self.shelf.passing(Condition(boost.field, "$eq", (boost.value,)))
            factors[mask[places]] *= boost.factor
        return factors

    def _accessories(self, picked: "_Picked") -> None:
        """Pairs of the merchant serve for a product of the cart until purchases say what goes with it."""
        if self.wish.strategy != "bought_together":
            return
        for main in self._unaccompanied().tolist():
            name = self.shelf.ids[main]
            pairs = self.shelf.find(list(self.wish.rules.accessories_of.get(name, ())))
            pairs = np.concatenate([pairs, self.shelf.accessories(main)])
            pairs = pairs[self.allowed(pairs)]
            picked.offer(pairs, np.ones(len(pairs), np.float32))
            for place in pairs.tolist():
                picked.because.setdefault(place, reasons.accessory(name))

    def _unaccompanied(self) -> Ints:
        """Products of the cart of which purchases do not yet say what goes with them."""
        model = self.shelf.model
        if model is None:
            return self.cart
        codes = self.shelf.model_codes[self.cart]
        return self.cart[(codes < 0) | (model.arrays.neighbour_items[codes, 0] < 0)]

    def _fill(self, picked: "_Picked") -> None:
        """Goes down the list of what is popular until there are enough; groups and caps give way at the very end."""
        lowest = min(picked.items.values(), default=1.0)
        for strict in (True, False):
            for chunk in self._popular_chunks():
                if picked.full:
                    return
                places = chunk[self.allowed(chunk)]
                picked.offer(places, self._shares(places, lowest), strict=strict)

    def _shares(self, places: Ints, lowest: float) -> Floats:
        """Scores of products that only fill up: below those that are there already."""
        most = float(self.shelf.popularity.max(initial=0.0))
        return lowest * self.shelf.popularity[places] / most if most > 0 else np.zeros(len(places), np.float32)

    def _popular_chunks(self) -> Iterator[Ints]:
        start, size = 0, CHUNK
        while start < self.shelf.size:
            yield self.shelf.order[start : start + size]
            start, size = start + size, size * 4


class _Picked:
    """The products picked so far, in order, each with its score and the reason for it."""

    def __init__(self, shelf: Shelf, limit: int, diversity: float) -> None:
        self.shelf = shelf
        self.limit = limit
        self.cap = max(1, round(limit * (1 - diversity))) if diversity > 0 else limit
        self.items: dict[int, float] = {}
        self.because: dict[int, Because] = {}
        self._groups: set[str] = set()
        self._categories: dict[int, int] = {}

    @property
    def full(self) -> bool:
        return len(self.items) >= self.limit

    def offer(self, places: Ints, scores: Floats, *, strict: bool = True) -> None:
        """Takes what fits, best first: one of each group, and of a category no more than diversity lets in."""
        if self.full:
            return
        groups, categories = self.shelf.groups(places), self.shelf.category[places].tolist()
        for place, score, group, category in zip(places.tolist(), scores.tolist(), groups, categories, strict=True):
            if self.full:
                return
            if place in self.items or (strict and not self._fits(group, category)):
                continue
            self.items[place] = score
            self._groups.add(group)
            self._categories[category] = self._categories.get(category, 0) + 1

    def list(self) -> list[Ranked]:
        shelf = self.shelf
        return [
            Ranked(shelf.ids[place], score, self.because.get(place) or reasons.popular(shelf, place))
            for place, score in self.items.items()
        ]

    def _fits(self, group: str, category: int) -> bool:
        return not (group and group in self._groups) and self._categories.get(category, 0) < self.cap


def _conditions(rules: Rules) -> Sequence[Condition]:
    if not rules.include:
        return rules.conditions
    return (*rules.conditions, Condition("product_id", "$in", rules.include))


def _largest(values: Floats, places: Ints, count: int) -> Places:
    """Where the largest values stand, best first; equal ones in order of place on the shelf."""
    if len(values) > count:
        edge = np.partition(values, len(values) - count)[len(values) - count]
        where = np.flatnonzero(values >= edge)
    else:
        where = np.arange(len(values))
    return where[np.lexsort((places[where], -values[where]))][:count]


def _usual(labels: Ints, values: Floats, wanted: Ints) -> Floats:
    """The mean value of each wanted label among the labelled values; 0 where there is none."""
    size = int(max(labels.max(initial=-1), wanted.max(initial=-1))) + 1
    counts = np.bincount(labels, minlength=size)
    sums = np.bincount(labels, values, size)
    return (sums / np.maximum(counts, 1)).astype(np.float32)[wanted]
