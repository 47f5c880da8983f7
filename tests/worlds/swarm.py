"""The shop of tastes as rows of a log, and a swarm of invented visitors who want one product to be in every list."""

import random
import time
from typing import Any

from worlds.shop_worlds import DAY, taste_lines

from events.authority import Authority
from events.records import Record

NOW_DAY = time.time() / 86_400


def told(part: list[tuple[str, str, str, float]], authority: int) -> list[Record]:
    """Lines of orders as rows of the log, moved to the present; who made them is their own word."""
    found: dict[str, dict[str, Any]] = {}
    for person, product, order, day in part:
        moment = round((day - DAY + NOW_DAY) * 86_400_000_000)
        found.setdefault(order, {"visitor_id": person, "time": moment, "product_ids": []})["product_ids"].append(
            product
        )
    made = {"type": "track", "event": "Order Completed", "authority": Authority(authority)}
    return [Record(message_id=f"m-{order}", order_id=order, **made, **each) for order, each in found.items()]


def swarm() -> list[tuple[str, str, str, float]]:
    """Lines of invented visitors who buy one product that one person bought long ago, with what others buy."""
    dice, names = random.Random(5), [product for _, product, _, _ in taste_lines()]
    return [
        (f"swarm-{n}", product, f"swarm-{n}", DAY - 0.001)
        for n in range(210) for product in {"dust", *dice.choices(names, k=12)}
    ]  # fmt: skip
