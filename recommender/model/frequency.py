"""A person's own purchases: how often, how lately, how regularly."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from recommender.model.identifiers import Floats, Ints
from recommender.model.purchases import Purchases

LONGEST_HISTORY: Final = 1_000  # products of one person
SHORT: Final = 4.0  # the short memory forgets so many times as fast as the long one


@dataclass(frozen=True, slots=True)
class Habits:
    """Own purchases of all people: those of person c stand in [offsets[c], offsets[c + 1]), strongest first.

    `counts` are baskets; `decayed` and `recent` the baskets that a long and a short memory still hold at the cut-off;
    `last` and `first` are days since 1970.
    """

    offsets: npt.NDArray[np.int64]
    items: Ints
    counts: Floats
    decayed: Floats
    recent: Floats
    last: Floats
    first: Floats


@dataclass(frozen=True, slots=True)
class Habit:
    """Own purchases of one person; the arrays are as in `Habits`."""

    items: Ints
    counts: Floats
    decayed: Floats
    recent: Floats
    last: Floats
    first: Floats

    def __len__(self) -> int:
        return len(self.items)


def habits(purchases: Purchases, at_day: float, half_life_days: float) -> Habits:
    """What everyone bought, as it stands at `at_day`, of each person the strongest."""
    order = np.lexsort((purchases.products, purchases.people))  # stable: time stays in order inside
    people, items, days = purchases.people[order], purchases.products[order], purchases.days[order]
    fresh = np.ones(len(order), np.bool_)
    fresh[1:] = (people[1:] != people[:-1]) | (items[1:] != items[:-1])
    starts = np.flatnonzero(fresh)
    ends = np.append(starts[1:], len(order))
    age = at_day - days
    if not len(starts):
        nothing = np.empty(0, np.float32)
        return Habits(np.zeros(len(purchases.person_ids) + 1, np.int64), items, *(nothing for _ in range(5)))
    decayed, recent = (
        np.add.reduceat(0.5 ** (age / life), starts) for life in (half_life_days, half_life_days / SHORT)
    )
    people, columns = people[starts], (ends - starts, decayed, recent, days[ends - 1], days[starts])
    order = np.lexsort((-decayed, people))
    place = np.arange(len(order)) - np.searchsorted(people[order], people[order])
    order = order[place < LONGEST_HISTORY]
    counts = np.bincount(people[order], minlength=len(purchases.person_ids))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Habits(offsets, items[starts][order], *(column[order].astype(np.float32) for column in columns))
