"""What the demo says: the sentence of the running test, where to look, and the truth beside the estimate."""

from collections.abc import Mapping
from typing import Any, Final

import httpx

from app.demo.shop import TRUE_LIFT

BANNER: Final = "free-shipping-banner"
PRODUCTS: Final = "front-page-products"
SIGN_IN: Final = "Sign in: "


async def readout(backend: httpx.AsyncClient, key: str) -> dict[str, Any]:
    """The results object of an experiment. Raises httpx.HTTPError."""
    answer = await backend.get(f"/v1/experiments/{key}/results")
    answer.raise_for_status()
    return answer.json()


def sentence(results: Mapping[str, Any]) -> str:
    """What the service says of an experiment."""
    return results.get("sentence") or f"{results['experiment']}: {results['decision']['action'].replace('_', ' ')}."


def where_to_look(report: str, printed: str, shop: str, address: str) -> list[str]:
    """The lines behind the first sentence; how to sign in is what the service itself `printed`."""
    sign_in = [line for line in printed.splitlines() if line.startswith(SIGN_IN)]
    return [f"Look: {report}", *sign_in, f"Shop: {shop}/", f"Docs: {address}/docs"]


async def report(backend: httpx.AsyncClient) -> list[str]:
    """What is in the log by now, and what the readouts make of it. Raises httpx.HTTPError."""
    banner, products = await readout(backend, BANNER), await readout(backend, PRODUCTS)
    return [f"{counts(banner)}. {sentence(banner)}{truth(banner)}", sentence(products)]


def counts(results: Mapping[str, Any]) -> str:
    """Who took part in a test and how many of them bought, by the log: earlier runs and days too."""
    visitors = sum(arm["units"] for arm in results["metrics"][0]["arms"])
    bought = sum(arm["numerator"] or 0 for arm in results["metrics"][0]["arms"])
    return f"{visitors:,} visitors, {bought:,.0f} bought"


def truth(results: Mapping[str, Any]) -> str:
    """Whether the interval of the banner's goal holds what the banner really does; nothing before there is one."""
    interval = results["metrics"][0]["comparisons"][0]["ci"]
    if interval is None:
        return ""
    low, high = interval
    return f" The truth, {TRUE_LIFT:.0%} higher, is {'inside' if low <= TRUE_LIFT <= high else 'outside'}."
