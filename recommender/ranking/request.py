"""What is asked of the recommender, and what comes back; nothing here needs numpy."""

from typing import Final, Literal

import msgspec

from recommender.ranking.rules import ListRules

Strategy = Literal["for_you", "buy_again", "bought_together", "popular"]
STRATEGIES: Final[tuple[Strategy, ...]] = ("for_you", "buy_again", "bought_together", "popular")
NO_RULES: Final = ListRules()


class PastPurchase(msgspec.Struct, frozen=True):
    """One product that a visitor bought, and when (days since 1970)."""

    product_id: str
    day: float


class ListRequest(msgspec.Struct, frozen=True):
    """One list that is asked for, and all that it depends on besides what is published and the time.

    `cart` holds the products of the page or the cart; `people` who asks, user before visitor; `purchases` what
    they bought lately.
    """

    strategy: Strategy
    limit: int
    fallback: Strategy = "popular"
    cart: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    purchases: tuple[PastPurchase, ...] = ()
    rules: ListRules = NO_RULES


class Because(msgspec.Struct, frozen=True, omit_defaults=True):
    """`type` says what kind of reason; `because` names products or a category; `support` counts what it rests on.

    The wire form leaves out what is not known.
    """

    type: str
    """Here: What kind of reason it is."""
    because: tuple[str, ...]
    """Here: The products or the category that it rests on."""
    support: int | None = None
    """How many orders or visitors it rests on."""
    every_days: int | None = None
    """How often the visitor buys it: every so many days."""


class ListItem(msgspec.Struct, frozen=True, omit_defaults=True, rename={"because": "reason"}):
    """One product of a list; `score` is relative to the best of its strategy, from 0 to 1 unless boosted.

    `product` is what the catalogue says that a page shows of it.
    """

    product_id: str
    """The id of a product, as the shop's catalogue has it."""
    score: float
    """How strongly it is recommended: 1 is the best of its strategy, unless boosted."""
    position: int
    """The place in the list, from 1."""
    because: Because
    """Here: Why it is recommended."""
    product: msgspec.Raw | None = None
    """What the catalogue knows of the product."""


class Ranking(msgspec.Struct, frozen=True):
    """A list, and the strategy that served in place of the wished one (None when it served itself)."""

    items: tuple[ListItem, ...]
    fallback: Strategy | None
