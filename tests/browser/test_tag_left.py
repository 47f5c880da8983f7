"""What a page sends as it goes is stored once, whether the service lives, dies, or comes back meanwhile."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait
from servers.patience import until
from servers.service import Service
from servers.shop_pages import ShopPages, shop_pages
from worlds.tag_pages import page, ready, rows, visit

pytestmark = pytest.mark.browser
FILES = {
    "banner.yaml": "key: banner\nstatus: running\n"
    "variants: [{key: control, weight: 0, payload: a}, {key: new, payload: b}]\n"
    "goal: purchase_rate\n",
    "shop.yaml": "privacy: {default_consent: personal}\n",
}
HTML = page('<p data-resonate="banner" data-resonate-text="">x</p>')
STORED = 'resonate_events_total{outcome="stored"}'
AGAIN = 'resonate_events_total{outcome="duplicate"}'
# how many answers came since the second file did, that file included
COME = """const all = performance.getEntriesByType('resource');
const at = all.findIndex(({ name }) => /resonate-parts/.test(name));
return at < 0 ? 0 : 1 + all.slice(at).filter(({ name }) => /v1.batch/.test(name)).length"""
LEAVING = "addEventListener('beforeunload', () => resonate.track(arguments[0]), {once: true})"


@pytest.fixture
def site(start_service) -> Service:
    return start_service(FILES)


@pytest.fixture
def pages(site: Service) -> Iterator[ShopPages]:
    with shop_pages(site.url, {"/": HTML, "/next": HTML, "/plain": "<p>"}) as found:
        yield found


def kept(browser: Chrome) -> list[dict[str, Any]]:
    return json.loads(browser.execute_script("return localStorage.resonate_queue || '[]'"))


def calm(browser: Chrome) -> None:
    """Until the second file has come, and nothing that the page sent waits for its answer."""
    ready(browser)
    WebDriverWait(browser, 30).until(lambda each: each.execute_script(COME) > 1 and kept(each) == [])
    before = browser.execute_script(f"resonate.track('Calm'); {COME}")
    WebDriverWait(browser, 30).until(lambda each: each.execute_script(COME) > before and kept(each) == [])


def left(browser: Chrome, pages: ShopPages, event: str) -> None:
    """Tells of an event as the page goes, and goes."""
    browser.execute_script(LEAVING, event)
    browser.get(pages.url + "/plain")


def events(site: Service) -> list[str]:
    return sorted(row["event"] for row in rows(site) if row["type"] in ("track", "exposure"))


def stored(site: Service, *names: str) -> list[str]:
    def all_of_them() -> list[str] | None:
        found = events(site)
        return found if set(names) <= set(found) else None

    return until(all_of_them, f"{names} are stored", tell=lambda: f", but {events(site)}{site.told()}") or []


def counted(site: Service, line: str) -> float:
    text = httpx.get(f"{site.url}/metrics").text
    return sum(float(each.rpartition(" ")[2]) for each in text.splitlines() if each.startswith(line))


def test_pages_of_a_living_service_send_nothing_twice(
    chromium: Chrome, site: Service, pages: ShopPages, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"Left {number}" for number in range(12)]
    for number, name in enumerate(names):
        visit(chromium, pages, "/next" if number % 2 else "/")
        calm(chromium)
        left(chromium, pages, name)
    visit(chromium, pages)
    calm(chromium)
    assert Counter(each for each in stored(site, *names) if each.startswith("Left")) == Counter(names)
    again, once = counted(site, AGAIN), counted(site, STORED)
    with capsys.disabled():
        print(f"\nsent twice by pages of a living service: {again:g} of {once:g} events")
    assert once >= 4 * len(names)
    assert again <= 0.02 * once


def test_what_left_a_page_while_the_service_was_dead_is_stored_once_by_the_next(
    chromium: Chrome, site: Service, pages: ShopPages
) -> None:
    visit(chromium, pages)
    calm(chromium)
    site.stop()
    left(chromium, pages, "Lost")
    chromium.get(pages.url + "/next")  # another page that nobody hears of
    site.start()
    visit(chromium, pages)
    calm(chromium)
    left(chromium, pages, "Heard")
    found = Counter(stored(site, "Lost", "Heard"))
    assert (found["Lost"], found["Heard"], found["Experiment Viewed"]) == (1, 1, 1)
    ends = Counter(
        row["page_view_id"] for row in rows(site) if row["type"] == "engagement" and row["properties"]["final"]
    )
    assert set(ends.values()) == {1}


def test_a_beacon_that_is_refused_is_sent_again_and_one_whose_page_comes_back_is_not(
    chromium: Chrome, site: Service, pages: ShopPages
) -> None:
    visit(chromium, pages)
    calm(chromium)
    pages.spoils = lambda path: "500" if "&left=" in path else None
    left(chromium, pages, "Refused")
    pages.spoils = lambda path: None
    chromium.back()
    left(chromium, pages, "After")
    visit(chromium, pages)
    calm(chromium)
    found = Counter(stored(site, "Refused", "After"))
    assert (found["Refused"], found["After"] >= 1) == (1, True)
    assert chromium.get_cookie("resonate_left")["value"].isalnum()


def test_what_is_kept_has_an_end_in_days_in_size_and_with_the_visitor(
    chromium: Chrome, site: Service, pages: ShopPages
) -> None:
    visit(chromium, pages)
    calm(chromium)
    chromium.execute_script(
        """const event = (name, days, more) => ({type: "track", event: name, messageId: name, anonymousId: resonate.id,
             timestamp: new Date(Date.now() - days * 864e5), context: {consent: {resonate: "personal"}}, ...more});
        localStorage.resonate_queue = JSON.stringify([
          event("Old", 7.1), event("Theirs", 1, {anonymousId: "somebody-else"}),
          ...Array.from({length: 40}, (_, n) => event("Large " + n, 1, {properties: {text: "x".repeat(9000)}})),
          event("Young", 6.9), event("Young", 6.9)])"""
    )
    pages.spoils = lambda path: "500" if path.startswith("/v1/batch") else None
    visit(chromium, pages)
    WebDriverWait(chromium, 30).until(lambda each: any(told["type"] == "page" for told in kept(each)))
    held = kept(chromium)
    assert len(json.dumps(held)) < 250_000
    names = [each.get("event") for each in held]
    assert ("Old" in names, "Theirs" in names, "Large 0" in names, "Large 39" in names) == (False, False, False, True)
    pages.spoils = lambda path: None
    visit(chromium, pages)
    calm(chromium)
    found = Counter(stored(site, "Young", "Large 39"))
    assert (found["Young"], found["Large 39"], found["Old"], found["Theirs"]) == (1, 1, 0, 0)
    chromium.execute_script("resonate.consent('none')")
    assert chromium.execute_script("return [document.cookie, Object.keys(localStorage)]") == ["", []]
