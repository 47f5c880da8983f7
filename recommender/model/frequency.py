"""A customer's own purchases: how often, how lately, how regularly."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from recommender.model.identifiers import Floats, Ints
from recommender.model.purchases import Purchases

LONGEST_HISTORY: Final = 1_000  # products of one customer
SHORT: Final = 4.0  # the short memory forgets so many times as fast as the long one


@dataclass(frozen=True, slots=True)
class Habits:
    """Own purchases of all customers: those of customer c stand in [offsets[c], offsets[c + 1]), strongest first.

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
    """Own purchases of one customer; the arrays are as in `Habits`."""

    items: Ints
    counts: Floats
    decayed: Floats
    recent: Floats
    last: Floats
    first: Floats

    def __len__(self) -> int:
        return len(self.items)


def habits(purchases: Purchases, at_day: float, half_life_days: float) -> Habits:
    """What everyone bought, as it stands at `at_day`, of each customer the strongest."""
    order = np.lexsort((purchases.products, purchases.customers))  # stable: time stays in order inside
    customers, items, days = purchases.customers[order], purchases.products[order], purchases.days[order]
    fresh = np.ones(len(order), np.bool_)
    fresh[1:] = (customers[1:] != customers[:-1]) | (items[1:] != items[:-1])
    starts = np.flatnonzero(fresh)
    ends = np.append(starts[1:], len(order))
    age = at_day - days
    if not len(starts):
        nothing = np.empty(0, np.float32)
        return Habits(np.zeros(len(purchases.customer_ids) + 1, np.int64), items, *(nothing for _ in range(5)))
    decayed, recent = (
        np.add.reduceat(0.5 ** (age / life), starts) for life in (half_life_days, half_life_days / SHORT)
    )
    customers, columns = customers[starts], (ends - starts, decayed, recent, days[ends - 1], days[starts])
    order = np.lexsort((-decayed, customers))
    place = np.arange(len(order)) - np.searchsorted(customers[order], customers[order])
    order = order[place < LONGEST_HISTORY]
    counts = np.bincount(customers[order], minlength=len(purchases.customer_ids))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Habits(offsets, items[starts][order], *(column[order].astype(np.float32) for column in columns))
