"""Drawn shops whose logs an engine reads: novelty, delay, refunds, other currencies, answers, a stop, odd weights."""

import random
from pathlib import Path

from worlds.catalog_folders import catalog_in
from worlds.event_log import received, write_log
from worlds.readout_studies import DAY, HOUR, START, CheckedReadouts, Definitions, Shop

from events.engines.duckdb import EventLog
from experiments.readout.read import Readouts
from kit.time import moment_of

METHODS = ("anytime", "planned", "fixed", "bayesian")
WEIGHTS = ("50, 50", "50, 50", "90, 10", "10, 90", "98, 2")
ENDS = ("", "", "end: 2026-01-11\n", "end: 2026-01-24\n", "start: 2026-01-07\n", "start: 2026-01-03\nend: 2026-01-12\n")
READ = """
goals: [purchase_rate, revenue_per_visitor]
secondary: [average_order_value, return_d7]
guardrails: {refund_rate: {max_harm: 10%, require: safe}}
"""


def drawn_shop(seed: int, visitors: int = 250) -> tuple[Shop, dict[str, str]]:
    """A log, and by method a definition that reads it."""
    chance, shop = random.Random(seed), Shop()
    weights, dates = chance.choice(WEIGHTS), chance.choice(ENDS)
    effect, later, delay = chance.choice([0, 0.8, 1.5, -0.9]), chance.choice([0, 0.5, -0.8]), chance.choice([0, 0, 4])
    turns, rate, enrols = chance.choice([2, 99, 99]) * DAY, chance.choice([0.05, 0.3, 0.4]), chance.choice([1, 4, 9])
    shares = [int(part) for part in weights.split(",")]
    for number in range(visitors):
        arm = chance.choices((0, 1), shares)[0]
        name, time = f"v{number}", START + chance.randrange(enrols * DAY)
        lift = (effect if time - START < turns else later) * arm
        shop.expose(name, ("control", "b")[arm], time, properties={"device": chance.choice(["mobile", "desktop"])})
        if chance.random() < 0.3:
            shop.buy(name, time - chance.randrange(1, 10 * DAY), float(chance.randrange(1, 90)))
        if chance.random() < rate * (1 + lift):
            when = time + delay * DAY * arm + chance.randrange(2 * DAY)
            value, order = float(chance.randrange(1, 90)), f"order-{number}"
            shop.buy(name, when, value, order_id=order, currency=chance.choice(["EUR"] * 9 + ["USD"]))
            if chance.random() < 0.2:
                shop.add("track", name, when + HOUR, event="Order Refunded", value=1.5 * value, order_id=order)
        for _ in range(chance.randrange(3)):
            shop.add("page", name, time + chance.randrange(9 * DAY))
        if chance.random() < 0.3 + 0.2 * arm:
            score = float(chance.randrange(11))
            shop.add("track", name, time + HOUR, event="Survey Answered", value=score, properties={"survey": "nps"})
    days, looks, least = chance.choice([4, 7, 12]), chance.choice([1, 2, 4]), chance.choice([1, 4])
    split = dict(zip(("control", "b"), shares, strict=True))
    variants = ", ".join(f"{{key: {key}, weight: {share}}}" for key, share in split.items())
    head = f"key: banner\nstatus: running\n{dates}variants: [{variants}]\n{READ}"
    plan = f"days: {days}, min_days: {least}, looks: {looks}, dimensions: [device]"
    return shop, {method: f"{head}plan: {{method: {method}, {plan}}}\n" for method in METHODS}


def asked(data: Path, seed: int) -> dict[str, Readouts]:
    """By method, readouts of one drawn log a month later; each is read once more."""
    shop, definitions = drawn_shop(seed)
    write_log(data, received(shop.records, 1_000), cut=5000)
    found: dict[str, Readouts] = {}
    for method, text in definitions.items():
        folder = data / f"definitions-{method}"
        folder.mkdir()
        (folder / "banner.yaml").write_text(text)
        now = moment_of(START + 40 * DAY)
        found[method] = CheckedReadouts(EventLog(data), Definitions(catalog_in(folder)), now=lambda now=now: now)
    return found
