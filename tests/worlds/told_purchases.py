"""Purchases of which it is known who told them, and from which network."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from events.authority import Authority
from recommender.model.purchases import UNKNOWN_NETWORK, LineCodes, Origins, Purchases, codes


class Told(NamedTuple):
    """One line of an order; times in days since 1970, `received` when it was made unless it says otherwise."""

    person: str
    product: str
    order: str
    day: float
    authority: Authority = Authority.BACKEND
    network: int = UNKNOWN_NETWORK
    received: float | None = None


def told_purchases(lines: Sequence[Told]) -> Purchases:
    """The lines as purchases."""
    person_ids, people = codes([f"u:{line.person}" for line in lines])
    product_ids, products = codes([line.product for line in lines])
    _, orders = codes([line.order for line in lines])
    days = np.array([line.day for line in lines], np.float64)
    received = np.array([line.day if line.received is None else line.received for line in lines], np.float64)
    authorities, networks = (
        np.array(column, np.int32) for column in zip(*((each.authority, each.network) for each in lines), strict=True)
    )
    told = Origins(authorities, networks, received)
    return Purchases.coded(LineCodes(people, products, orders), days, person_ids, product_ids, told)
