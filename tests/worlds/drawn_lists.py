"""Drawn sites with several experiments at once, whose visitors they share, and what may still happen there."""

import random

from worlds.readout_studies import DAY, HOUR, START, Shop

METRICS = {
    "metrics.yaml": "sent_back: {type: mean, event: Order Refunded, value: total}\n"
    + "big_order: {type: proportion, event: Order Completed, where: {value: {$gt: 40}}}\n"
    + "read_time: {type: quantile, event: Read, value: value, q: 0.75}\n"
}
GOALS = ("purchase_rate", "revenue_per_visitor", "average_order_value", "return_d7", "nps", "big_order", "read_time")
BESIDE = ("engaged_time_estimate", "refund_rate", "time_on_site_p75", "checkout_funnel", "sent_back", *GOALS)


def drawn_files(chance: random.Random, experiments: int) -> dict[str, str]:
    """Definitions that differ in all that a readout may depend on."""
    files = dict(METRICS)
    for number in range(experiments):
        goals = chance.sample(GOALS, chance.randrange(1, 3))
        beside = [name for name in chance.sample(BESIDE, chance.randrange(3)) if name not in goals]
        lines = [f"key: exp{number}", f"goals: [{', '.join(goals)}]", f"owner: team-{number}"]
        lines.append(chance.choice(["status: running"] * 4 + ["status: stopped"]))
        lines.append("variants: [control, b, c]" if chance.random() < 0.2 else "variants: [control, b]")
        lines.append(f"secondary: [{', '.join(beside)}]")
        lines.append(chance.choice(["unit: visitor", "unit: visitor", "unit: user"]))
        lines += ["end: 2026-01-11"] * (chance.random() < 0.3)
        lines += ["guardrails: {purchase_rate: 20%}"] * (chance.random() < 0.3 and "purchase_rate" not in goals)
        method, identity = chance.choice(["anytime"] * 3 + ["planned", "fixed", "bayesian"]), chance.choice(IDENTITIES)
        plan = f"method: {method}, identity: {identity}, days: {chance.choice([5, 12])}, min_days: 1"
        plan += chance.choice(["", ", dimensions: [device]"]) + chance.choice(["", ", cuped: false"])
        lines.append(f"plan: {{{plan}}}")
        files[f"exp{number}.yaml"] = "\n".join(lines) + "\n"
    return files


IDENTITIES = ("first_touch", "first_touch", "strict")


def drawn_site(chance: random.Random, experiments: int, visitors: int) -> Shop:
    """Visitors who take part in some of the experiments, log in on two devices, buy, send back, read and answer."""
    shop = Shop()
    for number in range(visitors):
        name = f"v{number}"
        user = f"u{number // 2}" if chance.random() < 0.5 else None
        for experiment in range(experiments):
            if chance.random() < 0.6:
                exposed(shop, chance, name, experiment, user)
        happened(shop, chance, name, user)
        if user and chance.random() < 0.3:
            happened(shop, chance, user, user)
        if chance.random() < 0.2:  # who that is is known only after the experiments that end have closed
            shop.add("identify", name, START + 45 * DAY, user_id=f"u{chance.randrange(visitors)}")
    return shop


def exposed(shop: Shop, chance: random.Random, name: str, experiment: int, user: str | None) -> None:
    """One visitor sees an experiment, perhaps as a bot or by force."""
    left_out = {chance.choice(["bot", "forced", "forged", "quarantined"]): True} if chance.random() < 0.06 else {}
    shop.expose(
        name,
        chance.choice(["control", "b", "b", "c"]),
        START + chance.randrange(6 * DAY),
        experiment=f"exp{experiment}",
        user_id=user,
        device=chance.choice(["mobile", "desktop"]),
        **left_out,
    )


def happened(shop: Shop, chance: random.Random, name: str, user: str | None) -> None:
    """What one person does beside."""
    time, order = START + chance.randrange(-5 * DAY, 8 * DAY), f"order-{chance.randrange(10**9)}"
    if chance.random() < 0.5:
        seen_as = {"user_id": user} if user and chance.random() < 0.7 else {}
        shop.add("track", name, time, event="Checkout Started", order_id=order, **seen_as)
        buyer = chance.choice([name, name, ""])  # a payment's webhook knows no visitor
        currency = chance.choice(["EUR"] * 5 + ["USD"])
        shop.buy(buyer, time + HOUR, float(chance.randrange(1, 90)), order_id=order, currency=currency, **seen_as)
        if chance.random() < 0.4:
            back = {"order_id": order, "value": 5.0, "currency": currency, "authority": 2}
            shop.add("track", "", time + 2 * HOUR, event="Order Refunded", **back)
    for _ in range(chance.randrange(3)):
        shop.add("page", name, time + chance.randrange(2 * HOUR), page_view_id=f"p{len(shop.records)}")
    if chance.random() < 0.4:
        shop.add("track", name, time + HOUR, event="Read", value=float(chance.randrange(1, 30)))
    if chance.random() < 0.3:
        score = {"value": float(chance.randrange(11)), "properties": {"survey": "nps"}}
        shop.add("track", name, time + HOUR, event="Survey Answered", **score)


def one_more(shop: Shop, chance: random.Random, experiments: int, visitors: int, number: int) -> None:
    """Something single that may still happen: to somebody who is known, or to a stranger."""
    known = [record for record in shop.records if record.order_id and record.event == "Order Completed"]
    name, user = f"v{chance.randrange(2 * visitors)}", f"u{chance.randrange(visitors)}"
    time, own = START + chance.randrange(9 * DAY), {"message_id": f"more-{number}"}
    match chance.randrange(6):
        case 0:
            shop.expose(name, "b", time, experiment=f"exp{chance.randrange(experiments)}", **own)
        case 1:
            shop.add("identify", name, time, user_id=user, **own)
        case 2:
            order = chance.choice(known).order_id if known else "none"
            shop.add("track", "", time, event="Order Refunded", value=3.0, order_id=order, authority=2, **own)
        case 3:
            shop.buy(chance.choice([name, user]), time, 25.0, **own)
        case 4:
            order = chance.choice(known).order_id if known else "none"
            shop.buy("somebody", time, 33.0, order_id=order, authority=2, **own)
        case _:
            shop.add("page", name, time, page_view_id=f"more-{number}", **own)
