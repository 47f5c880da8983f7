"""The four strategies: from a person's situation to products with scores, over the products that may be shown."""

from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np

from recommender.model.frequency import Habit
from recommender.model.identifiers import Bools, Floats, Ints
from recommender.model.model import DYNAMIC_FOR_YOU_TERMS, Model
from recommender.ranking import candidates
from recommender.ranking.candidates import NO_EVIDENCE, Candidates, Evidence, Scratch
from recommender.ranking.request import Strategy

BY_TASTE: Final = 200
BY_RISE: Final = 150
BASKET_DAYS: Final = 1.0  # purchases this close to the last one count as the same basket
LATEST: Final = 5

Eligible = Callable[[Ints], Bools]


class Situation(msgspec.Struct, frozen=True):
    """Who asks and where: own purchases (None for a stranger), the known products of the page or cart (None without
    one), the day since 1970."""

    habit: Habit | None
    cart: Ints | None
    day: float


class ProductScores(msgspec.Struct, frozen=True):
    """Products (each once) with their scores, the larger the better, and what speaks for them."""

    items: Ints
    scores: Floats
    evidence: Evidence


NO_SCORES: Final = ProductScores(np.empty(0, np.int32), np.empty(0, np.float32), NO_EVIDENCE)


def scored(
    model: Model,
    strategy: Strategy,
    situation: Situation,
    eligible: Eligible,
    scratch: Scratch,
    best: int | None = None,
) -> ProductScores:
    """The scores of a strategy; no products at all where it has nothing to go by.

    With `best` others may be missing, but none of those that score so high.
    """
    if strategy not in model.strategies:
        return NO_SCORES
    habit = situation.habit
    if strategy == "popular":
        items = model.most_popular
        counts = model.arrays.popularity.take(items)
        shown = (eligible(items) & (counts > 0)).nonzero()[0]
        return ProductScores(items.take(shown), np.log(counts.take(shown)), NO_EVIDENCE)
    if strategy == "bought_together":
        return _together(model, situation, eligible, scratch, best)
    if habit is None or not len(habit):
        return NO_SCORES
    if strategy == "buy_again":
        found = within(candidates.buy_again(model, habit, situation.day, scratch), eligible)
        return ProductScores(found.items, found.terms @ np.array(model.weights.buy_again, np.float32), found.evidence)
    found = shortlist(model, within(candidates.for_you(model, habit, situation.day, scratch), eligible))
    weights = np.array(model.weights.for_you[:DYNAMIC_FOR_YOU_TERMS], np.float32)
    return ProductScores(found.items, found.terms @ weights + model.rise.take(found.items), found.evidence)


def within(found: Candidates, eligible: Eligible) -> Candidates:
    """Those that may be shown: the rules act before anything is cut off."""
    mask = eligible(found.items)
    if mask.all():
        return found
    return _taken(found, mask)


def shortlist(model: Model, found: Candidates) -> Candidates:
    """The candidates nearest to the taste, and those that most people buy for the first time."""
    if len(found.items) <= candidates.SHORTLIST:
        return found
    mask = np.zeros(len(found.items), np.bool_)
    mask[(-found.terms[:, 0]).argpartition(BY_TASTE)[:BY_TASTE]] = True
    mask[(-model.arrays.rise_long.take(found.items)).argpartition(BY_RISE)[:BY_RISE]] = True
    return _taken(found, mask)


def together_scores(terms: Floats, own: float, both: float) -> Floats:
    """The likelihood of candidates of `bought_together`, as `weights.TogetherWeights` writes it."""
    cart, habit = terms[:, 0], terms[:, 1]
    if own == both == 0.0:
        return cart
    return ((1 - own) * cart + own * habit + both * np.sqrt(cart * habit)).astype(np.float32)


def _together(
    model: Model, situation: Situation, eligible: Eligible, scratch: Scratch, best: int | None
) -> ProductScores:
    """What goes with the cart; without one, with the last purchases."""
    habit, cart = situation.habit, situation.cart
    if cart is None and habit is not None:
        latest = np.argsort(-habit.last, kind="stable")[:LATEST]
        cart = habit.items[latest[habit.last[latest] >= habit.last.max(initial=0) - BASKET_DAYS]]
    if cart is None or not len(cart):
        return NO_SCORES
    found = candidates.bought_together(model, cart, habit, situation.day, scratch, best)
    found = within(found, eligible)
    if found.cut and best is not None and len(found.items) - found.kept_always < best:
        return _together(model, situation, eligible, scratch, None)
    weights = model.weights.together
    own, both = (0.0, 0.0) if habit is None else (weights.own, weights.both)
    scores = together_scores(found.terms, own, both)
    if not (scores > 0).all():
        said = (scores > 0).nonzero()[0]
        return ProductScores(found.items.take(said), np.log(scores.take(said)), found.evidence)
    return ProductScores(found.items, np.log(scores), found.evidence)


def _taken(found: Candidates, mask: Bools) -> Candidates:
    kept = mask.nonzero()[0]
    terms = found.terms.T.take(kept, 1).T  # each term's values lie side by side
    return Candidates(found.items.take(kept), terms, found.evidence, found.kept_always, found.cut)
