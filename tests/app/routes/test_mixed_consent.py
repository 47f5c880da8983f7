"""Visitors of all modes on one shop: what a readout adds up is exactly what those sent who may be counted."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from servers.patience import until
from servers.service import PUBLISHABLE_KEY, running

FILES = {
    "banner.yaml": "key: banner\nstatus: running\nvariants: [control, threshold]\ngoals: [purchase_rate, spent]\n",
    "metrics.yaml": "spent: {type: mean, event: Order Completed, value: value}\n",
    "shop.yaml": "privacy: {default_consent: none}\n",
}
MODES = ("none", "measure", "personal")
AT_ONCE = 500  # events in a batch


def events(chance: random.Random, visitor: str, mode: str, told: Counter[str]) -> list[dict[str, Any]]:
    """What a visitor does after the exposure; who allows less buys less, and some buy with a user id beside theirs."""
    context = {"consent": {"resonate": mode}, "traits": {"email": f"{visitor}@x.example"}}
    own: dict[str, Any] = {"anonymousId": visitor, "context": context}
    found = [{"type": "page", **own, "properties": {"url": f"https://shop.example/?who={visitor}"}}]
    if chance.random() < 0.2 + 0.1 * MODES.index(mode):
        for number in range(chance.randrange(1, 4)):
            value = chance.randrange(1, 400) / 4
            told["revenue"] += 0 if mode == "none" else round(value * 4)
            bought = {"order_id": f"o-{visitor}-{number}", "revenue": value, "currency": "EUR"}
            user = {"userId": f"u-{visitor}"} if chance.random() < 0.5 else {}
            found.append({"type": "track", "event": "Order Completed", **own, **user, "properties": bought})
        told["buyers"] += mode != "none"
    return found


@pytest.mark.parametrize("visitors", [240, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.drawn(0)])])
def test_what_is_read_is_exactly_what_those_sent_who_may_be_counted(visitors: int, tmp_path: Path) -> None:
    chance, queue = random.Random(visitors), list[dict[str, Any]]()
    units: Counter[tuple[str, str]] = Counter()
    told: dict[str, Counter[str]] = {"control": Counter(), "threshold": Counter(), "nobody": Counter()}
    with running(tmp_path, FILES, RESONATE_WORKERS="1") as service, service.client(PUBLISHABLE_KEY) as page:

        def send() -> None:
            answer: httpx.Response = page.post("/v1/batch", json={"batch": queue})
            assert answer.json() == {"success": True}
            queue.clear()

        for number in range(visitors):
            visitor, mode = f"v-{number}", chance.choice(MODES)
            context = {"targetingKey": visitor, "user_id": f"u-{visitor}", "resonate.consent": mode}
            flag = page.post("/ofrep/v1/evaluate/flags/banner", json={"context": context}).json()
            assert flag["metadata"]["exposure"] == ("refused" if mode == "none" else "logged")
            units[mode, flag["variant"]] += 1
            queue += events(chance, visitor, mode, told["nobody" if mode == "none" else flag["variant"]])
            if len(queue) > AT_ONCE:
                send()
        send()
        refused = units["none", "control"]
        readout = until(
            lambda: (found := service.results("banner"))["health"]["consent"]["none"] == refused and found,
            "all who refused are counted",
        )
    assert units["none", "threshold"] == 0
    by_metric = {metric["metric"]: {arm["variant"]: arm for arm in metric["arms"]} for metric in readout["metrics"]}
    for variant in ("control", "threshold"):
        counted = {mode: units[mode, variant] for mode in ("measure", "personal")}
        assert readout["health"]["consent"]["by_variant"][variant] == counted
        rate, revenue = by_metric["purchase_rate"][variant], by_metric["spent"][variant]
        assert rate["units"] == revenue["units"] == sum(counted.values())
        assert rate["numerator"] == told[variant]["buyers"]
        assert revenue["numerator"] == told[variant]["revenue"] / 4
    assert "consent_differs" not in {check["code"] for check in readout["health"]["checks"]}
