"""The blocks of docs/clients.md are run as they stand, with the service there and with it gone."""

import dataclasses
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from clients.exports import rows_of
from clients.pages import GROWTHBOOK, chromium, served
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait
from servers.javascript import WITHOUT, bundled, has_packages, node
from servers.patience import HUNG_SECONDS, until
from servers.service import PUBLISHABLE_KEY, SECRET_KEY, Service, running
from servers.stores import free_port
from servers.tls import behind_tls

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("clients")]
REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs/clients.md").read_text(encoding="utf-8")
FILES = {
    "free-shipping-banner.yaml": """
key: free-shipping-banner
status: running
variants:
  - {key: control, weight: 0, payload: {banner: Delivery in two days}}
  - {key: threshold, payload: {banner: Free delivery from 50 EUR}}
goal: purchase_rate
""",
    "shop.yaml": "privacy: {default_consent: measure}\n",
}
LISTED = (
    *("The tag", "The data layer", "Plain fetch", "OpenFeature in the browser", "GrowthBook, script"),
    *("GrowthBook, JavaScript", "GrowthBook, React", "Segment in the browser", "RudderStack in the browser"),
    *("OpenFeature in node", "OpenFeature in Python", "GrowthBook in Python", "Segment in node", "Segment in Python"),
    *("RudderStack in node", "RudderStack in Python", "Google Analytics 4 from a backend"),
    *("Any other language, by HTTP", "E-mail and chat", "What this replaces, and what it does not"),
)


@dataclasses.dataclass(frozen=True)
class Block:
    """One block of the page: under which title, for what (`js node`, `html` …), and its text."""

    title: str
    kind: str
    text: str
    number: int

    def filled(self, host: str) -> str:
        """The text for a service at this host, with ids of its own."""
        own = {"https://shop.example": host, "pk_shop": PUBLISHABLE_KEY, "sk_shop": SECRET_KEY,
               "https://destinations.example": host + "/nobody", "v-17": f"v-{self.number}",
               "o-17": f"o-{self.number}", "u-17": f"u-{self.number}"}  # fmt: skip
        return re.sub("|".join(map(re.escape, own)), lambda found: own[found[0]], self.text)


def blocks() -> list[Block]:
    """Every block of the page."""
    found: list[Block] = []
    for title, body in re.findall(r"^###? (.+)\n((?:(?!^##).*\n?)*)", PAGE, re.MULTILINE):
        for kind, text in re.findall(r"^```(\w[\w ]*)\n(.*?)^```", body, re.MULTILINE | re.DOTALL):
            found.append(Block(title, kind, text, len(found)))
    return found


BLOCKS = blocks()
ON_SERVERS = [block for block in BLOCKS if block.kind in ("js node", "python", "sh")]
IN_PAGES = [block for block in BLOCKS if block.kind not in ("js node", "python", "sh")]


@dataclasses.dataclass
class Shop:
    """The service behind its proxy, and what blocks that ran on servers ended with, by title."""

    service: Service
    host: str
    ended: dict[str, subprocess.CompletedProcess[str]]
    alone: dict[str, subprocess.CompletedProcess[str]]


def run(block: Block, host: str, trusted: Path, *replaced: str) -> subprocess.CompletedProcess[str]:
    """A block of a server, run as it stands."""
    text = block.filled(host)
    if replaced:
        assert replaced[0] in text
        text = text.replace(*replaced)
    command = {
        "js node": lambda: [node(), "--input-type=module", "-e", text],
        "python": lambda: [sys.executable, "-c", text],
        "sh": lambda: ["sh", "-ec", text],
    }[block.kind]()
    trusting = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE")
    return subprocess.run(
        command, cwd=REPOSITORY, env=os.environ | dict.fromkeys(trusting, str(trusted)), capture_output=True, text=True,
        timeout=HUNG_SECONDS, check=False,
    )  # fmt: skip


AHEAD = {  # what is evaluated ahead of time is not exposed then: so all that is stored is what the hook tells
    "OpenFeature in node": ("targetingKey: visitorId", 'targetingKey: visitorId, "resonate.expose": false'),
    "OpenFeature in Python": ("attributes={", 'attributes={"resonate.expose": False, '),
}
HOOKS_ALONE = [dataclasses.replace(block, number=block.number + 100) for block in BLOCKS if block.title in AHEAD]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The service, once the blocks of servers have run side by side: with it, and without it."""
    folder = tmp_path_factory.mktemp("documented")
    runnable = [block for block in ON_SERVERS if block.kind != "js node" or has_packages()]
    with (
        running(folder, FILES, RESONATE_WORKERS="1", RESONATE_TRUSTED_PROXIES="127.0.0.1") as service,
        behind_tls(service.url.removeprefix("http://"), folder) as (address, trusted),
        ThreadPoolExecutor(4) as pool,
    ):
        host = address.removesuffix("/r/x7")
        nowhere = f"https://localhost:{free_port()}"
        ended = {block.title: pool.submit(run, block, host, trusted) for block in runnable}
        ended |= {
            f"{block.title} ahead": pool.submit(run, block, host, trusted, *AHEAD[block.title])
            for block in HOOKS_ALONE
            if block.title in ended
        }
        alone = {block.title: pool.submit(run, block, nowhere, trusted) for block in runnable}
        yield Shop(
            service, host, {title: each.result() for title, each in ended.items()},
            {title: each.result() for title, each in alone.items()},
        )  # fmt: skip


def stored(service: Service, visitor: str) -> list[dict[str, Any]]:
    """The rows of a visitor, once an exposure and an order are among them."""

    def found() -> list[dict[str, Any]]:
        rows = [row for row in rows_of(service) if row["visitor_id"] == visitor]
        kinds = {row["type"] for row in rows} | {row.get("event") for row in rows}
        return rows if {"exposure", "Order Completed"} <= kinds else []

    return until(
        found,
        f"an exposure and an order of {visitor} are exported",
        8,
        lambda: str([(r["visitor_id"], r["type"], r.get("event"), r["time"]) for r in rows_of(service)][-8:]),
    )


def has_exposed_and_sold(rows: list[dict[str, Any]], block: Block) -> None:
    """A block's visitor saw the variant that is theirs, once, and bought for what it says, as consent allows."""
    exposures = [row for row in rows if row["type"] == "exposure"]
    assert [(row["experiment"], row["variant"], row["forged"]) for row in exposures] == [
        ("free-shipping-banner", "threshold", False)
    ]
    orders = [row for row in rows if row.get("event") == "Order Completed"]
    assert [(row["order_id"], row["value"], row["currency"]) for row in orders] == [(f"o-{block.number}", 49.9, "EUR")]
    assert {row["consent"] for row in exposures + orders} == {"personal"}


@pytest.mark.parametrize("block", ON_SERVERS, ids=lambda block: block.title)
def test_a_block_of_a_server_exposes_and_sells(block: Block, shop: Shop) -> None:
    if block.title not in shop.ended:
        pytest.skip(WITHOUT)
    ended = shop.ended[block.title]
    assert ended.returncode == 0, ended.stdout[-1_000:] + ended.stderr[-2_000:]
    has_exposed_and_sold(stored(shop.service, f"v-{block.number}"), block)


@pytest.mark.parametrize("block", ON_SERVERS, ids=lambda block: block.title)
def test_a_block_of_a_server_goes_on_without_us(block: Block, shop: Shop) -> None:
    if block.title not in shop.alone:
        pytest.skip(WITHOUT)
    alone = shop.alone[block.title]
    assert alone.returncode == 0, alone.stdout[-1_000:] + alone.stderr[-2_000:]


@pytest.mark.parametrize("block", HOOKS_ALONE, ids=lambda block: block.title)
def test_what_was_evaluated_ahead_of_time_is_exposed_by_the_hook_alone(block: Block, shop: Shop) -> None:
    if block.title not in shop.ended:
        pytest.skip(WITHOUT)
    assert shop.ended[f"{block.title} ahead"].returncode == 0
    has_exposed_and_sold(stored(shop.service, f"v-{block.number}"), block)


@pytest.mark.parametrize("title", ["OpenFeature in the browser", "OpenFeature in node", "OpenFeature in Python"])
def test_a_hook_has_at_most_twelve_lines(title: str) -> None:
    [block] = [block for block in BLOCKS if block.title == title]
    inner = re.search(r"^( +)(?:async after|after|def after).*\n((?:\1 +.*\n|\n)*)", block.text, re.MULTILINE)
    assert inner is not None
    assert len(inner[0].rstrip().splitlines()) + 3 <= 12


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    if not has_packages():
        pytest.skip(WITHOUT)
    with chromium() as found:
        yield found


def page(block: Block, host: str) -> dict[str, str]:
    """The files of a page that holds a block and nothing else; `failures` has what it could not handle."""
    head = (
        "<!doctype html><meta charset=utf-8><title>shop</title><script>window.failures = [];"
        "onerror = (message) => { failures.push(`${message}`) };"
        "onunhandledrejection = ({ reason }) => { failures.push(`${reason}`) };"
        f"document.cookie = 'resonate_id=v-{block.number}; path=/'</script><body>"
    )
    text = block.filled(host)
    if block.kind == "html":
        return {"/": head + text + "<script>onload = () => { finished = true }</script>",
                "/growthbook/auto.min.js": GROWTHBOOK.read_text()}  # fmt: skip
    script = bundled(text + "\nwindow.finished = true;\n", loader=block.kind.partition(" ")[0])
    return {"/": head + '<script type="module" src="/block.js"></script>', "/block.js": script}


def opened(browser: Chrome, port: int, name: str) -> None:
    browser.get(f"http://{name}.localhost:{port}/")
    WebDriverWait(browser, 30).until(lambda browser: browser.execute_script("return window.finished === true"))
    assert browser.execute_script("return failures") == []


@pytest.mark.parametrize("block", IN_PAGES, ids=lambda block: block.title)
def test_a_block_of_a_page_exposes_and_sells(block: Block, shop: Shop, browser: Chrome) -> None:
    with served(page(block, shop.host)) as port:
        opened(browser, port, f"b{block.number}")
        has_exposed_and_sold(stored(shop.service, f"v-{block.number}"), block)


@pytest.mark.parametrize("block", IN_PAGES, ids=lambda block: block.title)
def test_a_block_of_a_page_goes_on_without_us(block: Block, browser: Chrome) -> None:
    with served(page(block, f"https://localhost:{free_port()}")) as port:
        opened(browser, port, f"alone{block.number}")
        shown = browser.execute_script("return document.documentElement.outerHTML.includes('Delivery in two days')")
        decided = browser.execute_script("return document.body.dataset.variant ?? 'control'")
        assert (shown or "Delivery" not in block.text, decided) == (True, "control")


def test_every_client_that_is_listed_has_a_block_that_runs() -> None:
    assert tuple(dict.fromkeys(block.title for block in BLOCKS)) == LISTED
    assert {block.kind for block in BLOCKS} == {"html", "js browser", "jsx browser", "js node", "python", "sh"}
