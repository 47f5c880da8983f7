"""Time on site end to end: what a person does in a real browser is what the readout says, to half a second."""

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.support.ui import WebDriverWait
from servers.patience import stall, until
from servers.service import PUBLISHABLE_KEY, Service
from worlds.tag_pages import rows

from app.demo.shop import serving

pytestmark = pytest.mark.browser
PAGES = Path(__file__).parent / "pages"
EXPERIMENT = """
key: reading-time
status: running
variants: [control, longer]
goal: engaged_time
"""
TOLERANCE_SECONDS = 0.5
FASTER = 30  # the clock of a page in which nobody does anything


@pytest.fixture
def site(start_service) -> Service:
    return start_service({"reading-time.yaml": EXPERIMENT})


class Reader:
    """A person with a browser who reads one page of another origin than the service's."""

    def __init__(self, browser: Chrome, pages: str) -> None:
        self.browser = browser
        self.pages = pages
        self.engaged = 0.0
        self.between = 0.0  # while a page came or went, when nobody but the browser knows which of the two was there

    @contextmanager
    def coming_or_going(self) -> Generator[None]:
        started = time.monotonic()
        yield
        self.between += time.monotonic() - started

    def open(self) -> None:
        with self.coming_or_going():
            self.browser.get(f"{self.pages}/timed.html")
        opened = time.monotonic()
        WebDriverWait(self.browser, 10).until(lambda browser: browser.title in {"control", "longer"})
        self.move()
        self.engaged += time.monotonic() - opened

    def move(self) -> None:
        ActionChains(self.browser).move_by_offset(3, 3).perform()

    def read(self, seconds: float) -> None:
        started = time.monotonic()
        while time.monotonic() - started < seconds:
            stall(0.2, "a person reads")
            self.move()
        self.engaged += time.monotonic() - started

    def leave_for_another_tab(self, seconds: float) -> None:
        first = self.browser.current_window_handle
        with self.coming_or_going():
            self.browser.switch_to.new_window("tab")
        stall(seconds, "a person looks at something else")
        with self.coming_or_going():
            self.browser.close()
            self.browser.switch_to.window(first)

    def go_away(self) -> None:
        with self.coming_or_going():
            self.browser.get("about:blank")

    def seconds(self) -> Any:
        """How long they were engaged, to half a second beside what nobody knows."""
        unknown = self.between / 2
        return pytest.approx(self.engaged + unknown, abs=TOLERANCE_SECONDS + unknown)


@pytest.fixture
def reader(chromium: Chrome, site: Service, request: pytest.FixtureRequest) -> Iterator[Reader]:
    config: dict[str, Any] = {"service": site.url, "key": PUBLISHABLE_KEY} | getattr(request, "param", {})
    with serving(PAGES, config) as pages:
        yield Reader(chromium, pages)


def engaged_seconds(site: Service) -> float:
    """What the readout says all visitors together were engaged."""
    readout = site.results("reading-time")
    [metric] = [metric for metric in readout["metrics"] if metric["metric"] == "engaged_time"]
    return sum((arm["value"] or 0) * arm["units"] for arm in metric["arms"])


def page_views(site: Service) -> list[set[bool]]:
    """Of each page view that sent engaged time, whether its beats were final."""
    told = beats(site)
    return [
        {row["properties"]["final"] for row in told if row["page_view_id"] == view}
        for view in {row["page_view_id"] for row in told}
    ]


def beats(site: Service) -> list[dict[str, Any]]:
    """All that was told of engaged time, once a final beat is there."""

    def ended() -> list[dict[str, Any]]:
        found = [row for row in rows(site) if row["type"] == "engagement"]
        return found if any(row["properties"]["final"] for row in found) else []

    return until(ended, "a page has ended", tell=site.told)


def test_the_readout_has_the_seconds_that_were_read_and_none_of_a_hidden_tab(reader: Reader, site: Service) -> None:
    reader.open()
    reader.read(2)
    reader.leave_for_another_tab(3)
    reader.read(1)
    reader.go_away()
    assert engaged_seconds(site) == reader.seconds()


@pytest.mark.parametrize("reader", [{"lose": 1}], indirect=True, ids=["first-beat-lost"])
def test_a_lost_beat_costs_nothing(reader: Reader, site: Service) -> None:
    reader.open()
    reader.read(1)
    reader.leave_for_another_tab(0.5)
    reader.read(1)
    reader.go_away()
    assert engaged_seconds(site) == reader.seconds()


@pytest.mark.parametrize("reader", [{"faster": FASTER}], indirect=True, ids=["a-clock-that-runs-faster"])
def test_a_page_left_open_without_input_stops_counting_after_thirty_seconds(reader: Reader, site: Service) -> None:
    reader.open()
    stall(3, "nobody touches anything")
    reader.go_away()
    # By what the page says, because no readout believes in more time than has passed.
    told = [row["engaged_ms"] / 1000 for row in beats(site) if row["properties"]["final"]]
    assert told == [pytest.approx(reader.engaged * FASTER + 30, abs=TOLERANCE_SECONDS * FASTER)]


def test_a_page_that_comes_back_from_the_cache_goes_on_as_a_page_of_its_own(reader: Reader, site: Service) -> None:
    reader.open()
    reader.read(1)
    with reader.coming_or_going():
        reader.browser.get(f"{reader.pages}/config.js")
        reader.browser.back()
    reader.read(1)
    reader.go_away()
    assert engaged_seconds(site) == reader.seconds()
    assert [True in finals for finals in page_views(site)] == [True, True]
