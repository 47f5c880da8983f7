"""Products that a strategy may show a person, each with the terms of its score.

Buffers of the model's size in which the products of a request are summed up and looked up.

An item of −1 is an empty place: it falls into the last cell of each buffer, which stands for no product.
"""

import math
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from recommender.model.frequency import Habit
from recommender.model.identifiers import Floats, Ints
from recommender.model.model import BUY_AGAIN_TERMS, Model

MANY: Final = 2_000  # so much evidence is worth a look for what is weak in it
LEAST: Final = 1e-30  # a sum that is not 0
SAMPLE: Final = 8  # part of the evidence by which the weak is told


class Scratch:
    """Buffers that every request reuses; one request at a time."""

    def __init__(self, size: int) -> None:
        self._places = np.zeros(size + 1, np.intp)
        self._sums = np.zeros(size + 1, np.float32)

    def summed(self, items: Ints, values: Floats, more: Ints, best: int | None = None) -> tuple[Ints, Floats]:
        """Each product of `items` and `more` once (those of `more` last), and the sum of its values.

        Where `is_cut`, products of small sums are left out, unless they are in `more`: about `best` are kept or more,
        and none of a smaller sum than one that is left out.
        """
        codes = items.astype(np.intp)
        self._sums[codes] = 0
        if len(more):
            self._sums[more] = 0
        np.add.at(self._sums, codes, values)
        if best is not None and is_cut(len(codes), best):
            found = self._sums.take(items)
            sample = found[: len(found) // SAMPLE].copy()  # sums that reach the best of a part reach the best of all
            sample.partition(len(sample) - best)
            codes = codes.take((found >= max(sample[len(sample) - best], LEAST)).nonzero()[0])
        if len(more):
            codes = np.concatenate((codes, more.astype(np.intp)))
        places = np.arange(len(codes))
        self._places[codes] = places
        self._places[-1] = -1
        found = codes.take((self._places.take(codes) == places).nonzero()[0])  # where each stands for the last time
        return found.astype(np.int32), self._sums.take(found)

    def sums_at(self, wanted: Ints, items: Ints, values: Floats) -> Floats:
        """The sum of the values of each wanted product among the items."""
        self._sums[wanted] = 0
        codes = items.astype(np.intp)
        self._sums[codes] = 0
        np.add.at(self._sums, codes, values)
        return self._sums.take(wanted)

    def places(self, items: Ints, wanted: Ints) -> npt.NDArray[np.intp]:
        """For each of `items` its place in `wanted`, −1 where it is not there."""
        codes = items.astype(np.intp)
        self._places[codes] = -1
        self._places[wanted] = np.arange(len(wanted))
        return self._places.take(codes)


def is_cut(count: int, best: int | None) -> bool:
    """Whether so many values are enough to look for the best only."""
    return best is not None and count > max(MANY, 2 * SAMPLE * best)


ASKED: Final = 200  # own products that speak for others
SHORTLIST: Final = 300  # candidates that are looked at closely
NEWEST: Final = 30  # own products that say which of the others are due with them
SMALL: Final = 1e-9
_SMOOTHING: Final = 5.0  # purchases that a person without any is credited with


class Evidence(msgspec.Struct, frozen=True):
    """Which products speak for which: rows of `products`, each `items` of `strengths`, laid one after the other.

    An item of −1 is an empty place, of strength 0.
    """

    products: Ints
    items: Ints
    strengths: Floats

    def sources(self, places: npt.NDArray[np.intp]) -> Ints:
        """The products that speak in these places."""
        return self.products.take(places // (len(self.items) // len(self.products)))


class Candidates(msgspec.Struct, frozen=True):
    """Products (codes of the model, each once), the terms of each, and what speaks for them.

    Where only the best were wanted, `cut` says that there are others, of lower first terms than all but `kept_always`.
    """

    items: Ints
    terms: Floats
    evidence: Evidence
    kept_always: int = 0
    cut: bool = False


NO_EVIDENCE: Final = Evidence(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32))


def buy_again(model: Model, habit: Habit, day: float, scratch: Scratch) -> Candidates:
    """The person's own products."""
    own = habit.items
    rest = np.maximum(day - habit.last, 0.01)
    gap = (habit.last - habit.first) / np.maximum(habit.counts - 1, 1)
    newest = own.take((-habit.last).argsort(kind="stable")[:NEWEST])
    near = neighbourhood(model, newest)
    terms = np.empty((len(BUY_AGAIN_TERMS), len(own)), np.float32)
    np.log(habit.decayed + 0.01, terms[0])
    np.log(habit.recent + 0.01, terms[1])
    np.log(habit.counts, terms[2])
    np.log1p(rest, terms[3])
    terms[4] = np.where(habit.counts > 2, -np.abs(np.log((rest + 1) / (gap + 1))), -1.0)
    terms[5] = model.log_popularity.take(own)
    np.log(scratch.sums_at(own, near.items, near.strengths) + 0.01, terms[6])
    terms[7] = habit.decayed
    terms[8] = habit.recent
    np.sqrt(habit.decayed, terms[9])
    np.sqrt(habit.recent, terms[10])
    return Candidates(own, terms.T, Evidence(own, own, model.arrays.popularity.take(own)))


def for_you(model: Model, habit: Habit, day: float, scratch: Scratch) -> Candidates:
    """Products near the person's taste, and what many buy for the first time."""
    evidence = taste_evidence(model, habit)
    items, sums = scratch.summed(evidence.items, evidence.strengths, model.newest)
    arrays = model.arrays
    left = 0.5 ** ((day - habit.first) / model.weights.habit_half_life)
    category = affinity(arrays.category, arrays.category_share, habit, left)
    family = affinity(arrays.family, arrays.family_share, habit, left)
    terms = np.empty((3, len(items)), np.float32)
    np.sqrt(np.maximum(sums, 0), terms[0])
    category.take(arrays.category.take(items), out=terms[1])
    family.take(arrays.family.take(items), out=terms[2])
    return Candidates(items, terms.T, evidence)


def bought_together(
    model: Model, cart: Ints, habit: Habit | None, day: float, scratch: Scratch, best: int | None = None
) -> Candidates:
    """Products bought with those of the cart; of a known person also their own ones.

    The terms are each product's share of what speaks for it: of the cart's neighbours, of the own habits. With `best`
    only the products that the cart speaks for most are given, about so many or more.
    """
    weights = model.weights.together
    near = neighbourhood(model, cart)
    strengths = powered(near.strengths, weights.guest if habit is None else weights.known)
    new = None if habit is None else (scratch.places(habit.items, cart) < 0).nonzero()[0]
    own = cart[:0] if habit is None or new is None else habit.items.take(new)
    found, sums = scratch.summed(near.items, strengths, own, best)
    terms = np.zeros((2, len(found)), np.float32)
    np.divide(sums, max(float(strengths.sum()), SMALL), terms[0])
    if habit is not None and new is not None and len(new):
        again = buy_again(model, habit, day, scratch).terms @ np.array(model.weights.buy_again, np.float32)
        likely = np.exp(again - again.max()).take(new)
        np.divide(likely, max(float(likely.sum()), SMALL), terms[1, len(found) - len(new) :])  # own ones stand last
    said = Evidence(cart, near.items, strengths)
    return Candidates(found, terms.T, said, len(own), is_cut(len(near.items), best))


def powered(values: Floats, power: float) -> Floats:
    """values ** power, quickly for the powers that are tried."""
    if power == 1.5:
        return values * np.sqrt(values)
    return values if power == 1.0 else values**power


def taste_evidence(model: Model, habit: Habit) -> Evidence:
    """What the person's products say about others."""
    arrays = model.arrays
    own, left = habit.items[:ASKED], habit.decayed[:ASKED]
    rows = arrays.taste_row.take(own)
    known = (rows >= 0).nonzero()[0]
    if not len(known):
        return NO_EVIDENCE
    rows, own = rows.take(known), own.take(known)
    strengths = arrays.taste_weights.take(rows, 0)
    strengths *= np.minimum(left.take(known), 1.0)[:, None]
    return Evidence(own, arrays.taste_items.take(rows, 0).ravel(), strengths.ravel())


def neighbourhood(model: Model, products: Ints) -> Evidence:
    """What these products say about their neighbours."""
    arrays = model.arrays
    items, scores = arrays.neighbour_items.take(products, 0), arrays.neighbour_scores.take(products, 0)
    return Evidence(products, items.ravel(), scores.ravel())


def affinity(labels: Ints, shares: Floats, habit: Habit, left: Floats) -> Floats:
    """For each label how much more the person buys of it than everyone does, as a smoothed log ratio.

    That is log((own + s e) / ((total + s) e)) with e the label's share of all first purchases and s the smoothing.
    """
    ratio = np.bincount(labels.take(habit.items), left, len(shares))
    ratio /= np.maximum(shares, SMALL)
    ratio += _SMOOTHING
    np.log(ratio, ratio)
    ratio -= math.log(float(left.sum()) + _SMOOTHING)
    return ratio.astype(np.float32)
