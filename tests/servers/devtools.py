"""Tabs of one Chromium that are driven at the same time, by the browser's own protocol: a driver drives one at a time.

    with open_chromium() as browser, devtools(browser) as tools:
        tab = tools.tab()
        tab.call("Page.navigate", url="http://…")
        event = tab.next("Network.requestWillBeSent", lambda told: told["request"]["method"] == "POST")

Each tab is a window of its own, so that none is hidden behind another.
"""

import itertools
import json
import queue
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
import websocket
from selenium.webdriver import Chrome
from servers.patience import HUNG_SECONDS

Told = Mapping[str, Any]


class TabGone(Exception):
    """The tab, or the browser, is there no more, or does not answer."""


class DevTools:
    """One connection to a browser; any thread may call."""

    def __init__(self, connection: websocket.WebSocket) -> None:
        self._connection = connection
        self._ids = itertools.count(1)
        self._sending = threading.Lock()
        self._answers: dict[int, queue.SimpleQueue[Told]] = {}
        self._tabs: dict[str, Tab] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def call(self, method: str, session: str | None = None, **given: Any) -> Told:
        """The result of a method; raises TabGone where the browser refuses it."""
        number, answer = next(self._ids), queue.SimpleQueue[Told]()
        self._answers[number] = answer
        message = {"id": number, "method": method, "params": given, **({"sessionId": session} if session else {})}
        with self._sending:
            self._connection.send(json.dumps(message))
        try:
            told = answer.get(timeout=HUNG_SECONDS)
        except queue.Empty:
            raise TabGone(f"{method} is not answered") from None
        finally:
            del self._answers[number]
        if "error" in told:
            raise TabGone(f"{method}: {told['error'].get('message')}")
        return told["result"]

    def tab(self) -> "Tab":
        """A new one, empty, in front."""
        target = self.call("Target.createTarget", url="about:blank", newWindow=True)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = self._tabs[session] = Tab(self, target, session)
        for domain in ("Page", "Network"):
            tab.call(f"{domain}.enable")
        return tab

    def end(self) -> None:
        """Closes the connection; the browser stays."""
        self._connection.close()
        self._reader.join()

    def _read(self) -> None:
        while True:
            try:
                text = self._connection.recv()
            except (websocket.WebSocketException, OSError):
                text = ""
            if not text:
                return
            told = json.loads(text)
            if "id" in told:
                if (answer := self._answers.get(told["id"])) is not None:
                    answer.put(told)
            elif (tab := self._tabs.get(told.get("sessionId", ""))) is not None:
                tab.events.put((told["method"], told["params"]))


class Tab:
    """One tab, for one thread; `events` are what the browser tells of it."""

    def __init__(self, tools: DevTools, target: str, session: str) -> None:
        self.events: queue.SimpleQueue[tuple[str, Told]] = queue.SimpleQueue()
        self._tools = tools
        self._target = target
        self._session = session

    def call(self, method: str, **given: Any) -> Told:
        """The result of a method on this tab."""
        return self._tools.call(method, self._session, **given)

    def next(self, name: str, fits: Callable[[Told], bool], seconds: float = HUNG_SECONDS) -> Told:
        """What the next event that fits says; those before it are forgotten. Raises TabGone where all is silent."""
        while True:
            try:
                found, told = self.events.get(timeout=seconds)
            except queue.Empty:
                raise TabGone(f"nothing came in {seconds:g} s, no {name}") from None
            if found == name and fits(told):
                return told

    def forget(self) -> None:
        """Forgets what has been told so far."""
        while not self.events.empty():
            self.events.get()

    def close(self) -> None:
        """As a person closes it: the page hears that it is left."""
        self._tools.call("Target.closeTarget", targetId=self._target)


@contextmanager
def devtools(browser: Chrome) -> Generator[DevTools]:
    """The protocol of a browser that a driver has opened."""
    place = browser.capabilities["goog:chromeOptions"]["debuggerAddress"]
    address = httpx.get(f"http://{place}/json/version").json()["webSocketDebuggerUrl"]
    tools = DevTools(websocket.create_connection(address, suppress_origin=True, enable_multithread=True))
    try:
        yield tools
    finally:
        tools.end()
