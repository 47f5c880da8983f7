"""What an event is worth: value, currency, order and product lines, as Segment's e-commerce events tell them."""

from typing import Any, Final

from events.dialects.admission import Refused, amount, identifier, number

ORDERS: Final = frozenset({"Order Completed", "Order Refunded", "Order Cancelled", "Checkout Started"})
MAX_CURRENCY: Final = 8


def commerce(fields: dict[str, Any], name: str, properties: dict[str, Any]) -> None:
    """Adds value, currency, order and product lines of the event `name` to `fields`. Raises Refused."""
    revenue = amount(properties.get("revenue"), "properties.revenue")
    total = amount(properties.get("total"), "properties.total")
    value = revenue if revenue is not None else total
    if "products" in properties:
        value = _products(fields, name, properties["products"], value)
    elif properties.get("product_id") is not None:
        fields["product_ids"] = [identifier(properties["product_id"], "properties.product_id")]
    fields["value"] = value if value is not None else _plain_value(properties)
    if properties.get("order_id") is not None:
        fields["order_id"] = identifier(properties["order_id"], "properties.order_id")
    elif name == "Order Completed":
        raise Refused("missing_order_id", "properties.order_id: an order needs its id, or a re-sent one counts twice")
    fields["currency"] = _currency(properties.get("currency"))


def _plain_value(properties: dict[str, Any]) -> float | None:
    value = properties.get("value")
    return amount(value, "properties.value") if type(value) is int or type(value) is float else None


def _products(fields: dict[str, Any], name: str, products: Any, value: float | None) -> float | None:
    if products is None:
        return value
    if type(products) is not list or not all(type(product) is dict for product in products):
        raise Refused("invalid_products", "properties.products: it must be a list of objects")
    lines = [_line(product, f"properties.products[{index}]") for index, product in enumerate(products)]
    named = [line for line in lines if line[0] is not None]
    fields["product_ids"] = [line[0] for line in named]
    fields["quantities"] = [line[1] for line in named]
    fields["prices"] = [line[2] if line[2] is not None else 0.0 for line in named]
    if value is None and name in ORDERS and lines:
        value = amount(sum(quantity * (price or 0.0) for _, quantity, price in lines), "properties.products")
    return value


def _line(product: dict[str, Any], field: str) -> tuple[str | None, float, float | None]:
    name = product.get("product_id")
    if name is None:
        name = product.get("sku")
    quantity = number(product.get("quantity"), f"{field}.quantity")
    price = amount(product.get("price"), f"{field}.price")
    if (quantity is not None and quantity < 0) or (price is not None and price < 0):
        raise Refused("invalid_products", f"{field}: quantity and price may not be negative")
    found = None if name is None else identifier(name, f"{field}.product_id")
    return found, 1.0 if quantity is None else quantity, price


def _currency(value: Any) -> str | None:
    if value is None:
        return None
    if type(value) is not str or not value or len(value) > MAX_CURRENCY or not value.isalnum():
        raise Refused("invalid_currency", "properties.currency: it must be an ISO 4217 code such as EUR")
    return value.upper()
