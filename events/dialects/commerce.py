"""What an event is worth: its money, its order and the products of it. Money is never guessed."""

from collections.abc import Sequence
from typing import Any, Final

from events.dialects.fields import Notes, noted, optional_id
from events.dialects.names import ORDER_COMPLETED, ORDERS
from events.dialects.validation import EventRefused
from kit.values import Unusable, first_identifier, identifier, kind_of, number

MAX_CURRENCY: Final = 8
MAX_REVENUE: Final = 1e9
MISSING_ORDER_ID: Final = "missing_order_id"
INVALID_PRODUCTS: Final = "invalid_products"


Line = tuple[str | None, float, float | None]  # product, quantity and price; a price that nobody told is None


def commerce(fields: dict[str, Any], name: str, properties: dict[str, Any], notes: Notes, instead: Any) -> None:
    """Adds value, currency, order and product lines of the event `name` to `fields`; the id of an order that names none
    is `instead`, where that is one. Raises Refused.
    """
    order = properties.get("order_id")
    if order is not None or name == ORDER_COMPLETED:
        _order(fields, name, order, notes, instead)
    told = "revenue" in properties or "total" in properties or "currency" in properties
    value = _money(fields, properties, notes) if told else None
    if "products" in properties:
        value = _products(fields, name, properties["products"], value, notes)
    elif properties.get("product_id") is not None:
        found = optional_id(properties["product_id"], "properties.product_id", notes)
        fields["product_ids"] = None if found is None else [found]
    if value is None and properties.get("value") is not None:
        plain = number(properties["value"])  # of any event: where it is no number it may mean anything
        value = plain if type(plain) is float and abs(plain) <= MAX_REVENUE else None
    fields["value"] = value


def _order(fields: dict[str, Any], name: str, told: Any, notes: Notes, instead: Any) -> None:
    found = identifier(told)
    if isinstance(found, str):
        fields["order_id"] = found
        return
    wrong = found or Unusable(MISSING_ORDER_ID, "an order needs its id, or a re-sent one counts twice")
    if name == ORDER_COMPLETED:
        other = identifier(instead)
        if type(other) is not str:
            raise EventRefused(MISSING_ORDER_ID, "properties.order_id", wrong.reason)
        fields["order_id"] = other
        wrong = Unusable(wrong.code, f"{wrong.reason}; the messageId stands in for it")
    elif found is None:
        return
    noted(notes, "properties.order_id", wrong)


def _money(fields: dict[str, Any], properties: dict[str, Any], notes: Notes) -> float | None:
    """Adds the currency; what the event is worth where it says so."""
    code = properties.get("currency")
    if code is not None:
        if type(code) is str and code and len(code) <= MAX_CURRENCY and code.isalnum():
            fields["currency"] = code.upper()
        else:
            wrong = Unusable("invalid_currency", "it must be an ISO 4217 code such as EUR")
            noted(notes, "properties.currency", wrong)
    revenue = _amount(properties.get("revenue"), "properties.revenue", notes)
    total = _amount(properties.get("total"), "properties.total", notes)
    return total if revenue is None else revenue


def _amount(value: Any, field: str, notes: Notes) -> float | None:
    """A number of money of at most 1e9 in size."""
    found = number(value)
    if type(found) is float:
        if abs(found) <= MAX_REVENUE:
            return found
        found = Unusable("number_too_large", "amounts may be at most 1e9")
    if isinstance(found, Unusable):
        noted(notes, field, found)
    return None


def _products(fields: dict[str, Any], name: str, products: Any, value: float | None, notes: Notes) -> float | None:
    """Adds the lines; gives what they are worth together where the order says nothing else."""
    listed = _listed(products, notes)
    if listed is None:
        return value
    lines = [line for index, product in enumerate(listed) if (line := _line(product, index, notes)) is not None]
    named = [line for line in lines if line[0] is not None]
    fields["product_ids"] = [line[0] for line in named]
    fields["quantities"] = [line[1] for line in named]
    fields["prices"] = [line[2] if line[2] is not None else 0.0 for line in named]
    if value is None and name in ORDERS and lines:
        value = _amount(sum([quantity * (price or 0.0) for _, quantity, price in lines]), "properties.products", notes)
    return value


def _listed(products: Any, notes: Notes) -> Sequence[Any] | None:
    """The products one by one; PHP writes a list with gaps as an object of its numbers."""
    if type(products) is list or products is None:
        return products
    wrong = f"it must be a list of objects, this is {kind_of(products)}"
    if type(products) is dict:
        told = [product for product in products.values() if type(product) is dict]
        if told:
            noted(notes, "properties.products", Unusable(INVALID_PRODUCTS, f"{wrong}; its values were taken"))
            return told
    noted(notes, "properties.products", Unusable(INVALID_PRODUCTS, wrong))
    return None


def _line(product: Any, index: int, notes: Notes) -> Line | None:
    """One product; None where it is none, or has an id, a quantity or a price that cannot be."""
    if type(product) is not dict:
        wrong = Unusable(INVALID_PRODUCTS, f"it must be an object, this is {kind_of(product)}; the line was left out")
        noted(notes, f"properties.products[{index}]", wrong)
        return None
    found = identifier(product.get("product_id"))
    if type(found) is not str:
        found = first_identifier((product.get("product_id"), product.get("sku")))
    quantity, price = number(product.get("quantity")), number(product.get("price"))
    if type(found) is str and type(quantity) is float and type(price) is float and quantity >= 0 and 0 <= price <= 1e9:
        return found, quantity, price
    place = f"properties.products[{index}]"
    if isinstance(found, Unusable):
        noted(notes, f"{place}.product_id", Unusable(found.code, f"{found.reason}; the line was left out"))
        return None
    if (type(quantity) is float and quantity < 0) or (type(price) is float and price < 0):
        wrong = Unusable(INVALID_PRODUCTS, "quantity and price may not be negative; the line was left out")
        noted(notes, place, wrong)
        return None
    if isinstance(quantity, Unusable):
        noted(notes, f"{place}.quantity", quantity)
    told = _amount(product.get("price"), f"{place}.price", notes)
    return found, quantity if type(quantity) is float else 1.0, told
