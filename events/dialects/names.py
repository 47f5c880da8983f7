"""Names of events that mean something to Resonate, however a shop spells them; every other name is what it is."""

from functools import lru_cache
from typing import Final

from events.records import SURVEYS, TICKETS
from events.scrubbing import name_of

ORDER_COMPLETED: Final = "Order Completed"
ORDER_REFUNDED: Final = "Order Refunded"
ORDERS: Final = frozenset({ORDER_COMPLETED, ORDER_REFUNDED, "Order Cancelled", "Checkout Started"})
EXPERIMENT_VIEWED: Final = "Experiment Viewed"
# A feature was asked for: no metric reads it, and it comes by the crowd. The latter is what the Python SDK says.
FEATURE_EVALUATED: Final = ("Feature Evaluated", "$$feature_evaluated")

# The e-commerce vocabulary of Segment's specification, and what Resonate reads beside it.
VOCABULARY: Final = (
    "Products Searched", "Product List Viewed", "Product List Filtered", "Promotion Viewed", "Promotion Clicked",
    "Product Clicked", "Product Viewed", "Product Added", "Product Removed", "Cart Viewed", "Checkout Started",
    "Checkout Step Viewed", "Checkout Step Completed", "Payment Info Entered", "Order Updated", ORDER_COMPLETED,
    ORDER_REFUNDED, "Order Cancelled", "Coupon Entered", "Coupon Applied", "Coupon Denied", "Coupon Removed",
    "Product Added to Wishlist", "Product Removed from Wishlist", "Wishlist Product Added to Cart", "Product Shared",
    "Cart Shared", "Product Reviewed", "Recommendation Viewed", "Recommendation Clicked", *sorted(SURVEYS),
    EXPERIMENT_VIEWED, *sorted(TICKETS),
)  # fmt: skip
OTHER_WORDS: Final = {
    "completedorder": ORDER_COMPLETED, "purchase": ORDER_COMPLETED, "refund": ORDER_REFUNDED,
}  # fmt: skip
_MEANT: Final = {name_of(name): name for name in VOCABULARY} | OTHER_WORDS


@lru_cache(maxsize=4096)
def meant_name(name: str) -> str:
    """The name that is meant, by letters and digits alone, whatever their case; one that means nothing to us stays."""
    return _MEANT.get(name_of(name), name)
