"""Whoever comes with a person's user agent counts in the readout, exposure and order alike; machines are told apart."""

from typing import Any

import httpx
from conftest import SMALLEST_DEFINITIONS, StartService
from servers.service import PUBLISHABLE_KEY
from worlds.user_agents import MACHINES, PEOPLE

BANNER = "free-shipping-banner"


def visit(client: httpx.Client, visitor: str, user_agent: str) -> None:
    """One page that shows the experiment, and one order."""
    headers, asked = {"user-agent": user_agent}, {"context": {"targetingKey": visitor}}
    shown = client.post(f"/ofrep/v1/evaluate/flags/{BANNER}", json=asked, headers=headers)
    assert shown.json()["metadata"]["exposure"] == "logged"
    bought = {"order_id": visitor, "revenue": 10, "currency": "EUR"}
    order = {"anonymousId": visitor, "event": "Order Completed", "properties": bought}
    assert client.post("/v1/track", json=order, headers=headers).status_code == 200


def totals(readout: dict[str, Any]) -> tuple[float, float]:
    """Exposed visitors, and those who bought."""
    arms = next(each for each in readout["metrics"] if each["metric"] == "purchase_rate")["arms"]
    return sum(arm["denominator"] for arm in arms), sum(arm["numerator"] for arm in arms)


def test_people_of_every_app_and_phone_count_in_the_readout(start_service: StartService) -> None:
    service = start_service(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1")
    with service.client(PUBLISHABLE_KEY) as client:
        for number, agent in enumerate([*PEOPLE.values(), *MACHINES]):
            visit(client, f"v-{number}", agent)
    readout = service.results(BANNER)
    assert totals(readout) == (len(PEOPLE), len(PEOPLE))
    assert readout["health"]["excluded"]["bots"] == len(MACHINES)
