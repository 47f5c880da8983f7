"""One list in the making: rules before ranking, named fallbacks, and always as many products as there are."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np

from recommender import reasons
from recommender.arrays import Bools, Floats, Ints
from recommender.picks import Picks, largest, usual
from recommender.rules import Condition, Rules
from recommender.scratch import Scratch
from recommender.shelf import NOTHING, Shelf
from recommender.strategies import STRATEGIES, Scored, Situation, Strategy, scored
from recommender.wishes import Ranking, Wish

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
