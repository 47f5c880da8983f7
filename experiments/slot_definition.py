"""What a slot of `recommendations.yaml` means once it is read."""

from typing import Any

from pydantic import Field

from experiments.definition import Definition, Strategy


class Boost(Definition):
    """Products whose `field` (category, brand, product_id) is `value` have their score multiplied by `factor`."""

    field: str
    value: str
    factor: float


class Rules(Definition):
    """What may be shown in a slot, besides the order that the strategy gives it.

    `filter` holds conditions (GrowthBook language) by product field: category, brand, price, in_stock, group_id.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    boost: tuple[Boost, ...] = ()
    filter: dict[str, Any] = Field(default_factory=dict)
    exclude_purchased: bool | None = None
    repurchase_after_seconds: int | None = None
    accessories_of: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    diversity: float | None = None


class Slot(Definition):
    """A place on a page that shows recommended products."""

    name: str
    strategy: Strategy = "for_you"
    limit: int = 10
    fallback: Strategy = "popular"
    rules: Rules = Rules()
