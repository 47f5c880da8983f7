"""What the tag costs a page that people look at: the same page with and without it, each loaded anew in Chromium.

`python -m benchmarks.tag [LOADS]`. 150 ms of latency and a CPU of a quarter of the speed; nothing is kept between
loads, which take turns and who is first. Printed are the layout shift (CLS) and the largest contentful paint (LCP) of
both and of their difference, pair by pair, and in how many frames a slot showed the text that its variant replaces.
"""

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from servers.chromium import open_chromium
from servers.service import running
from servers.shop_pages import shop_pages
from worlds.tag_pages import page

LATENCY_MS = 150
SLOWER = 4
FILES = {
    "banner.yaml": "key: banner\nstatus: running\nvariants: [{key: control, weight: 0, payload: {title: Welcome}}, "
    "{key: new, payload: {title: Sale of the week}}]\ngoal: purchase_rate\n",
    "shop.yaml": "privacy: {default_consent: personal}\n",
}
ORIGINAL = "Hello"
BODY = (
    f'<h1 style="height:1.2em" data-resonate="banner" data-resonate-text="title">{ORIGINAL}</h1>'
    '<p style="font-size:40px">' + "Everything that this shop has, at prices that people like. " * 8 + "</p>"
)
WATCHING = """
window.seen = {shift: 0, paint: 0, original: 0, frames: 0};
new PerformanceObserver((list) => { for (const each of list.getEntries()) seen.shift += each.value; })
  .observe({type: "layout-shift", buffered: true});
new PerformanceObserver((list) => { for (const each of list.getEntries()) seen.paint = each.startTime; })
  .observe({type: "largest-contentful-paint", buffered: true});
(function look() {
  const slot = document.querySelector("[data-resonate]");
  if (slot && slot.textContent) {
    seen.frames++;
    seen.original += slot.textContent == "Hello" && getComputedStyle(slot).visibility == "visible";
  }
  requestAnimationFrame(look);
})();
"""
SETTLED = """const done = arguments[0];
const rest = () => setTimeout(() => done(window.seen), 400);
document.readyState == "complete" ? rest() : addEventListener("load", rest);"""


def loaded(browser: Any, address: str) -> dict[str, float]:
    """What one cold load of a page showed."""
    browser.execute_cdp_cmd("Network.clearBrowserCache", {})
    browser.execute_cdp_cmd("Network.clearBrowserCookies", {})
    browser.get(address)
    return browser.execute_async_script(SETTLED)


def main(loads: int) -> None:
    """Prints the table."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), FILES) as site,
        shop_pages(site.url, {"/with": page(BODY), "/without": page(BODY, "", "")}) as pages,
        open_chromium() as browser,
    ):
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCHING})
        browser.execute_cdp_cmd("Network.enable", {})
        slow = {"offline": False, "latency": LATENCY_MS, "downloadThroughput": -1, "uploadThroughput": -1}
        browser.execute_cdp_cmd("Network.emulateNetworkConditions", slow)
        browser.execute_cdp_cmd("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        found: dict[str, list[dict[str, float]]] = {"without": [], "with": []}
        for number in range(loads):
            for name in sorted(found, reverse=number % 2 == 0):
                found[name].append(loaded(browser, f"{pages.url}/{name}"))
    print(f"{'page':12}{'CLS':>10}{'LCP ms: median':>18}{'quartiles':>18}{'frames':>10}{'with the original text':>25}")
    for name, told in found.items():
        shift, paint = ([each[what] for each in told] for what in ("shift", "paint"))
        frames, original = (int(sum(each[what] for each in told)) for what in ("frames", "original"))
        print(f"{name:12}{statistics.median(shift):10.4f}{spread(paint)}{frames:10}{original:25}")
    pairs = list(zip(found["with"], found["without"], strict=True))
    shifts, paints = ([one[what] - other[what] for one, other in pairs] for what in ("shift", "paint"))
    print(
        f"{'with - without':12}{statistics.median(shifts):8.4f}{spread(paints)}   of each pair of loads that followed"
    )


def spread(values: list[float]) -> str:
    """The median and the quartiles."""
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{median:18.1f}{low:9.1f}{high:9.1f}"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
