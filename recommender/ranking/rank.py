"""One list in the making: rules before ranking, named fallbacks, groups and diversity, over one assortment."""

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from recommender.model.frequency import Habit
from recommender.model.identifiers import Bools, Floats, Ints
from recommender.ranking import reasons
from recommender.ranking.assortment import NO_GROUP, Assortment, usual
from recommender.ranking.candidates import Scratch
from recommender.ranking.request import STRATEGIES, Because, ListItem, ListRequest, Ranking, Strategy
from recommender.ranking.rules import Condition
from recommender.ranking.strategies import Situation, scored

Places: TypeAlias = npt.NDArray[np.int64]


class Picks:
    """Places of the assortment in order, each with its score and the reason for it."""

    def __init__(self, assortment: Assortment, limit: int, diversity: float) -> None:
        self.assortment = assortment
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
        groups, categories = self.assortment.groups(places), self.assortment.category.take(places).tolist()
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

    def list(self) -> tuple[ListItem, ...]:
        """The products as they are shown."""
        assortment, because, products = self.assortment, self.because, self.assortment.products
        return tuple([
            ListItem(
                assortment.ids[place],
                round(score, 6),
                position,
                because.get(place) or reasons.popular(assortment, place),
                None if products is None else products.shown(place),
            )
            for position, (place, score) in enumerate(self.items.items(), 1)
        ])  # fmt: skip


def largest(values: Floats, places: Ints, count: int) -> Places:
    """Where the largest values stand, best first; equal ones in order of place."""
    if len(values) <= count:
        return np.lexsort((places, -values))
    ordered = values.copy()
    ordered.partition(len(values) - count)
    where = (values >= ordered[len(values) - count]).nonzero()[0]
    order = np.lexsort((places.take(where), -values.take(where)))
    return where.take(order[:count])


POOL: Final = 5  # times the limit: from so many of the best a list is put together
SMALLEST_POOL: Final = 50
CHUNK: Final = 256
LEAST: Final = -60.0  # exp of less is nothing


class Listing:
    """Puts one list together; `open_places` says of each place, and of −1, whether it is not blocked."""

    def __init__(
        self,
        assortment: Assortment,
        scratch: Scratch,
        open_places: Bools,
        request: ListRequest,
        habit: Habit | None,
        day: float,
    ) -> None:
        self.assortment, self.scratch, self.open_places = assortment, scratch, open_places
        self.request, self.cart = request, assortment.find(request.cart)
        codes = assortment.model_codes.take(self.cart)
        cart = np.array(sorted({code for code in codes.tolist() if code >= 0}), np.int32)
        self.situation = Situation(habit, cart if request.cart else None, day)
        self.masks: list[Bools] = [assortment.passing(condition) for condition in request.rules.conditions]
        if request.rules.include:
            self.masks.append(assortment.passing(Condition("product_id", "$in", request.rules.include)))

    def blocked(self) -> Ints:
        """The places of what is excluded by name, is in the cart, or was bought and need not be shown again."""
        rules, habit = self.request.rules, self.situation.habit
        days = rules.repurchase_after_days
        since = float("-inf") if days is None else self.situation.day - days
        named, parts = list(rules.exclude), [self.cart]
        if self.request.strategy == "for_you" if rules.exclude_purchased is None else rules.exclude_purchased:
            named += [bought.product_id for bought in self.request.purchases if bought.day > since]
            if habit is not None:
                own = habit.items if days is None else habit.items[habit.last > since]
                parts.append(self.assortment.of_model.take(own))
        if named:
            parts.append(self.assortment.find(named))
        return np.concatenate(parts) if len(parts) > 1 else self.cart

    def ranking(self) -> Ranking:
        """The list, once what is blocked is not open any more."""
        request = self.request
        picks = Picks(self.assortment, request.limit, request.rules.diversity)
        if request.strategy == "bought_together" and len(self.cart):
            self._accessories(picks)
        fallback: Strategy | None = None
        for strategy in (request.strategy, request.fallback):
            if picks.items:
                break
            self._strategy(picks, strategy)
            fallback = strategy if strategy != request.strategy else None
        if not picks.items and request.strategy != "popular":
            fallback = "popular"
        if not picks.full:
            self._fill(picks)
        return Ranking(picks.list(), fallback)

    def allowed(self, places: Ints) -> Bools:
        """Which of the places may be shown."""
        mask = self.open_places.take(places)
        for passing in self.masks:
            mask &= passing.take(places)
        return mask

    def _accessories(self, picks: Picks) -> None:
        """Pairs of the merchant serve for a product of the cart until purchases say what goes with it."""
        assortment, alone = self.assortment, self.cart
        if assortment.model is not None:
            codes = assortment.model_codes.take(alone)
            lonely, known = np.ones(len(alone), np.bool_), codes >= 0
            lonely[known] = assortment.model.arrays.neighbour_items[codes[known], 0] < 0
            alone = alone[lonely]
        for main in alone.tolist():
            name = assortment.ids[main]
            pairs = assortment.find(self.request.rules.accessories_of.get(name, ()))
            pairs = np.concatenate([pairs, assortment.accessories(main)])
            pairs = pairs[self.allowed(pairs)]
            for place in picks.offer(pairs, np.ones(len(pairs), np.float32)):
                picks.because[place] = reasons.accessory(name)

    def _strategy(self, picks: Picks, strategy: Strategy) -> None:
        """Offers what a strategy finds, and tells the reasons for what is taken."""
        assortment, model, request = self.assortment, self.assortment.model, self.request
        if model is None or not assortment.size or strategy not in STRATEGIES:
            return
        pool = max(SMALLEST_POOL, POOL * request.limit)
        newcomers = strategy in ("for_you", "bought_together") and len(assortment.newcomers) > 0
        found = scored(
            model,
            strategy,
            self.situation,
            lambda codes: self.allowed(assortment.of_model.take(codes)),
            self.scratch,
            None if newcomers or request.rules.boosts else pool,
        )
        if not len(found.items):
            return
        places = assortment.of_model.take(found.items)
        values = np.exp(np.maximum(found.scores - found.scores.max(), LEAST))
        if request.rules.boosts:
            values *= self._boosts(places)
        if newcomers:  # products that nobody bought yet get what their category and brand get on average
            new = assortment.newcomers[self.allowed(assortment.newcomers)]
            category = usual(assortment.category.take(places), values, assortment.category.take(new))
            brand = usual(assortment.brand_codes(places), values, assortment.brand_codes(new))
            riding = category > 0
            new, share = new[riding], np.where(brand > 0, (category + brand) / 2, category)[riding]
            share = (share * self._boosts(new)).astype(np.float32)
            places, values = np.concatenate([places, new]), np.concatenate([values, share])
        best = largest(values, places, pool)
        taken = np.array(picks.offer(places.take(best), values.take(best)), np.int32)
        codes = assortment.model_codes.take(taken)
        known, chosen = taken[codes >= 0].tolist(), codes[codes >= 0]
        because = reasons.reasons(model, strategy, found, chosen, self.situation.habit, self.scratch)
        picks.because.update(zip(known, because, strict=True))
        picks.because.update((place, reasons.newcomer(assortment, place)) for place in taken[codes < 0].tolist())

    def _boosts(self, places: Ints) -> Floats:
        factors = np.ones(len(places), np.float32)
        for boost in self.request.rules.boosts:
            mask = self.assortment.passing(Condition(boost.field, "$eq", (boost.value,)))
            factors[mask[places]] *= boost.factor
        return factors

    def _fill(self, picks: Picks) -> None:
        """Goes down the list of what is popular until there are enough; groups and caps give way at the very end.

        What only fills up scores below what is there already.
        """
        order, popularity = self.assortment.order, self.assortment.popularity
        lowest, most = min(picks.items.values(), default=1.0), float(popularity.max(initial=0.0))
        for strict in (True, False):
            start, size = 0, CHUNK
            while start < len(order) and not picks.full:
                places = order[start : start + size]
                places = places[self.allowed(places)]
                shares = lowest * popularity[places] / most if most > 0 else np.zeros(len(places), np.float32)
                picks.offer(places, shares, strict=strict)
                start, size = start + size, size * 4


class Ranker:
    """Puts lists together over one assortment; it owns the buffers, so one list at a time."""

    def __init__(self, assortment: Assortment) -> None:
        self.assortment = assortment
        self._scratch = Scratch(assortment.model.size if assortment.model is not None else 0)
        self._open = np.ones(assortment.size + 1, np.bool_)  # what nothing blocks; the last one is no place (−1)
        self._open[-1] = False

    def rank(self, request: ListRequest, habit: Habit | None, day: float) -> Ranking:
        """The list for a person of this habit. It has `limit` products whenever so many may be shown."""
        listing = Listing(self.assortment, self._scratch, self._open, request, habit, day)
        blocked = listing.blocked()
        self._open[blocked] = False
        try:
            return listing.ranking()
        finally:
            self._open[blocked] = True
            self._open[-1] = False
