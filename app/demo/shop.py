"""The example shop: its pages on a port of their own, and a crowd whose taste and true effect are known."""

import csv
import json
import random
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources.abc import Traversable
from threading import Thread
from types import MappingProxyType
from typing import Any, Final, Self

PURCHASE_RATE: Final = {True: 0.24, False: 0.08}  # without a banner, by whether the visitor clicked a recommendation
TRUE_LIFT: Final = 0.30  # what the free-shipping banner really does to the purchase rate
CONSENTS: Final = {"personal": 0.85, "measure": 0.12, "none": 0.03}  # what people allow who are asked
TASTES: Final = 2  # categories that a person likes
BROWSERS: Final = {  # by device, as browsers name themselves
    "desktop": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 "
    "Safari/537.36",
    "mobile": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Mobile/15E148 Safari/604.1",
    "tablet": "Mozilla/5.0 (iPad; CPU OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 "
    "Mobile/15E148 Safari/604.1",
}
CLICK_RATE: Final = {True: 0.06, False: 0.01}  # of one recommended product, by whether the person likes its category


@dataclass(frozen=True, slots=True)
class Product:
    """One row of the example catalogue; the price is in the shop's currency."""

    product_id: str
    name: str
    category: str
    price: float


@dataclass(frozen=True, slots=True)
class SimulatedPerson:
    """A simulated person: an id, a device and the categories they like."""

    visitor_id: str
    device: str
    tastes: frozenset[str]

    @classmethod
    def of(cls, visitor_id: str, products: Iterable[Product]) -> Self:
        """Whoever has this id: always the same person."""
        dice = random.Random(visitor_id)
        device = dice.choices(("desktop", "mobile", "tablet"), (0.5, 0.4, 0.1))[0]
        categories = sorted({product.category for product in products})
        return cls(visitor_id, device, frozenset(dice.sample(categories, TASTES)))

    @property
    def consent(self) -> str:
        """What this person allows when the shop asks."""
        return self.dice("consent").choices(tuple(CONSENTS), tuple(CONSENTS.values()))[0]

    def dice(self, occasion: str) -> random.Random:
        """This person's chance on one occasion: the same whenever, and after whatever else, it is asked for."""
        return random.Random(f"{self.visitor_id} {occasion}")


def read_products(file: Traversable) -> tuple[Product, ...]:
    """The example shop's catalogue."""
    return tuple(
        Product(row["product_id"], row["name"], row["category"], float(row["price"]))
        for row in csv.DictReader(file.read_text(encoding="utf-8").splitlines())
        if row["in_stock"] == "true"
    )


def buys(visitor: SimulatedPerson, banner: bool, clicked: bool) -> bool:
    """Whether this visit ends in an order: the truth that the readout has to find.

    Whoever found something to click buys more often; the banner lifts the rate of both kinds by the same factor.
    """
    return visitor.dice("purchase").random() < PURCHASE_RATE[clicked] * (1 + TRUE_LIFT * banner)


def basket(
    buyer: SimulatedPerson, order: str, products: Sequence[Product], clicked: Sequence[Product]
) -> list[Product]:
    """One to three products, nearly always liked ones; one that was clicked on, if any, is among them."""
    dice = buyer.dice(order)
    liked = [product for product in products if product.category in buyer.tastes]
    pool = liked if dice.random() < 0.9 else products
    lines = dice.sample(pool, dice.choices((1, 2, 3), (0.5, 0.3, 0.2))[0])
    if clicked and not any(product in clicked for product in lines):
        lines[0] = dice.choice(clicked)
    return lines


def clicked(visitor: SimulatedPerson, listed: Mapping[int, Product]) -> dict[int, Product]:
    """The recommended products that the visitor clicks on, by their places in the list."""
    dice = visitor.dice("clicks")
    return {
        place: product
        for place, product in listed.items()
        if dice.random() < CLICK_RATE[product.category in visitor.tastes]
    }


class _Page(SimpleHTTPRequestHandler):
    """A static page, or what is written for this run: by path its type and its bytes."""

    written: Mapping[str, tuple[str, bytes]] = MappingProxyType({})

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        found = self.written.get("/index.html" if path == "/" else path)
        if found is None:
            super().do_GET()
            return
        content_type, content = found
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name is the base class's)
        """Nothing: the demo's screen belongs to the readout."""


@contextmanager
def serving(folder: Traversable, config: Mapping[str, Any], port: int = 0) -> Generator[str]:
    """The address of the shop's pages while the block runs; `config` becomes `window.shop` of each page.

    Its `service` and `key` stand in the pages in the places of `%service%` and `%key%`.
    """
    written = {"/config.js": ("text/javascript", f"window.shop = {json.dumps(config)};\n".encode())}
    for each in folder.iterdir():
        if each.name.endswith(".html"):
            text = each.read_text(encoding="utf-8")
            for name in ("service", "key"):
                text = text.replace(f"%{name}%", str(config.get(name, "")))
            written[f"/{each.name}"] = ("text/html; charset=utf-8", text.encode())
    handler = type("_ShopPage", (_Page,), {"written": written})
    with ThreadingHTTPServer(("127.0.0.1", port), partial(handler, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
