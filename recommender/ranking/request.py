"""What is asked of the recommender, and what comes back."""

from collections.abc import Mapping
from typing import Final

import msgspec

from recommender.model.frequency import Habit
from recommender.ranking.reasons import Because
from recommender.ranking.rules import Rules
from recommender.ranking.strategies import Strategy

NO_RULES: Final = Rules()


class Wish(msgspec.Struct, frozen=True):
    """One list that is asked for: `cart` holds ids.

    `bought` gives when products were bought last, of those that `habit` does not know.
    """

    strategy: Strategy
    limit: int
    fallback: Strategy = "popular"
    cart: tuple[str, ...] = ()
    habit: Habit | None = None
    bought: Mapping[str, float] = {}
    rules: Rules = NO_RULES


class Ranked(msgspec.Struct, frozen=True, omit_defaults=True, rename={"because": "reason"}):
    """One product of a list; `score` is relative to the best of its strategy, from 0 to 1 unless boosted.

    `product` is what the catalogue says that a page shows of it.
    """

    product_id: str
    score: float
    position: int
    because: Because
    product: msgspec.Raw | None = None


class Ranking(msgspec.Struct, frozen=True):
    """A list, and the strategy that served in place of the wished one (None when it served itself)."""

    items: tuple[Ranked, ...]
    fallback: Strategy | None
