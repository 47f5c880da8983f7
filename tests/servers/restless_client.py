"""A process of its own that goes on sending while its service is being killed, and writes down what it was told.

    python tests/servers/restless_client.py URL KEY JOURNAL NAME [CLIENTS [EVENTS [RATE]]]

Each client assigns and exposes a visitor by `/v1/personalize`, sends a batch of that visitor's events until it is
acknowledged, and sends every acknowledged batch once more. All together they begin RATE visitors a second; without it,
as many as are served. Lines of the journal, each written by one call:

    tried VISITOR       before a call that exposes
    exposed ID          an exposure that the service said it had logged
    sent ID…            before a batch is sent for the first time
    ok ID…              after it was acknowledged
    answer STATUS SECONDS PATH
    lost SECONDS PATH   no answer came: the request may have been served or not
"""

import asyncio
import os
import sys
import time
from typing import Any

import httpx

EXPERIMENT = "free-shipping-banner"
PAUSE_SECONDS = 0.05  # before a request that was refused or lost is made again


class Journal:
    """Lines that survive this process, whole or not at all."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(self, *words: object) -> None:
        os.write(self._descriptor, (" ".join(map(str, words)) + "\n").encode())


class RestlessClient:
    """One client: `run` goes on until the process ends, with a visitor each `every_seconds` at most."""

    def __init__(self, http: httpx.AsyncClient, journal: Journal, name: str, events: int, every_seconds: float) -> None:
        self._http = http
        self._journal = journal
        self._name = name
        self._events = events
        self._every_seconds = every_seconds

    async def run(self) -> None:
        began = time.monotonic()
        for number in range(1_000_000):
            await asyncio.sleep(began + number * self._every_seconds - time.monotonic())
            visitor = f"{self._name}.{number}"
            unlogged = await self._expose(visitor)
            events = [*unlogged, *visit(visitor, self._events)]
            ids = [event["messageId"] for event in events]
            self._journal.write("sent", *ids)
            await self._until_200("/v1/batch", {"batch": events})
            self._journal.write("ok", *ids)
            await self._until_200("/v1/batch", {"batch": events})

    async def _expose(self, visitor: str) -> list[dict[str, Any]]:
        """Assigns the visitor; an exposure that could not be stored is this client's to send."""
        body = {"visitor_id": visitor, "experiments": [EXPERIMENT], "recommendations": [{"slot": "home"}]}
        answer = await self._until_200("/v1/personalize", body, ("tried", visitor))
        told = answer.json()["experiments"][EXPERIMENT]
        if told["exposure"] == "logged":
            self._journal.write("exposed", told["exposure_id"])
            return []
        return [viewed(visitor, told)]

    async def _until_200(self, path: str, body: dict[str, Any], note: tuple[str, ...] = ()) -> httpx.Response:
        while True:
            if note:
                self._journal.write(*note)
            began = time.monotonic()
            try:
                answer = await self._http.post(path, json=body)
            except httpx.HTTPError:
                self._journal.write("lost", f"{time.monotonic() - began:.3f}", path)
            else:
                self._journal.write("answer", answer.status_code, f"{time.monotonic() - began:.3f}", path)
                if answer.status_code == 200 and "rejected" not in answer.json():
                    return answer
            await asyncio.sleep(PAUSE_SECONDS)


def viewed(visitor: str, told: dict[str, Any]) -> dict[str, Any]:
    """The exposure that the service had no store for, under the id that it gave."""
    properties = {"experiment_id": EXPERIMENT, "variation_id": told["variant"]}
    who = {"anonymousId": visitor, "messageId": told["exposure_id"]}
    return {"type": "track", "event": "Experiment Viewed", **who, "properties": properties}


def visit(visitor: str, count: int) -> list[dict[str, Any]]:
    """What one visitor does: views of products, time on a page, and an order."""
    events: list[dict[str, Any]] = [
        {"type": "track", "event": "Product Viewed", "properties": {"product_id": f"p-{number % 7}"}}
        for number in range(count - 2)
    ]
    order = {"order_id": f"o-{visitor}", "revenue": 12.5, "currency": "EUR"}
    events.append({"type": "engagement", "pageViewId": f"page-{visitor}", "seq": 1, "engagedMs": 700})
    events.append({"type": "track", "event": "Order Completed", "properties": order})
    return [
        {**event, "anonymousId": visitor, "messageId": f"{visitor}.{number}"} for number, event in enumerate(events)
    ]


async def main(url: str, key: str, path: str, name: str, *numbers: int) -> None:
    """Run until killed."""
    clients, events, rate = (*numbers, *(4, 20, 0)[len(numbers) :])
    journal = Journal(path)
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=10) as http:
        names = [f"{name}.{number}" for number in range(clients)]
        every_seconds = clients / rate if rate else 0.0
        await asyncio.gather(*[RestlessClient(http, journal, each, events, every_seconds).run() for each in names])


if __name__ == "__main__":
    url, key, path, name, *numbers = sys.argv[1:]
    asyncio.run(main(url, key, path, name, *map(int, numbers)))
