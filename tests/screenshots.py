"""The pictures of the pages in docs/images: one shop, one moment, light, 1,200 wide.

    python tests/screenshots.py [FOLDER]

The service runs by a clock that begins at one moment (libfaketime), over a past that is drawn from a seed: a page that
has changed is a file that has changed, and nothing else is as long as all are taken within a minute.
"""

import base64
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from selenium.webdriver import Chrome
from servers.chromium import open_chromium
from servers.patience import until
from servers.people import sign_in_browser
from servers.service import Service, write_definitions

from benchmarks import readout_log

IMAGES: Final = Path(__file__).parents[1] / "docs" / "images"
CLOCK: Final = datetime(2026, 2, 9, 6, tzinfo=UTC)  # behind the last event of the past
LIBRARIES: Final = (
    *Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), Path("/usr/lib/faketime/libfaketime.so.1"),
)  # fmt: skip
EVENTS: Final = 60_000
WIDTH: Final = 1_200
NOT_YET: Final = ("being computed", "being counted", "Not read yet")
FILES: Final[Mapping[str, str]] = {
    "banner.yaml": """\
key: banner
name: Free-shipping banner
owner: growth@shop.example
hypothesis: A banner that names the threshold lifts the purchase rate.
status: running
start: 2026-01-19
variants:
  - {key: control, payload: {banner: null}}
  - {key: threshold, payload: {banner: Free shipping from 50 EUR}}
goals: [purchase_rate]
secondary: [revenue_per_visitor, engaged_time, nps]
guardrails: {refund_rate: 2%}
plan: {days: 28, dimensions: [device]}
""",
    "gift-wrap.yaml": """\
key: gift-wrap
name: Gift wrap at checkout
owner: shop@shop.example
variants: [control, offer]
goal: purchase_rate
""",
    "short-checkout.yaml": """\
key: short-checkout
name: A checkout of one page
owner: growth@shop.example
status: paused
variants: [control, short]
goal: purchase_rate
""",
    "shop.yaml": "timezone: Europe/Bratislava\ncurrency: EUR\n",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """What stands on it: a page from its top, so many pixels of it, or from what a selector finds."""

    path: str
    height: int
    top: str = "body"


PICTURES: Final[Mapping[str, Picture]] = {
    "experiments": Picture("/dashboard", 900),
    "experiment": Picture("/dashboard/experiments/banner", 1_000),
    "effects": Picture("/dashboard/experiments/banner", 1_150, "section[aria-labelledby=effects]"),
    "new": Picture("/dashboard/new?metric=purchase_rate&lift=5%25", 1_000),
    "plan": Picture("/dashboard/plan?asked=1&units_a_day=1000&baseline=3%25&lift=5%25", 900),
    "customers": Picture("/dashboard/cx", 1_000),
    "recommendations": Picture("/dashboard/recommendations", 900),
    "program": Picture("/dashboard/program", 900),
    "operations": Picture("/dashboard/operations", 900),
    "metrics": Picture("/dashboard/metrics", 900),
    "events": Picture("/dashboard/events", 900),
    "report": Picture("/dashboard/experiments/banner/report", 1_000),
}


def library() -> Path | None:
    """What sets the clock of a process; None where it is not installed."""
    return next((each for each in LIBRARIES if each.exists()), None)


def behind() -> str:
    """How far the clock of the service is from this machine's, in seconds, so that it shows `CLOCK` now."""
    return f"{(CLOCK - datetime.now(UTC)).total_seconds():+.0f}"


@contextmanager
def shop(root: Path, held: Path) -> Generator[Service]:
    """The service at its moment. `held` is the library that sets its clock."""
    readout_log.write(readout_log.LogPlan(EVENTS), root / "data")
    variables = {
        "RESONATE_WORKERS": "1", "LD_PRELOAD": str(held), "FAKETIME": behind(), "TZ": "UTC", "NO_FAKE_STAT": "1",
    }  # fmt: skip
    service = Service(root / "data", write_definitions(root / "definitions", FILES), variables)
    try:
        service.start()
        service.results("banner")
        yield service
    finally:
        service.end()


def draw(folder: Path, held: Path) -> list[Path]:
    """Makes every picture; their files."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as root, shop(Path(root), held) as service, open_chromium() as browser:
        sign_in_browser(browser, service.url, service.data, "publisher", "ada@shop.example")
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        return [taken(browser, service, picture, folder / f"{name}.png") for name, picture in PICTURES.items()]


def taken(browser: Chrome, service: Service, picture: Picture, file: Path) -> Path:
    """One picture, of the page as it is once nothing of it is still being computed."""
    size = {"width": WIDTH, "height": picture.height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    light = {"features": [{"name": "prefers-color-scheme", "value": "light"}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", light)

    def computed() -> bool:
        browser.get(service.url + picture.path)
        return not any(word in browser.page_source for word in NOT_YET)

    until(computed, f"{picture.path} is there as a whole", tell=service.told)
    top = browser.find_element("css selector", picture.top).rect["y"] if picture.top != "body" else 0
    clip = {"x": 0, "y": max(0, top - 16), "width": WIDTH, "height": picture.height, "scale": 1}
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
    file.write_bytes(base64.b64decode(shot["data"]))
    return file


if __name__ == "__main__":
    found = library()
    if found is None:
        sys.exit("no libfaketime: `make test-tools` installs it by apt as root")
    for made in draw(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES, found):
        print(made, made.stat().st_size)
