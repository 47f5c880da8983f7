"""`resonate demo`: the service with an example shop and a crowd that goes on visiting, until it is stopped."""

import asyncio
import json
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import httpx
from rich.console import Console

from app.demo.crowd import Crowd
from app.demo.shop import TRUE_LIFT, read_products, serving
from kit.child import Child, Terms, start_module
from kit.files import append_to, read_or_none, replace_file
from kit.tasks import Tasks

SHOP: Final = files("app.demo") / "example_shop"
COMMAND: Final = "app.cli.main"
PEOPLE_WITH_A_PAST: Final = 1_500  # at the start
VISITS_PER_SECOND: Final = 40.0
REPORT_SECONDS: Final = 10.0
READY_SECONDS: Final = 30.0
ENDING_SECONDS: Final = 60.0
WRITTEN_SECONDS: Final = 2.0  # until the past orders are in the log
CAME: Final = "crowd.json"
ONE_NETWORK: Final = {  # the whole crowd comes from it
    "RESONATE_BUDGET_CPU_MS": "2000",
    "RESONATE_BUDGET_BYTES_KB": "4000",
    "RESONATE_BUDGET_EVENTS": "8000",
}
BANNER: Final = "free-shipping-banner"
PRODUCTS: Final = "front-page-products"


def run_demo(seed: int) -> int:
    """Runs the demo until SIGINT or SIGTERM; the exit code of the service. `seed` draws the crowd."""
    environment = {
        "RESONATE_DEFINITIONS": str(SHOP / "definitions"),
        "RESONATE_DATA": "./demo-data",
        **ONE_NETWORK,
    } | dict(os.environ)
    return asyncio.run(_demo(environment, seed, Console()))


async def _demo(environment: Mapping[str, str], seed: int, console: Console) -> int:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    data = Path(environment["RESONATE_DATA"])
    with append_to(data / "service.log") as log:
        service = start_module(COMMAND, ["serve"], Terms(signal.SIGTERM, environment=environment, errors=log))
    service.tell(b"")
    try:
        address = f"http://127.0.0.1:{environment.get('RESONATE_PORT', '8000')}"
        keys = await _ready(service, address, data, environment)
        products = read_products(SHOP / "products.csv")
        page = {"service": address, "key": keys["publishable"], "products": [asdict(product) for product in products]}
        shop, backend = (_client(address, keys[kind]) for kind in ("publishable", "secret"))
        with serving(SHOP / "pages", page) as pages:
            results = f"{address}/v1/experiments/{BANNER}/results"
            console.print(f"\n[bold]The example shop[/]     {pages}/")
            console.print(f"[bold]The service's routes[/] {address}/docs")
            console.print(f"[bold]Publishable key[/]      {keys['publishable']}")
            console.print(f"[bold]Secret key[/]           {keys['secret']}")
            console.print("[bold]The readout[/]")
            console.print(f'  curl -H "Authorization: Bearer {keys["secret"]}" {results}', soft_wrap=True)
            console.print(
                f"\nThe banner really lifts the purchase rate by {TRUE_LIFT:+.0%}. Ctrl-C stops everything.\n"
            )
            async with shop, backend:
                crowd = Crowd(shop, backend, products, seed, *_came(data, seed))
                await _visits(environment, crowd, stopped, service, console)
    finally:
        service.send(signal.SIGTERM)
    return service.wait(ENDING_SECONDS)


def _client(address: str, key: str) -> httpx.AsyncClient:
    headers, limits = {"Authorization": f"Bearer {key}"}, httpx.Limits(max_connections=32)
    return httpx.AsyncClient(base_url=address, headers=headers, limits=limits, timeout=30)


def _came(data: Path, seed: int) -> tuple[int, int]:
    """How many of a seed's people came in the run before over the same data, and have a past: the next ones go on."""
    drawn, visits, remembered = json.loads(read_or_none(data / CAME) or "[0, 0, 0]")
    return (visits, remembered) if drawn == seed else (0, 0)


async def _ready(service: Child, address: str, data: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """One key of each class, once the service answers: from the environment, else those it made for itself.

    Raises SystemExit with its own words on the screen when it cannot start.
    """
    async with httpx.AsyncClient(base_url=address) as client:
        for _ in range(int(READY_SECONDS / 0.1)):
            if service.code() is not None:
                raise SystemExit(f"the service could not start; its log is {data / 'service.log'}")
            with suppress(httpx.TransportError):
                if (await client.get("/readyz")).status_code == 200:
                    break
            await asyncio.sleep(0.1)
        else:
            raise SystemExit(f"the service at {address} was not ready within {READY_SECONDS:g} s")
    given = {
        "publishable": environment.get("RESONATE_PUBLISHABLE_KEYS", "").split(",")[0],
        "secret": environment.get("RESONATE_SECRET_KEYS", "").split(",")[0],
    }
    return given if all(given.values()) else json.loads((data / "keys.json").read_text(encoding="utf-8"))


async def _visits(
    environment: Mapping[str, str],
    crowd: Crowd,
    stopped: asyncio.Event,
    service: Child,
    console: Console,
) -> None:
    """Lets the crowd visit and prints the readout every ten seconds, until stopped or the service has gone."""
    catalogue = (SHOP / "products.csv").read_bytes()
    answer = await crowd.backend.put("/v1/products", content=catalogue, headers={"Content-Type": "text/csv"})
    answer.raise_for_status()
    if not crowd.remembered:
        await crowd.remember(PEOPLE_WITH_A_PAST)
    async with Tasks() as tasks:
        tasks.start(partial(crowd.keep_visiting, VISITS_PER_SECOND), "the crowd")
        tasks.start(partial(_train, environment), "the first training")
        while service.code() is None and not stopped.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), REPORT_SECONDS)
            came = json.dumps([crowd.seed, crowd.visits, crowd.remembered]).encode()
            replace_file(Path(environment["RESONATE_DATA"]) / CAME, came, durable=False)
            if not stopped.is_set():
                console.print(await _report(crowd), soft_wrap=True)


async def _train(environment: Mapping[str, str]) -> None:
    """Trains at once on the crowd's past, where the service itself would wait for its schedule."""
    await asyncio.sleep(WRITTEN_SECONDS)
    with append_to(Path(os.devnull)) as nowhere:
        training = start_module(COMMAND, ["recommender", "train"], Terms(environment=environment, output=nowhere))
    training.tell(b"")
    try:
        while training.code() is None:
            await asyncio.sleep(0.2)
    finally:
        training.send(signal.SIGKILL)


async def _report(crowd: Crowd) -> str:
    """What came so far, and what the readouts make of it: the truth beside the estimate, and who is ahead."""
    counts = f"{crowd.visits} visits, {crowd.orders} orders, {crowd.failures} failed"
    metrics: list[dict[str, Any]] = []
    try:
        for key in (BANNER, PRODUCTS):
            answer = await crowd.backend.get(f"/v1/experiments/{key}/results")
            answer.raise_for_status()
            metrics.append(answer.json()["metrics"][0])
    except httpx.HTTPError as error:
        return f"{counts}: no readout ({type(error).__name__})"
    banner, products = metrics
    told, low, high = _estimate(banner)
    if low is not None and high is not None:
        told += f", the truth {TRUE_LIFT:+.0%} is {'inside' if low <= TRUE_LIFT <= high else 'outside'}"
    picked, low, high = _estimate(products)
    if low is not None and high is not None:
        picked += f": {'for_you is ahead' if low > 0 else 'popular is ahead' if high < 0 else 'not yet told apart'}"
    return f"{counts}: {told}\n  for_you against popular: {picked}"


def _estimate(metric: Mapping[str, Any]) -> tuple[str, float | None, float | None]:
    """A goal in one line with its lift, and the ends of the lift's interval; None where there is none yet."""
    [compared] = metric["comparisons"]
    if compared["ci"] is None:
        return f"{metric['metric']}: {', '.join(compared['reasons']) or 'no interval yet'}", None, None
    low, high = compared["ci"]
    arms = ("unknown" if arm["value"] is None else f"{arm['value']:.1%} of {arm['units']}" for arm in metric["arms"])
    return f"{metric['metric']} {' → '.join(arms)}, lift {compared['lift']:+.1%} [{low:+.1%}, {high:+.1%}]", low, high
