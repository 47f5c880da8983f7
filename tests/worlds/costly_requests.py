"""The costliest requests that are legal, as a search over routes and bodies found them; each is one more to be fair to.

They are asked of `DEFINITIONS`: sixty running experiments whose audiences take long to look at.
"""

import gzip
import json
from dataclasses import dataclass, field
from typing import Any, Final

EXPERIMENTS: Final = [f"experiment-{number}" for number in range(60)]
DEFINITIONS: Final = {
    f"{key}.yaml": (
        f"key: {key}\nstatus: running\naudience: {{where: {{version: {{$vgt: 1.{number}.0}}, cart: {{$gt: {number}}}, "
        "tags: {$elemMatch: {$regex: '^(a+)+$'}}}}\nvariants: [a, b]\ngoal: purchase_rate\n"
    )
    for number, key in enumerate(EXPERIMENTS)
}
LONG: Final = "a" * 2000 + "!"


@dataclass(frozen=True, slots=True)
class Costly:
    """One request; `keyed` says whether it comes with a publishable key."""

    name: str
    path: str
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    keyed: bool = True


def asking(name: str, path: str, body: Any, **options: Any) -> Costly:
    return Costly(name, path, json.dumps(body, separators=(",", ":")).encode(), **options)


EVENTS: Final = [{"type": "track", "event": "E", "anonymousId": f"v{number}"} for number in range(2500)]
EXPOSED: Final = [
    event
    | {"event": "Experiment Viewed", "properties": {"experiment_id": EXPERIMENTS[number % 60], "variation_id": "0"}}
    for number, event in enumerate(EVENTS)
]
PRODUCTS: Final = [f"sku-{number}" for number in range(100)]
ATTRIBUTES: Final = {"version": "1." + "9" * 250, "cart": "1" + "0" * 60, "tags": [LONG] * 8}
COSTLIEST: Final = (
    asking("a batch of 2,500 events", "/v1/batch", {"batch": EVENTS}),
    asking("a batch of 2,500 exposures", "/v1/batch", {"batch": EXPOSED}),
    asking("all flags, for attributes that take long", "/ofrep/v1/evaluate/flags",
           {"context": {"targetingKey": "v", **ATTRIBUTES}}),
    asking("all experiments exposed", "/v1/personalize",
           {"visitor_id": "v", "experiments": EXPERIMENTS, "attributes": ATTRIBUTES}),
    asking("two hundred unknown experiments", "/v1/personalize",
           {"visitor_id": "v", "experiments": [f"experiment-{number}-{'x' * 80}" for number in range(200)]}),
    asking("twenty lists for a hundred products each", "/v1/personalize", {"visitor_id": "v", "recommendations": [
        {"slot": f"s{number}", "items": PRODUCTS, "limit": 100} for number in range(20)]}),
    Costly("half a megabyte of brackets, packed", "/v1/batch", gzip.compress(b'{"batch":[' + b"[]," * 160_000 + b"1]}"),
           {"content-encoding": "gzip"}),
    Costly("counters", "/metrics", keyed=False),
    Costly("the description", "/openapi.json", keyed=False),
    asking("half a megabyte without a key", "/v1/batch", {"batch": EVENTS}, keyed=False),
)  # fmt: skip
