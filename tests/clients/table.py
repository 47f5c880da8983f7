"""The table of official clients: who sends what, as whom, by which address; a new client is a row of `CLIENTS`.

Each language has one small runner, which reads rows as JSON and answers what each of them sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Language = str  # python | node | browser
Identity = str  # anonymous | identified | numeric | empty

IDENTITIES: Final = ("anonymous", "identified", "numeric", "empty")
EXPERIMENTS: Final = ("banner", "colours")
TRACKS, EXPOSES = "tracks", "exposes"
# Client → its language and what it does: `tracks` sends calls, `exposes` is assigned and reports what was seen.
CLIENTS: Final[Mapping[str, tuple[Language, str]]] = {
    "segment-analytics-python": ("python", TRACKS),
    "rudder-sdk-python": ("python", TRACKS),
    "growthbook-python": ("python", EXPOSES),
    "openfeature-python": ("python", EXPOSES),
    "@segment/analytics-node": ("node", TRACKS),
    "@rudderstack/rudder-sdk-node": ("node", TRACKS),
    "@growthbook/growthbook": ("node", EXPOSES),
    "@openfeature/server-sdk": ("node", EXPOSES),
    "@segment/analytics-next": ("browser", TRACKS),
    "@rudderstack/analytics-js": ("browser", TRACKS),
    "growthbook-script": ("browser", EXPOSES),
    "@openfeature/web-sdk": ("browser", EXPOSES),
    # What clients of other languages send, to the paths that they have of themselves.
    "POST /v1/import": ("python", TRACKS),  # Java, .NET, Ruby and older PHP of Segment's
    "POST /v1/import/": ("python", TRACKS),
    "POST /v1/batch/": ("python", TRACKS),
    "POST /v1/track": ("python", TRACKS),  # and its siblings, one call each
    "POST /v1/t/": ("python", TRACKS),
    "POST /beacon/v1/batch": ("python", TRACKS),
    "POST /rudder/v1/batch": ("python", TRACKS),
    "POST /rudder/v1/track": ("python", TRACKS),
    "GET /v1/pixel/track": ("python", TRACKS),
    "POST /mp/collect": ("python", TRACKS),
}

TEXT_ALONE: Final = "@segment/analytics-node"  # it throws where an id is a number: a shop must make it text


@dataclass(frozen=True)
class Row:
    """One client as somebody, by one address."""

    client: str
    identity: Identity
    address: str
    number: int

    @property
    def name(self) -> str:
        return f"{self.client} {self.identity} {self.address}"

    @property
    def language(self) -> Language:
        return CLIENTS[self.client][0]

    @property
    def who(self) -> dict[str, Any]:
        """The ids that it is given."""
        number = 7_000_000 + self.number
        return {
            "anonymous": {"anonymousId": f"a-{self.number}"},
            "identified": {"anonymousId": f"a-{self.number}", "userId": f"u-{self.number}"},
            "numeric": {"userId": str(number) if self.client == TEXT_ALONE else number},
            "empty": {"anonymousId": f"a-{self.number}", "userId": ""},
        }[self.identity]

    @property
    def visitor(self) -> str | None:
        """The visitor id that its rows must have; None where the client makes its own."""
        makes_own = self.language == "browser" and CLIENTS[self.client][1] == TRACKS
        return self.who.get("anonymousId", None if makes_own else str(self.who.get("userId")))

    @property
    def user(self) -> str | None:
        """The user id that its rows must have."""
        return None if self.who.get("userId") in (None, "") else str(self.who["userId"])

    @property
    def sent(self) -> int:
        """How many rows there must be."""
        return len(EXPERIMENTS if CLIENTS[self.client][1] == EXPOSES else self.calls)

    @property
    def revenue(self) -> float:
        return (
            sum(call.get("properties", {}).get("revenue", 0) for call in self.calls)
            if CLIENTS[self.client][1] == TRACKS
            else 0
        )

    @property
    def calls(self) -> list[dict[str, Any]]:
        """What a client that tracks is told to send: ids of a shop that numbers everything where it is numeric."""
        numeric = self.identity == "numeric"
        product = 7_799 if numeric else "sku-17"
        order = {
            "order_id": 450_000_000 + self.number if numeric else f"o-{self.number}",
            "revenue": 12.5,
            "currency": "EUR",
            "products": [{"product_id": product, "price": 12.5, "quantity": 1}],
        }  # fmt: skip
        mark = {"row": self.name}
        viewed = {"product_id": product, **mark}
        if self.client in ("GET /v1/pixel/track", "POST /v1/t/", "POST /rudder/v1/track"):
            return [{"type": "track", "event": "Order Completed", "properties": {**order, **mark}}]
        if self.client == "POST /mp/collect":
            return [{"type": "track", "event": "Order Completed", "properties": {**order, **mark}},
                    {"type": "track", "event": "Product Viewed", "properties": viewed}]  # fmt: skip
        return [
            {"type": "identify", "traits": {"plan": "gold", **mark}},
            {"type": "page", "name": "Home", "properties": mark},
            {"type": "track", "event": "Order Completed", "properties": {**order, **mark}},
            {"type": "track", "event": "Product Viewed", "properties": viewed},
            {"type": "track", "event": "Experiment Viewed",
             "properties": {"experiment_id": "elsewhere", "variation_id": "b", **mark}},
        ]  # fmt: skip

    def told(self, service: str, key: str, secret: str) -> dict[str, Any]:
        """The row as a runner reads it."""
        return {
            "name": self.name, "client": self.client, "service": service, "key": key, "secret": secret,
            "who": self.who, "calls": self.calls, "experiments": EXPERIMENTS, "number": self.number,
        }  # fmt: skip


def rows(addresses: tuple[str, ...]) -> list[Row]:
    """Every client as everybody, by every address."""
    return [
        Row(client, identity, address, number)
        for number, (client, identity, address) in enumerate(
            (client, identity, address) for address in addresses for client in CLIENTS for identity in IDENTITIES
        )
    ]
