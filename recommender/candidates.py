"""Products that a strategy may show a customer, each with the terms of its score."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from recommender.arrays import Floats, Ints
from recommender.frequency import Habit
from recommender.model import Model

ASKED: Final = 200  # own products that speak for others
SHORTLIST: Final = 300  # candidates that are looked at closely
SMALL: Final = 1e-9
_SMOOTHING: Final = 5.0  # purchases that a customer without any is credited with


@dataclass(frozen=True, slots=True)
class Evidence:
    """Which products speak for which: `sources[i]` speaks for `items[i]` with `strengths[i]`."""

    sources: Ints
    items: Ints
    strengths: Floats


@dataclass(frozen=True, slots=True)
class Candidates:
    """Products (codes of the model, each once), the terms of each, and what speaks for them."""

    items: Ints
    terms: Floats
    evidence: Evidence


class Scratch:
    """Buffers of the model's size that every request reuses; one request at a time."""

    def __init__(self, size: int) -> None:
        self._places = np.zeros(size, np.intp)

    def summed(self, items: Ints, values: Floats, more: Ints) -> tuple[Ints, Floats]:
        """Each product of `items` and `more` once, and the sum of its values (0 for those only in `more`)."""
        everything = np.concatenate([items, more]) if len(more) else items
        codes, places = everything.astype(np.intp), np.arange(len(everything))
        self._places[codes] = places  # of equal products the last one stays
        last = self._places.take(codes)
        sums = np.bincount(last[: len(items)], values, len(everything))
        once = np.flatnonzero(last == places)
        return everything.take(once), sums.take(once).astype(np.float32)

    def places(self, items: Ints, wanted: Ints) -> npt.NDArray[np.intp]:
        """For each of `items` its place in `wanted`, −1 where it is not there."""
        codes = items.astype(np.intp)
        self._places[codes] = -1
        self._places[wanted] = np.arange(len(wanted))
        return self._places.take(codes)


NO_EVIDENCE: Final = Evidence(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32))


def buy_again(model: Model, habit: Habit, day: float, scratch: Scratch) -> Candidates:
    """The customer's own products."""
    arrays = model.arrays
    rest = np.maximum(day - habit.last, 0.01)
    gap = (habit.last - habit.first) / np.maximum(habit.counts - 1, 1)
    due = np.where(habit.counts > 2, -np.abs(np.log((rest + 1) / (gap + 1))), -1.0)
    own = habit.items
    newest = own[np.argsort(-habit.last, kind="stable")[:30]]
    items, sums = scratch.summed(*_flat(model, newest), own) if len(own) else (own, rest)
    together = np.zeros(len(own), np.float32)
    places = scratch.places(items, own)
    together[places[places >= 0]] = sums[places >= 0]
    terms = [
        np.log(habit.decayed + 0.01),
        np.log(habit.recent + 0.01),
        np.log(habit.counts),
        np.log1p(rest),
        due,
        model.log_popularity[own],
        np.log(together + 0.01),
        habit.decayed,
        habit.recent,
        np.sqrt(habit.decayed),
    ]
    return Candidates(own, np.stack(terms, 1).astype(np.float32), Evidence(own, own, arrays.popularity[own]))


def for_you(model: Model, habit: Habit, day: float, scratch: Scratch) -> Candidates:
    """Products near the customer's taste, and what many buy for the first time."""
    evidence = taste_evidence(model, habit)
    items, sums = scratch.summed(evidence.items, evidence.strengths, model.newest)
    return Candidates(items, _for_you_terms(model, habit, day, items, sums), evidence)


def together(model: Model, cart: Ints, habit: Habit | None, day: float, scratch: Scratch) -> Candidates:
    """Products bought with those of the cart; of a known customer also their own ones.

    The terms are each product's share of what speaks for it: of the cart's neighbours, of the own habits.
    """
    weights = model.weights.together
    sources, items, cosines = _evidence(model, cart)
    strengths = powered(cosines, weights.guest if habit is None else weights.known)
    own = np.setdiff1d(habit.items, cart) if habit is not None else cart[:0]
    found, sums = scratch.summed(items, strengths, own)
    terms = np.zeros((len(found), 2), np.float32)
    terms[:, 0] = sums / max(float(sums.sum()), SMALL)
    if habit is not None and len(own):
        places = scratch.places(found, habit.items)
        again = buy_again(model, habit, day, scratch).terms @ np.array(model.weights.buy_again, np.float32)
        likely = np.where(np.isin(habit.items, cart), 0, np.exp(again - again.max()))
        terms[:, 1] = np.where(places >= 0, likely[places], 0) / max(float(likely.sum()), SMALL)
    return Candidates(found, terms, Evidence(sources, items, strengths))


def powered(values: Floats, power: float) -> Floats:
    """values ** power, quickly for the powers that are tried."""
    if power == 1.5:
        return values * np.sqrt(values)
    return values if power == 1.0 else values**power


def taste_evidence(model: Model, habit: Habit) -> Evidence:
    """What the customer's products say about others."""
    arrays = model.arrays
    own = habit.items[:ASKED]
    rows = arrays.taste_row[own]
    known = rows >= 0
    rows, strengths = rows[known], np.minimum(habit.decayed[:ASKED][known], 1.0)
    items = arrays.taste_items.take(rows, 0).ravel()
    values = (arrays.taste_weights.take(rows, 0) * strengths[:, None]).ravel()
    sources = np.repeat(own[known], arrays.taste_items.shape[1])
    if items.min(initial=0) < 0:
        filled = np.flatnonzero(items >= 0)
        sources, items, values = sources.take(filled), items.take(filled), values.take(filled)
    return Evidence(sources, items, values)


def affinity(labels: Ints, shares: Floats, habit: Habit, left: Floats) -> Floats:
    """For each label how much more the customer buys of it than everyone does, as a smoothed log ratio."""
    own = np.bincount(labels[habit.items], left, len(shares))
    total = own.sum()
    expected = np.maximum(shares, 1e-9)
    return np.log((own + _SMOOTHING * expected) / ((total + _SMOOTHING) * expected)).astype(np.float32)


def _for_you_terms(model: Model, habit: Habit, day: float, items: Ints, sums: Floats) -> Floats:
    arrays = model.arrays
    left = 0.5 ** ((day - habit.first) / model.weights.habit_half_life)
    category = affinity(arrays.category, arrays.category_share, habit, left)
    family = affinity(arrays.family, arrays.family_share, habit, left)
    terms = np.empty((len(items), 3), np.float32)
    terms[:, 0] = np.sqrt(np.maximum(sums, 0))
    terms[:, 1] = category[arrays.category[items]]
    terms[:, 2] = family[arrays.family[items]]
    return terms


def _flat(model: Model, products: Ints) -> tuple[Ints, Floats]:
    _, items, strengths = _evidence(model, products)
    return items, strengths


def _evidence(model: Model, products: Ints) -> tuple[Ints, Ints, Floats]:
    """The neighbours of these products."""
    arrays = model.arrays
    items = arrays.neighbour_items.take(products, 0).ravel()
    scores = arrays.neighbour_scores.take(products, 0).ravel()
    sources = np.repeat(products, arrays.neighbour_items.shape[1])
    if items.min(initial=0) < 0:
        filled = np.flatnonzero(items >= 0)
        return sources.take(filled), items.take(filled), scores.take(filled)
    return sources, items, scores
