"""Visitors of a page that half of them are led away from, a tenth of whom leave at a random moment, and what is stored.

Each load is a new visitor: a host of its own below one site, so that nothing of another load is kept for it. When and
how somebody leaves is drawn before anybody knows which arm they are in.
"""

import contextlib
import json
import queue
import random
import statistics
import threading
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from scipy.stats import chisquare
from selenium.webdriver import Chrome
from servers.devtools import DevTools, Tab, TabGone, devtools
from servers.patience import stall, until
from servers.service import PUBLISHABLE_KEY, Service

from app.tag.library import STYLE, TagLines

KEY: Final = "moved"
OLD, NEW, LEFT = "/old", "/new", "/left"  # that of the test, that where it leads, and where who leaves goes
FILES: Final[Mapping[str, str]] = {
    f"{KEY}.yaml": f"key: {KEY}\nstatus: running\ngoal: purchase_rate\naudience: {{where: {{path: {OLD}}}}}\n"
    f"variants: [control, {{key: away, payload: {{changes: [{{redirect: {NEW}}}]}}}}]\n",
    "shop.yaml": "privacy: {default_consent: personal}\n",
}
ARMS: Final = ("control", "away")
LEAVING: Final = ("stop", "go", "close")  # loading is stopped, another address is gone to, the tab is closed
ABORTED: Final = 0.1
FIRST_GUESS_SECONDS: Final = 0.1  # from the script to the page event, until some loads have shown it
GOES_SECONDS: Final = 5.0  # an address that is gone to is there by then, or was given up
TRIES: Final = 4
SITE: Final = "shop.localhost"  # of which every name is this machine


@dataclass(frozen=True, slots=True)
class Load:
    """One load; who leaves does so in this way, once so large a part of what others need has passed."""

    number: int
    leaving: Literal["stop", "go", "close"] | None
    moment: float

    @property
    def host(self) -> str:
        """Of this load alone."""
        return f"v{self.number}.{SITE}"


def drawn(count: int, chance: random.Random) -> list[Load]:
    """So many loads; a tenth is aborted, whichever they are."""
    aborted = set(chance.sample(range(count), round(count * ABORTED)))
    return [Load(n, chance.choice(LEAVING) if n in aborted else None, chance.random()) for n in range(count)]


class _Page(BaseHTTPRequestHandler):
    """A page whose tag comes from the service by the page's own host, so that no cache has it."""

    service_port: int
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        host, path = self.headers["host"].partition(":")[0], self.path.partition("?")[0]
        script = TagLines.of(f"http://{host}:{self.service_port}", PUBLISHABLE_KEY).script
        line = "" if path == LEFT else script.replace("async", 'async data-stream="off"')
        body = f"<!doctype html><meta charset=utf-8><title>shop</title>{line}{STYLE}<body><h1>{path}</h1>".encode()
        self.send_response(200 if path in (OLD, NEW, LEFT) else 404)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name is the base class's)
        """Nothing."""


class _Pages(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: who leaves does not wait for what they asked for."""


@contextmanager
def redirect_pages(site: Service) -> Generator[int]:
    """The pages of the test while the block runs; their port."""
    with _Pages(("127.0.0.1", 0), type("_SitePage", (_Page,), {"service_port": site.port})) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@dataclass
class Crowd:
    """Visitors who walk through loads, some at a time; `failed` are loads that did not come to an end, and why."""

    port: int  # of the pages
    needed: list[float] = field(default_factory=list)  # seconds from the script to the page event
    failed: list[tuple[int, str]] = field(default_factory=list)

    def walk(self, browser: Chrome, loads: list[Load], tabs: int = 4) -> None:
        """All loads, each to its end."""
        waiting: queue.SimpleQueue[Load] = queue.SimpleQueue()
        for load in loads:
            waiting.put(load)
        with devtools(browser) as tools:
            threads = [threading.Thread(target=self._work, args=(tools, waiting)) for _ in range(tabs)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    def _work(self, tools: DevTools, waiting: "queue.SimpleQueue[Load]") -> None:
        tab = tools.tab()
        while True:
            try:
                load = waiting.get_nowait()
            except queue.Empty:
                break
            try:
                self._visit(tab, load)
            except TabGone as gone:
                self.failed.append((load.number, str(gone)))
            if load.leaving == "close":
                tab.close()
                tab = tools.tab()
        self._go(tab)  # so that the last one leaves its page, too
        tab.close()

    def _visit(self, tab: Tab, load: Load) -> None:
        tab.forget()
        tab.call("Page.navigate", url=f"http://{load.host}:{self.port}{OLD}")
        script = tab.next("Network.responseReceived", lambda told: "/resonate.js" in told["response"]["url"])
        if load.leaving is None:
            page = tab.next("Network.requestWillBeSent", _tells_a_page)
            with contextlib.suppress(TabGone):  # of a page that is led on late nobody hears whether it was stored
                tab.next("Network.loadingFinished", lambda told: told["requestId"] == page["requestId"], GOES_SECONDS)
            self.needed.append(page["timestamp"] - script["timestamp"])
            return
        usual = statistics.median(self.needed[-200:]) if self.needed else FIRST_GUESS_SECONDS
        stall(load.moment * usual, "somebody leaves whatever happens then")
        if load.leaving == "stop":
            with contextlib.suppress(TabGone):  # between two pages there is nothing to stop
                tab.call("Page.stopLoading")
            stall(usual, "they look at what is there")
        if load.leaving != "close":
            self._go(tab)

    def _go(self, tab: Tab) -> None:
        """To where nothing is counted; again, where the page itself led on in the same moment."""
        for _ in range(TRIES):
            tab.call("Page.navigate", url=f"http://{SITE}:{self.port}{LEFT}")
            with contextlib.suppress(TabGone):
                tab.next("Page.frameNavigated", lambda told: told["frame"]["url"].endswith(LEFT), GOES_SECONDS)
                return


def _tells_a_page(told: Mapping[str, Any]) -> bool:
    request = told["request"]
    return "/v1/batch" in request["url"] and '"type":"page"' in request.get("postData", "")


@dataclass(frozen=True, slots=True)
class Stored:
    """What the service has of a crowd, by arm the exposed units and those with a page event where their arm leads to.

    `p` is that of the split, `readout_p` the readout's own; `unexposed` of the aborted loads have no exposure,
    `uncounted` are the others that have not exactly one; `checks` is what the readout says of visitors that were lost.
    """

    exposed: Mapping[str, int]
    arrived: Mapping[str, int]
    p: float
    unexposed: int
    uncounted: list[int]
    aborted: Mapping[str, int]
    readout_p: float
    checks: list[str]

    @classmethod
    def of(cls, site: Service, loads: list[Load]) -> "Stored":
        """Asked by the export, and of the readout, once every load that was not aborted has its page event."""
        whole = [load.number for load in loads if load.leaving is None]

        def settled() -> list[dict[str, Any]] | None:
            found = list(events(site))
            seen = {number_of(row) for row in found if row["type"] == "page"}
            return found if seen.issuperset(whole) else None

        stored = until(settled, "every load that was not aborted has its page event", 120.0, site.told) or []
        readout = site.results(KEY)
        exposures = [row for row in stored if row["type"] == "exposure"]
        arm_of = {row["visitor_id"]: row["variant"] for row in exposures}
        leads = {"control": OLD, "away": NEW}
        pages = [row for row in stored if row["type"] == "page"]
        arrived = {row["visitor_id"] for row in pages if row["path"] == leads.get(arm_of.get(row["visitor_id"], ""))}
        exposed = Counter(arm_of.values())
        times = Counter(number_of(row) for row in exposures)
        return cls(
            {arm: exposed[arm] for arm in ARMS},
            {arm: sum(arm_of[visitor] == arm for visitor in arrived) for arm in ARMS},
            float(chisquare([exposed[arm] for arm in ARMS]).pvalue),
            sum(load.leaving is not None and not times[load.number] for load in loads),
            [number for number in whole if times[number] != 1],
            Counter(load.leaving for load in loads if load.leaving is not None),
            readout["health"]["srm"]["p"],
            [check["detail"] for check in readout["health"]["checks"] if check["code"] == "redirect_lost"],
        )


def events(site: Service) -> Iterator[dict[str, Any]]:
    """Everything that is stored, page by page."""
    with site.client() as backend:
        cursor = ""
        while True:
            asked = {"limit": "10000", **({"cursor": cursor} if cursor else {})}
            answer = backend.get("/v1/export/events", params=asked).raise_for_status()
            if not answer.text:
                return
            yield from map(json.loads, answer.text.splitlines())
            cursor = answer.headers["x-resonate-next-cursor"]


def number_of(row: Mapping[str, Any]) -> int:
    """Of which load a row is."""
    host = urlsplit(row["url"] or "").hostname or "v-1"
    return int(host.partition(".")[0][1:])
