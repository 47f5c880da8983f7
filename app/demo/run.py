"""`resonate demo`: the service with an example shop and a crowd that goes on visiting, until it is stopped."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import httpx
from rich.console import Console

from app.demo.crowd import Crowd
from app.demo.shop import TRUE_LIFT, read_products, serving

SHOP: Final = files("app.demo") / "example_shop"
CUSTOMERS: Final = 1_500
VISITS_PER_SECOND: Final = 40.0
REPORT_SECONDS: Final = 10.0
READY_SECONDS: Final = 30.0
WRITTEN_SECONDS: Final = 2.0  # until the past orders are in the log
BANNER: Final = "free-shipping-banner"
PRODUCTS: Final = "front-page-products"


def run_demo() -> int:
    """Runs the demo until SIGINT or SIGTERM; the exit code of the service."""
    environment = {
        "RESONATE_DEFINITIONS": str(SHOP / "definitions"),
        "RESONATE_DATA": "./demo-data",
    } | dict(os.environ)
    return asyncio.run(_demo(environment, Console()))


async def _demo(environment: Mapping[str, str], console: Console) -> int:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    data = Path(environment["RESONATE_DATA"])
    data.mkdir(parents=True, exist_ok=True)
    with (data / "service.log").open("ab") as log:
        command = [sys.executable, "-P", "-c", "from app.cli.main import main; main()", "serve"]
        service = subprocess.Popen(command, env=dict(environment), stderr=log, start_new_session=True)
    try:
        address = f"http://127.0.0.1:{environment.get('RESONATE_PORT', '8000')}"
        keys = await _ready(service, address, data, environment)
        with serving(SHOP / "pages", _page_config(address, keys["publishable"])) as pages:
            _tell(console, address, pages, keys)
            await _visits(environment, address, keys, stopped, service, console)
    finally:
        service.terminate()
    return service.wait()


def _page_config(address: str, publishable_key: str) -> dict[str, Any]:
    products = [asdict(product) for product in read_products(SHOP / "products.csv")]
    return {"service": address, "key": publishable_key, "products": products}


async def _ready(
    service: subprocess.Popen[bytes], address: str, data: Path, environment: Mapping[str, str]
) -> dict[str, str]:
    """The keys of the running service; raises SystemExit with its own words on the screen when it cannot start."""
    async with httpx.AsyncClient(base_url=address) as client:
        for _ in range(int(READY_SECONDS / 0.1)):
            if service.poll() is not None:
                raise SystemExit(f"the service could not start; its log is {data / 'service.log'}")
            with suppress(httpx.TransportError):
                if (await client.get("/readyz")).status_code == 200:
                    return _keys(data, environment)
            await asyncio.sleep(0.1)
    raise SystemExit(f"the service at {address} was not ready within {READY_SECONDS:g} s")


def _keys(data: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """One key of each class: from the environment, else those the service made for itself."""
    given = {
        "publishable": environment.get("RESONATE_PUBLISHABLE_KEYS", "").split(",")[0],
        "secret": environment.get("RESONATE_SECRET_KEYS", "").split(",")[0],
    }
    if all(given.values()):
        return given
    made: dict[str, str] = json.loads((data / "keys.json").read_text(encoding="utf-8"))
    return made


def _tell(console: Console, address: str, pages: str, keys: Mapping[str, str]) -> None:
    console.print(f"\n[bold]The example shop[/]     {pages}/")
    console.print(f"[bold]The service's routes[/] {address}/docs")
    console.print(f"[bold]Publishable key[/]      {keys['publishable']}")
    console.print(f"[bold]Secret key[/]           {keys['secret']}")
    console.print("[bold]The readout[/]")
    console.print(
        f'  curl -H "Authorization: Bearer {keys["secret"]}" {address}/v1/experiments/free-shipping-banner/results',
        soft_wrap=True,
    )
    console.print(f"\nThe banner really lifts the purchase rate by {TRUE_LIFT:+.0%}. Ctrl-C stops everything.\n")


async def _send_catalogue(client: httpx.AsyncClient, secret_key: str) -> None:
    """The shop's products, as its backend would send them."""
    headers = {"Authorization": f"Bearer {secret_key}", "Content-Type": "text/csv"}
    answer = await client.put("/v1/products", content=(SHOP / "products.csv").read_bytes(), headers=headers)
    answer.raise_for_status()


async def _train(environment: Mapping[str, str]) -> None:
    """Trains at once on the customers' past, where the service itself would wait for its schedule."""
    await asyncio.sleep(WRITTEN_SECONDS)
    command = [sys.executable, "-P", "-c", "from app.cli.main import main; main()", "recommender", "train"]
    quiet = asyncio.subprocess.DEVNULL
    training = await asyncio.create_subprocess_exec(*command, env=dict(environment), stdout=quiet, stderr=quiet)
    await training.wait()


@asynccontextmanager
async def _visiting(crowd: Crowd, environment: Mapping[str, str]) -> AsyncGenerator[None]:
    known = await crowd.remember(CUSTOMERS)
    tasks = [
        asyncio.create_task(crowd.keep_visiting(known, VISITS_PER_SECOND)),
        asyncio.create_task(_train(environment)),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _visits(
    environment: Mapping[str, str],
    address: str,
    keys: Mapping[str, str],
    stopped: asyncio.Event,
    service: subprocess.Popen[bytes],
    console: Console,
) -> None:
    """Lets the crowd visit and prints the readout every ten seconds, until stopped or the service has gone."""
    headers = {"Authorization": f"Bearer {keys['publishable']}"}
    limits = httpx.Limits(max_connections=32)
    async with httpx.AsyncClient(base_url=address, headers=headers, limits=limits, timeout=30) as client:
        await _send_catalogue(client, keys["secret"])
        crowd = Crowd(client, read_products(SHOP / "products.csv"), random.Random(1))
        async with _visiting(crowd, environment):
            while service.poll() is None and not stopped.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopped.wait(), REPORT_SECONDS)
                if not stopped.is_set():
                    console.print(await _report(crowd, keys["secret"]), soft_wrap=True)


async def _report(crowd: Crowd, secret_key: str) -> str:
    counts = f"{crowd.visits} visits, {crowd.orders} orders, {crowd.failures} failed"
    try:
        banner, products = [await _readout(crowd, secret_key, key) for key in (BANNER, PRODUCTS)]
    except httpx.HTTPError as error:
        return f"{counts}: no readout ({type(error).__name__})"
    return f"{counts}: {_line(banner)}\n  {_products_line(products)}"


async def _readout(crowd: Crowd, secret_key: str, key: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {secret_key}"}
    answer = await crowd.client.get(f"/v1/experiments/{key}/results", headers=headers)
    answer.raise_for_status()
    return answer.json()


def _products_line(readout: Mapping[str, Any]) -> str:
    """What products picked for the visitor bring against what everybody buys."""
    metric = readout["metrics"][0]
    [compared] = metric["comparisons"]
    if compared["ci"] is None:
        return f"for_you against popular: {', '.join(compared['reasons']) or 'no interval yet'}"
    low, high = compared["ci"]
    values = " → ".join("unknown" if arm["value"] is None else f"{arm['value']:.1%}" for arm in metric["arms"])
    lift = f"lift {compared['lift']:+.1%} [{low:+.1%}, {high:+.1%}]"
    found = "for_you is ahead" if low > 0 else "popular is ahead" if high < 0 else "not yet told apart"
    return f"for_you against popular: {metric['metric']} {values}, {lift}: {found}"


def _line(readout: Mapping[str, Any]) -> str:
    """The primary goal in one line, with the truth beside the estimate."""
    metric = readout["metrics"][0]
    control, banner = metric["arms"]
    [compared] = metric["comparisons"]
    if compared["ci"] is None:
        return f"{metric['metric']}: {', '.join(compared['reasons']) or 'no interval yet'}"
    low, high = compared["ci"]
    holds = "inside" if low <= TRUE_LIFT <= high else "outside"
    before, after = (f"{arm['value']:.1%} of {arm['units']}" for arm in (control, banner))
    lift = f"lift {compared['lift']:+.1%} [{low:+.1%}, {high:+.1%}]"
    return f"{metric['metric']} {before} → {after}, {lift}, the truth {TRUE_LIFT:+.0%} is {holds}"
