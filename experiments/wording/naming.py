"""How a metric is called: its title, what its values are, and what is counted of it."""

from collections.abc import Mapping
from typing import Final

from experiments.definitions.model import Quantity
from experiments.definitions.shop import Metric

MOST_TITLE: Final = 80
CONVERSIONS: Final = "conversions"
_NOUNS: Final[Mapping[str, str]] = {
    "Order Completed": "orders",
    "Order Refunded": "refunds",
    "Order Cancelled": "cancellations",
    "Survey Answered": "answers",
    "Product Viewed": "product views",
    "Product Added": "products added",
    "Checkout Started": "checkouts",
    "Ticket Opened": "tickets",
    "Recommendation Clicked": "clicks",
    "Recommendation Viewed": "views",
    "page": "page views",
}
_OF_MONEY: Final = frozenset({"Order Completed", "Order Refunded", "Order Cancelled"})
_AMOUNTS: Final = frozenset({"revenue", "total", "value"})
_SHARES: Final = frozenset({"proportion", "retention", "funnel", "csat"})


def title_of(metric: Metric) -> str:
    """How people call a metric: as its file says, else its name in words."""
    return (metric.title or metric.name.replace("_", " "))[:MOST_TITLE]


def noun_of(metric: Metric) -> str:
    """What is counted of a metric, such as orders, in the plural."""
    counted = metric.numerator.event if metric.numerator else metric.steps[-1] if metric.steps else metric.event
    return _NOUNS.get(counted or "", CONVERSIONS)


def quantity_of(metric: Metric) -> Quantity:
    """What the values of a metric are. A ratio of two numbers of events is a rate where its name ends in `rate` or
    `share`; a sum is of money where its field is an amount of an order, or its file says `money: true`."""
    if metric.type in _SHARES:
        return "rate"
    if metric.type == "nps":
        return "points"
    if metric.type in ("count", "ces"):
        return "number"
    above, below = metric.numerator, metric.denominator
    if above is None or below is None:
        return _quantity_of_sum(metric.event, metric.value, metric.money)
    if below.count and not above.count:
        return _quantity_of_sum(above.event, above.sum, above.money)
    return "rate" if metric.name.endswith(("rate", "share")) else "number"


def _quantity_of_sum(event: str | None, field: str | None, money: bool | None) -> Quantity:
    if (field or "").endswith("_seconds"):
        return "seconds"
    if money or (money is None and event in _OF_MONEY and field in _AMOUNTS):
        return "money"
    return "number"
