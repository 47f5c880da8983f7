"""Time on site end to end: what a person does in a real browser is what the readout says, to half a second."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.support.ui import WebDriverWait
from servers.patience import stall
from servers.service import PUBLISHABLE_KEY, Service

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


@pytest.fixture
def site(start_service) -> Service:
    return start_service({"reading-time.yaml": EXPERIMENT})


class Reader:
    """A person with a browser who reads one page of another origin than the service's."""

    def __init__(self, browser: Chrome, pages: str) -> None:
        self.browser = browser
        self.pages = pages
        self.engaged = 0.0

    def open(self, visitor: str) -> None:
        self.browser.get(f"{self.pages}/timed.html?visitor={visitor}")
        WebDriverWait(self.browser, 10).until(lambda browser: browser.title in {"control", "longer"})
        self.move()
        self.engaged += self.browser.execute_script("return window.engagedMs()") / 1000

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
        self.browser.switch_to.new_window("tab")
        stall(seconds, "a person looks at something else")
        self.browser.close()
        self.browser.switch_to.window(first)

    def go_away(self) -> None:
        self.browser.get("about:blank")


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


def page_views(site: Service) -> set[str]:
    """The page views that sent engaged time."""
    with site.client() as client:
        rows = [json.loads(line) for line in client.get("/v1/export/events").text.splitlines()]
    return {row["page_view_id"] for row in rows if row["type"] == "engagement"}


def test_the_readout_has_the_seconds_that_were_read_and_none_of_a_hidden_tab(reader: Reader, site: Service) -> None:
    reader.open("v-1")
    reader.read(2)
    reader.leave_for_another_tab(3)
    reader.read(1)
    reader.go_away()
    assert engaged_seconds(site) == pytest.approx(reader.engaged, abs=TOLERANCE_SECONDS)


@pytest.mark.parametrize("reader", [{"lose": 1}], indirect=True, ids=["first-beat-lost"])
def test_a_lost_beat_costs_nothing(reader: Reader, site: Service) -> None:
    reader.open("v-1")
    reader.read(1)
    reader.leave_for_another_tab(0.5)
    reader.read(1)
    reader.go_away()
    assert engaged_seconds(site) == pytest.approx(reader.engaged, abs=TOLERANCE_SECONDS)


@pytest.mark.parametrize("reader", [{"idle": 1000}], indirect=True, ids=["idle-after-1-s"])
def test_a_page_left_open_without_input_stops_counting(reader: Reader, site: Service) -> None:
    reader.open("v-1")
    reader.read(1)
    stall(3, "nobody touches anything")
    reader.go_away()
    assert engaged_seconds(site) == pytest.approx(reader.engaged + 1, abs=TOLERANCE_SECONDS)


def test_a_page_that_comes_back_from_the_cache_goes_on_with_the_same_view(reader: Reader, site: Service) -> None:
    reader.open("v-1")
    reader.read(1)
    reader.browser.get(f"{reader.pages}/config.js")
    reader.browser.back()
    reader.read(1)
    reader.go_away()
    assert engaged_seconds(site) == pytest.approx(reader.engaged, abs=TOLERANCE_SECONDS)
    assert len(page_views(site)) == 1
