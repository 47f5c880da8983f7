"""One list in the making: rules before ranking, named fallbacks, groups and diversity, over one assortment."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from recommender.model.identifiers import Bools, Floats, Ints
from recommender.ranking import reasons
from recommender.ranking.assortment import NO_GROUP, NOTHING, Shelf
from recommender.ranking.candidates import Scratch
from recommender.ranking.reasons import Because
from recommender.ranking.request import Ranked, Ranking, Wish
from recommender.ranking.rules import Condition, Rules
from recommender.ranking.strategies import STRATEGIES, Scored, Situation, Strategy, scored

Places: TypeAlias = npt.NDArray[np.int64]


class Picks:
    """Places on the shelf in order, each with its score and the reason for it."""

    def __init__(self, shelf: Shelf, limit: int, diversity: float) -> None:
        self.shelf = shelf
        self.limit = limit
        self.cap = max(1, round(limit * (1 - diversity))) if diversity > 0 else limit
        self.items: dict[int, float] = {}
        self.because: dict[int, Because] = {}
        self._groups: set[int] = set()
        self._categories: dict[int, int] = {}

    @property
    def full(self) -> bool:
        return len(self.items) >= self.limit

    def offer(self, places: Ints, scores: Floats, *, strict: bool = True) -> list[int]:
        """Takes what fits, best first, and says what was new."""
        taken: list[int] = []
        left = self.limit - len(self.items)
        if left <= 0:
            return taken
        capped = self.cap < self.limit
        groups, categories = self.shelf.groups(places), self.shelf.category.take(places).tolist()
        for place, score, group, category in zip(places.tolist(), scores.tolist(), groups, categories, strict=True):
            if place in self.items:
                continue
            if strict and (group in self._groups or (capped and self._categories.get(category, 0) >= self.cap)):
                continue
            self.items[place] = score
            taken.append(place)
            if group != NO_GROUP:
                self._groups.add(group)
            if capped:
                self._categories[category] = self._categories.get(category, 0) + 1
            if len(taken) == left:
                break
        return taken

    def list(self) -> tuple[Ranked, ...]:
        """The products as they are shown."""
        shelf, because, products = self.shelf, self.because, self.shelf.products
        return tuple([
            Ranked(
                shelf.ids[place],
                round(score, 6),
                position,
                because.get(place) or reasons.popular(shelf, place),
                None if products is None else products.shown(place),
            )
            for position, (place, score) in enumerate(self.items.items(), 1)
        ])  # fmt: skip


def largest(values: Floats, places: Ints, count: int) -> Places:
    """Where the largest values stand, best first; equal ones in order of place on the shelf."""
    if len(values) <= count:
        return np.lexsort((places, -values))
    ordered = values.copy()
    ordered.partition(len(values) - count)
    where = (values >= ordered[len(values) - count]).nonzero()[0]
    order = np.lexsort((places.take(where), -values.take(where)))
    return where.take(order[:count])


def usual(labels: Ints, values: Floats, wanted: Ints) -> Floats:
    """The mean value of each wanted label among the labelled values; 0 where there is none."""
    size = int(max(labels.max(initial=-1), wanted.max(initial=-1))) + 1
    counts = np.bincount(labels, minlength=size)
    sums = np.bincount(labels, values, size)
    return (sums / np.maximum(counts, 1)).astype(np.float32)[wanted]


POOL: Final = 5  # times the limit: from so many of the best a list is put together
SMALLEST_POOL: Final = 50
CHUNK: Final = 256
BASKET_DAYS: Final = 1.0  # purchases this close to the last one count as the same basket
LATEST: Final = 5
LEAST: Final = -60.0  # exp of less is nothing


class Listing:
    """Puts one list together; `open_places` says of each place, and of −1, whether it is not blocked."""

    def __init__(self, shelf: Shelf, scratch: Scratch, open_places: Bools, wish: Wish, day: float) -> None:
        self.shelf, self.scratch, self.open_places, self.wish, self.day = shelf, scratch, open_places, wish, day
        self.masks: list[Bools] = [shelf.passing(condition) for condition in _conditions(wish.rules)]
        self.cart = shelf.find(wish.cart)

    def blocked(self) -> Ints:
        """The places of what is excluded by name, is in the cart, or was bought and need not be shown again."""
        rules, wish = self.wish.rules, self.wish
        exclude = wish.strategy == "for_you" if rules.exclude_purchased is None else rules.exclude_purchased
        days = rules.repurchase_after_days
        since = float("-inf") if days is None else self.day - days
        named = list(rules.exclude)
        if exclude:
            named += [product for product, last in wish.bought.items() if last > since]
        parts = [self.cart, self.shelf.find(named)] if named else [self.cart]
        habit = wish.habit
        if exclude and habit is not None:
            own = habit.items if days is None else habit.items[habit.last > since]
            parts.append(self.shelf.of_model.take(own))
        return np.concatenate(parts) if len(parts) > 1 else self.cart

    def ranking(self) -> Ranking:
        """The list, once what is blocked is not open any more."""
        wish = self.wish
        picks = Picks(self.shelf, wish.limit, wish.rules.diversity)
        self._accessories(picks)
        fallback: Strategy | None = None
        for strategy in (wish.strategy, wish.fallback):
            if picks.items:
                break
            self._strategy(picks, strategy)
            fallback = strategy if strategy != wish.strategy else None
        if not picks.items and wish.strategy != "popular":
            fallback = "popular"
        self._fill(picks)
        return Ranking(picks.list(), fallback)

    def allowed(self, places: Ints) -> Bools:
        """Which of the places may be shown."""
        mask = self.open_places.take(places)
        for passing in self.masks:
            mask &= passing.take(places)
        return mask

    def _strategy(self, picks: Picks, strategy: Strategy) -> None:
        shelf, wish = self.shelf, self.wish
        model, of_model = shelf.model, shelf.of_model
        if model is None or not shelf.size or strategy not in STRATEGIES:
            return
        pool = max(SMALLEST_POOL, POOL * wish.limit)
        newcomers = strategy in ("for_you", "bought_together") and len(shelf.newcomers) > 0
        situation = Situation(wish.habit, self._codes_at_hand(strategy), self.day)
        found = scored(
            model,
            strategy,
            situation,
            lambda codes: self.allowed(of_model.take(codes)),
            self.scratch,
            None if newcomers or wish.rules.boosts else pool,
        )
        if not len(found.items):
            return
        places = of_model.take(found.items)
        values = np.exp(np.maximum(found.scores - found.scores.max(), LEAST))
        if wish.rules.boosts:
            values *= self._boosts(places)
        if newcomers:
            places, values = self._with_newcomers(places, values)
        best = largest(values, places, pool)
        self._tell(picks, strategy, found, picks.offer(places.take(best), values.take(best)))

    def _tell(self, picks: Picks, strategy: Strategy, found: Scored, places: Iterable[int]) -> None:
        """The reasons for the places that a strategy has picked."""
        shelf, model = self.shelf, self.shelf.model
        if model is None:
            return
        codes = dict(zip(places, shelf.model_codes.take(list(places)).tolist(), strict=True))
        known = [place for place, code in codes.items() if code >= 0]
        chosen = np.array([codes[place] for place in known], np.int32)
        told = reasons.reasons(model, strategy, found, chosen, self.wish.habit, self.scratch)
        picks.because.update(zip(known, told, strict=True))
        picks.because.update((place, reasons.newcomer(shelf, place)) for place, code in codes.items() if code < 0)

    def _codes_at_hand(self, strategy: Strategy) -> Ints:
        """For what is bought together: the model's codes of the cart; without one, of the last purchases."""
        if strategy != "bought_together":
            return NOTHING
        codes = self.shelf.model_codes.take(self.cart)
        codes = np.array(sorted({code for code in codes.tolist() if code >= 0}), np.int32)
        habit = self.wish.habit
        if len(codes) or habit is None or self.wish.cart:
            return codes
        latest = np.argsort(-habit.last, kind="stable")[:LATEST]
        return habit.items[latest[habit.last[latest] >= habit.last.max() - BASKET_DAYS]]

    def _with_newcomers(self, places: Ints, values: Floats) -> tuple[Ints, Floats]:
        """Products that nobody bought yet get what their category and brand get on average."""
        shelf = self.shelf
        new = shelf.newcomers[self.allowed(shelf.newcomers)]
        category = usual(shelf.category.take(places), values, shelf.category.take(new))
        brand = usual(shelf.brand_codes(places), values, shelf.brand_codes(new))
        riding = category > 0
        new, share = new[riding], np.where(brand > 0, (category + brand) / 2, category)[riding]
        share = (share * self._boosts(new)).astype(np.float32)
        return np.concatenate([places, new]), np.concatenate([values, share])

    def _boosts(self, places: Ints) -> Floats:
        factors = np.ones(len(places), np.float32)
        for boost in self.wish.rules.boosts:
            mask = self.shelf.passing(Condition(boost.field, "$eq", (boost.value,)))
            factors[mask[places]] *= boost.factor
        return factors

    def _accessories(self, picks: Picks) -> None:
        """Pairs of the merchant serve for a product of the cart until purchases say what goes with it."""
        if self.wish.strategy != "bought_together" or not len(self.cart):
            return
        for main in self._unaccompanied().tolist():
            name = self.shelf.ids[main]
            pairs = self.shelf.find(self.wish.rules.accessories_of.get(name, ()))
            pairs = np.concatenate([pairs, self.shelf.accessories(main)])
            pairs = pairs[self.allowed(pairs)]
            for place in picks.offer(pairs, np.ones(len(pairs), np.float32)):
                picks.because[place] = reasons.accessory(name)

    def _unaccompanied(self) -> Ints:
        """Products of the cart of which purchases do not yet say what goes with them."""
        model = self.shelf.model
        if model is None:
            return self.cart
        codes = self.shelf.model_codes.take(self.cart)
        return self.cart[(codes < 0) | (model.arrays.neighbour_items[codes, 0] < 0)]

    def _fill(self, picks: Picks) -> None:
        """Goes down the list of what is popular until there are enough; groups and caps give way at the very end."""
        if picks.full:
            return
        lowest = min(picks.items.values(), default=1.0)
        for strict in (True, False):
            for chunk in self._popular_chunks():
                places = chunk[self.allowed(chunk)]
                picks.offer(places, self._shares(places, lowest), strict=strict)
                if picks.full:
                    return

    def _shares(self, places: Ints, lowest: float) -> Floats:
        """Scores of products that only fill up: below those that are there already."""
        most = float(self.shelf.popularity.max(initial=0.0))
        return lowest * self.shelf.popularity[places] / most if most > 0 else np.zeros(len(places), np.float32)

    def _popular_chunks(self) -> Iterator[Ints]:
        start, size = 0, CHUNK
        while start < self.shelf.size:
            yield self.shelf.order[start : start + size]
            start, size = start + size, size * 4


def _conditions(rules: Rules) -> Sequence[Condition]:
    if not rules.include:
        return rules.conditions
    return (*rules.conditions, Condition("product_id", "$in", rules.include))


class Ranker:
    """Puts lists together over one shelf; it owns the buffers, so one list at a time."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self._scratch = Scratch(shelf.model.size if shelf.model is not None else 0)
        self._open = np.ones(shelf.size + 1, np.bool_)  # what no wish blocks; the last one stands for no place (−1)
        self._open[-1] = False

    def rank(self, wish: Wish, day: float) -> Ranking:
        """The list. It has `limit` products whenever so many may be shown."""
        listing = Listing(self.shelf, self._scratch, self._open, wish, day)
        blocked = listing.blocked()
        self._open[blocked] = False
        try:
            return listing.ranking()
        finally:
            self._open[blocked] = True
            self._open[-1] = False

    def free(self, places: Ints) -> Bools:
        """Which of the places are not blocked for the list that is being made."""
        return self._open.take(places)
