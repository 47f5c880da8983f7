"""How purchases speak for others: a person once for each product and half-life, a network for a small part of a day.

Whoever sends many baskets, or invents many visitors, otherwise decides what everybody is shown. Own habits are no
concern of others and are not counted so.
"""

from typing import Final

import numpy as np

from events.authority import Authority
from recommender.model.identifiers import Bools, Doubles, Ints
from recommender.model.purchases import UNKNOWN_NETWORK, Purchases

HALF_LIFE_DAYS: Final = 28.0  # of what is popular, and of a pair that a person buys together
NETWORK_SHARE: Final = 0.05  # of the people whose pages told of orders that day, at most
NETWORK_PEOPLE: Final = 3  # so many at least: people share the addresses of offices and mobile carriers


def spans(days: Doubles, at_day: float, half_life_days: float) -> Ints:
    """How many half-lives ago each day was, in whole ones."""
    return np.floor((at_day - days) / half_life_days).astype(np.int32)


def once_each(purchases: Purchases, at_day: float, half_life_days: float) -> Purchases:
    """Of each person's lines of a product in one half-life the newest: one is 1, many are no more."""
    ages = spans(purchases.days, at_day, half_life_days).astype(np.int64)
    ages -= ages.min(initial=0)
    width, height = max(1, len(purchases.product_ids)), max(1, len(purchases.person_ids))
    keys = (ages * height + purchases.people) * width + purchases.products
    newest = len(keys) - 1 - np.unique(keys[::-1], return_index=True)[1]  # lines are in order of time
    chosen = np.zeros(len(keys), np.bool_)
    chosen[newest] = True
    return purchases.where(chosen)


def speaking(purchases: Purchases) -> Purchases:
    """The lines that may say something to others: of one network those of at most so many people a day.

    That is NETWORK_SHARE of all people of that day, those counted who are left. Only what pages tell has a network; a
    day is one on which the lines were received, whatever time they claim.
    """
    kept = np.ones(len(purchases), np.bool_)
    told = purchases.origins
    by_page = told.authorities == Authority.PAGE
    if not (by_page & (told.networks != UNKNOWN_NETWORK)).any():
        return purchases
    days = np.floor(told.received)
    lines = np.flatnonzero(by_page)
    lines = lines[np.argsort(days[lines], kind="stable")]
    for of_day in np.split(lines, np.flatnonzero(np.diff(days[lines])) + 1):
        kept[of_day] = _within(purchases.people[of_day], told.networks[of_day])
    return purchases.where(kept)


def _within(people: Ints, networks: Ints) -> Bools:
    """Which lines of one day are of the first people of their network."""
    pairs = networks.astype(np.int64) << 32 | people
    _, first, place = np.unique(pairs, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    network = networks[first]
    seats = np.empty(len(first), np.int64)  # how many people of the same network came before
    grouped = order[np.argsort(network[order], kind="stable")]
    counts = np.bincount(network + 1)
    seats[grouped] = np.arange(len(first)) - (np.cumsum(counts) - counts)[network[grouped] + 1]
    unknown, known = int(counts[0]), counts[1:]
    most = len(first)
    while True:
        fewer = max(NETWORK_PEOPLE, int(NETWORK_SHARE * (unknown + np.minimum(known, most).sum())))
        if fewer >= most:
            break
        most = fewer
    return ((network == UNKNOWN_NETWORK) | (seats < most))[place]
