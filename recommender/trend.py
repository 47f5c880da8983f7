"""What is on the rise: purchases and first purchases of each product, the older the less."""

import numpy as np

from recommender.arrays import Floats
from recommender.purchases import Purchases


def popularity(purchases: Purchases, at_day: float, half_life_days: float) -> Floats:
    """How many baskets hold each product, each counted by what is left of it at `at_day`."""
    left = 0.5 ** ((at_day - purchases.days) / half_life_days)
    return np.bincount(purchases.products, left, len(purchases.product_ids)).astype(np.float32)


def first_time_buyers(purchases: Purchases, at_day: float, half_life_days: float) -> Floats:
    """How many customers bought each product for the first time, the older the less."""
    return popularity(purchases.where(purchases.first_purchases()), at_day, half_life_days)
