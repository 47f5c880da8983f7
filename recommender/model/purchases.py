"""What was bought, as columns: the input of every model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from events.authority import Authority
from events.records import user_person
from recommender.model.identifiers import Bools, Doubles, Ints


class LineCodes(NamedTuple):
    """Codes from 0 of the person, the product and the basket of each line."""

    people: Ints
    products: Ints
    baskets: Ints


UNKNOWN_NETWORK: Final = -1


class Origins(NamedTuple):
    """Who told each line: how far it is believed (`events.authority`), a code of the network that it came from, and the
    day since 1970 on which it was received."""

    authorities: Ints
    networks: Ints
    received: Doubles

    def at(self, chosen: "Bools | npt.NDArray[np.intp]") -> "Origins":
        """Those of some lines."""
        return Origins(self.authorities[chosen], self.networks[chosen], self.received[chosen])


@dataclass(frozen=True, slots=True)
class Purchases:
    """Lines of baskets, one per basket and product, in order of time.

    `people`, `products`, `baskets` are codes from 0; `days` is when, in days since 1970 UTC. `person_ids` and
    `product_ids` give the text of each code.
    """

    people: Ints
    products: Ints
    baskets: Ints
    days: Doubles
    person_ids: Sequence[str]
    product_ids: Sequence[str]
    origins: Origins

    @classmethod
    def of(
        cls, people: Sequence[str], products: Sequence[str], orders: Sequence[str], days: Sequence[float]
    ) -> "Purchases":
        """Purchases of users from one text of each kind a line."""
        person_ids, person_codes = codes([user_person(each) for each in people])
        product_ids, product_codes = codes(products)
        _, order_codes = codes(orders)
        coded = LineCodes(person_codes, product_codes, order_codes)
        return cls.coded(coded, np.asarray(days, np.float64), person_ids, product_ids)

    @classmethod
    def coded(
        cls,
        lines: "LineCodes",
        days: Doubles,
        person_ids: Sequence[str],
        product_ids: Sequence[str],
        origins: Origins | None = None,
    ) -> "Purchases":
        """Purchases from codes, in any order; a product twice in a basket counts once.

        Without `origins` they are the merchant's own word.
        """
        key = lines.baskets.astype(np.int64) * max(1, len(product_ids)) + lines.products
        _, first = np.unique(key, return_index=True)
        order = first[np.argsort(days[first], kind="stable")]
        people, products, baskets = (column[order] for column in lines)
        told = _merchants(days) if origins is None else origins
        return cls(people, products, baskets, days[order], person_ids, product_ids, told.at(order))

    def __len__(self) -> int:
        return len(self.days)

    @property
    def start(self) -> float:
        """The day of the first line; 0 when there is none."""
        return float(self.days[0]) if len(self) else 0.0

    @property
    def orders(self) -> int:
        """How many baskets there are."""
        return len(np.unique(self.baskets))

    def before(self, day: float) -> "Purchases":
        """The lines before a day."""
        return self.where(self.days < day)

    def during(self, start: float, end: float) -> "Purchases":
        """The lines in [start, end)."""
        return self.where((self.days >= start) & (self.days < end))

    def where(self, chosen: Bools) -> "Purchases":
        """Some of the lines; codes stay what they are."""
        return replace(
            self,
            people=self.people[chosen],
            products=self.products[chosen],
            baskets=self.baskets[chosen],
            days=self.days[chosen],
            origins=self.origins.at(chosen),
        )

    def first_purchases(self) -> Bools:
        """Which lines are a person's first of that product."""
        key = self.people.astype(np.int64) * max(1, len(self.product_ids)) + self.products
        first = np.zeros(len(self), np.bool_)
        first[np.unique(key, return_index=True)[1]] = True  # lines are in order of time
        return first


def _merchants(days: Doubles) -> Origins:
    authorities = np.full(len(days), int(Authority.BACKEND), np.int32)
    return Origins(authorities, np.full(len(days), UNKNOWN_NETWORK, np.int32), days)


def codes(texts: Sequence[str]) -> tuple[list[str], Ints]:
    """The distinct texts in order of appearance, and the code of each text."""
    known: dict[str, int] = {}
    coded = np.fromiter((known.setdefault(text, len(known)) for text in texts), np.int32, len(texts))
    return list(known), coded
