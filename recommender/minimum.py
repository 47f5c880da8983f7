"""How much must have been bought before a model may say more than what is popular."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from recommender.purchases import Purchases

ORDERS: Final = 200
CUSTOMERS: Final = 50  # with at least two products
PRODUCTS: Final = 10


@dataclass(frozen=True, slots=True)
class Amounts:
    """What a training has to go by."""

    orders: int
    customers: int
    products: int

    @classmethod
    def of(cls, purchases: Purchases) -> "Amounts":
        if not len(purchases):
            return cls(0, 0, 0)
        width = max(1, len(purchases.product_ids))
        pairs = np.unique(purchases.customers.astype(np.int64) * width + purchases.products)
        _, counts = np.unique(pairs // width, return_counts=True)
        return cls(purchases.orders, int((counts >= 2).sum()), len(np.unique(purchases.products)))

    def missing(self) -> list[str]:
        """What is too little, as sentences; empty when there is enough."""
        demands = (
            ("orders", self.orders, ORDERS),
            ("customers with two products", self.customers, CUSTOMERS),
            ("products bought", self.products, PRODUCTS),
        )
        return [f"{found} {name}, at least {needed} are needed" for name, found, needed in demands if found < needed]
