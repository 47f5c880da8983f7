"""`resonate demo`: the service with an example shop and a crowd that goes on visiting, until it is stopped."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx

from app.demo.crowd import Crowd
from app.demo.past import live_earlier_days
from app.demo.shop import TRUE_LIFT, read_products, serving
from app.demo.start import COMMAND, NotRunning, Service
from kit.child import Terms, start_module
from kit.files import append_to, read_or_none, replace_file
from kit.tasks import Tasks, unless
from kit.time import now_utc

BANNER: Final = "free-shipping-banner"
PRODUCTS: Final = "front-page-products"
SIGN_IN: Final = "Sign in: "
SHOP: Final = files("app.demo") / "example_shop"
PEOPLE_WITH_A_PAST: Final = 1_500  # at the start
VISITS_PER_SECOND: Final = 40.0
REPORT_SECONDS: Final = 10.0
WRITTEN_SECONDS: Final = 2.0  # until the past orders are in the log
SHARED_DAYS: Final = 30
TRIES: Final = 120  # a second apart
Found = TypeVar("Found")
CAME: Final = "crowd.json"
ANOTHERS: Final = "RESONATE_SETTINGS"  # the settings file of another service than this
ONE_NETWORK: Final = {  # the whole crowd comes from it
    "RESONATE_BUDGET_CPU_MS": "2000",
    "RESONATE_BUDGET_BYTES_KB": "4000",
    "RESONATE_BUDGET_EVENTS": "8000",
}


def run_demo(seed: int) -> int:
    """Runs the demo until SIGINT or SIGTERM; 0 then, 1 where it could not start or go on. `seed` draws the crowd."""
    environment = {
        "RESONATE_DEFINITIONS": str(SHOP / "definitions"),
        "RESONATE_DATA": "./demo-data",
        **ONE_NETWORK,
    } | {name: value for name, value in os.environ.items() if name != ANOTHERS}
    try:
        asyncio.run(_demo(environment, seed))
    except NotRunning as why:
        print(why, file=sys.stderr, flush=True)
        return 1
    return 0


async def _demo(environment: Mapping[str, str], seed: int) -> None:
    """Until it is told to stop. Raises NotRunning."""
    stopping = asyncio.Event()

    def stop() -> None:
        if not stopping.is_set():
            _say("stopping …")
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    service = Service(environment)
    try:
        await unless(stopping.wait(), _run(service, environment, seed))
        if not stopping.is_set():
            raise service.ended()
    finally:
        service.end()


async def _run(service: Service, environment: Mapping[str, str], seed: int) -> None:
    """Until the service has ended by itself. Raises NotRunning."""
    address = (await service.ready()).address
    keys = _keys(service.data, environment)
    products = read_products(SHOP / "products.csv")
    page = {"service": address, "key": keys["publishable"], "products": [asdict(product) for product in products]}
    shop, backend = (_client(address, keys[kind]) for kind in ("publishable", "secret"))
    with serving(SHOP / "pages", page) as pages:
        async with shop, backend:
            crowd = Crowd(shop, backend, products, seed, *_came(service.data, seed))
            try:
                await _patiently(service, partial(_stock, crowd, service.data))
                first = await _patiently(service, partial(readout, backend, BANNER))
                shared = await _patiently(service, partial(_shared, backend))
                with suppress(httpx.HTTPError):
                    await shop.get(shared)  # once, so that nobody waits for the first look
                _say(sentence(first))
                for line in where_to_look(shared, service.printed, pages, address):
                    _say(line)
                _say("Ctrl-C stops everything.\n")
                await _visits(environment, crowd, service)
            except httpx.HTTPError as error:
                raise service.ended() if not service.runs else NotRunning(f"the service fails: {error!r}") from None


def _say(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:  # who read it has gone, so the demo ends as if it had been told to
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        signal.raise_signal(signal.SIGTERM)


def _client(address: str, key: str) -> httpx.AsyncClient:
    headers, limits = {"Authorization": f"Bearer {key}"}, httpx.Limits(max_connections=32)
    return httpx.AsyncClient(base_url=address, headers=headers, limits=limits, timeout=120)


async def _patiently(service: Service, work: Callable[[], Awaitable[Found]]) -> Found:
    """What the work comes to, tried again where a busy machine could not answer. Raises httpx.HTTPError."""
    for _ in range(TRIES - 1):
        try:
            return await work()
        except httpx.HTTPError:
            if not service.runs:
                raise
            await asyncio.sleep(1.0)
    return await work()


def _keys(data: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """One key of each class: from the environment, else those that the service made for itself. Raises NotRunning."""
    given = {
        "publishable": environment.get("RESONATE_PUBLISHABLE_KEYS", "").split(",")[0],
        "secret": environment.get("RESONATE_SECRET_KEYS", "").split(",")[0],
    }
    if all(given.values()):
        return given
    made = read_or_none(data / "keys.json")
    if made is None:
        raise NotRunning("the demo needs a key of each class: start it without RESONATE_KEYS, so that it makes them")
    return json.loads(made)


def _came(data: Path, seed: int) -> tuple[int, int]:
    """How many of a seed's people came in the run before over the same data, and have a past: the next ones go on."""
    drawn, visits, remembered = json.loads(read_or_none(data / CAME) or "[0, 0, 0]")
    return (visits, remembered) if drawn == seed else (0, 0)


def _note_who_came(crowd: Crowd, data: Path) -> None:
    replace_file(data / CAME, json.dumps([crowd.seed, crowd.visits, crowd.remembered]).encode(), durable=False)


async def _stock(crowd: Crowd, data: Path) -> None:
    """Gives the service its products and people their past; the earlier days to a shop alone that has had no visits.

    Raises httpx.HTTPError.
    """
    catalogue = (SHOP / "products.csv").read_bytes()
    answer = await crowd.backend.put("/v1/products", content=catalogue, headers={"Content-Type": "text/csv"})
    answer.raise_for_status()
    if not crowd.remembered:
        await crowd.remember(PEOPLE_WITH_A_PAST)
    if not (data / CAME).exists():
        await live_earlier_days(crowd, now_utc())
    _note_who_came(crowd, data)


async def _shared(backend: httpx.AsyncClient) -> str:
    """The address of the running test's report, for whoever holds it. Raises httpx.HTTPError."""
    answer = await backend.post(f"/v1/experiments/{BANNER}/shares", json={"days": SHARED_DAYS})
    answer.raise_for_status()
    return answer.json()["url"]


async def _visits(environment: Mapping[str, str], crowd: Crowd, service: Service) -> None:
    """Lets the crowd visit and tells of it every ten seconds, until the service has gone."""
    async with Tasks() as tasks:
        tasks.start(partial(crowd.keep_visiting, VISITS_PER_SECOND), "the crowd")
        tasks.start(partial(_train, environment), "the first training")
        tasks.repeat(partial(_tell, crowd, service.data), "the report", REPORT_SECONDS)
        while service.runs:
            await asyncio.sleep(0.2)


async def _tell(crowd: Crowd, data: Path) -> None:
    _note_who_came(crowd, data)
    failed = f" {crowd.failures} visits failed." if crowd.failures else ""
    try:
        first, *others = await told_of_tests(crowd.backend)
    except httpx.HTTPError as error:
        _say(f"no readout ({type(error).__name__}).{failed}")
        return
    _say("\n  ".join([first + failed, *others]))


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
        with suppress(ProcessLookupError):
            training.wait(1.0)


async def readout(backend: httpx.AsyncClient, key: str) -> dict[str, Any]:
    """The results object of an experiment. Raises httpx.HTTPError."""
    answer = await backend.get(f"/v1/experiments/{key}/results")
    answer.raise_for_status()
    return answer.json()


def sentence(results: Mapping[str, Any]) -> str:
    """What the service says of an experiment."""
    return results["sentence"]


def where_to_look(report: str, printed: str, shop: str, address: str) -> list[str]:
    """The lines behind the first sentence; how to sign in is what the service itself `printed`."""
    sign_in = [line for line in printed.splitlines() if line.startswith(SIGN_IN)]
    return [f"Look: {report}", *sign_in, f"Shop: {shop}/", f"Docs: {address}/docs"]


async def told_of_tests(backend: httpx.AsyncClient) -> list[str]:
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
    low, high = results["metrics"][0]["comparisons"][0]["ci"] or (None, None)
    if low is None or high is None:
        return ""
    return f" The truth, {TRUE_LIFT:.0%} higher, is {'inside' if low <= TRUE_LIFT <= high else 'outside'}."
