"""Whatever becomes of the service, a page with the tag stays whole, and what could not be sent is stored once later."""

from collections.abc import Callable

import pytest
from selenium.common.exceptions import JavascriptException
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait
from servers.patience import until
from servers.service import PUBLISHABLE_KEY, Service
from servers.shop_pages import PREFIX, Fault, ShopPages
from worlds.tag_pages import LINE, OPEN, page, ready, rows, visit

from app.tag.library import TagLines

pytestmark = pytest.mark.browser
FILES = {
    "banner.yaml": "key: banner\nstatus: running\nvariants: [{key: control, weight: 0, payload: {title: a}}, "
    "{key: new, payload: {title: Sale}}]\ngoal: purchase_rate\n",
    "moved.yaml": "key: moved\nstatus: running\nvariants: [{key: control, weight: 0}, "
    "{key: away, payload: {changes: [{redirect: /elsewhere}]}}]\naudience: {where: {moves: true}}\n"
    "goal: purchase_rate\n",
    **OPEN,
}
SLOT = '<h1 data-resonate="banner" data-resonate-text="title">Hello</h1>'
BARE = TagLines.of(PREFIX, PUBLISHABLE_KEY, "personal").bare
SHOWN = "const [h] = document.getElementsByTagName('h1'); return [getComputedStyle(h).visibility, h.textContent]"
PAGES = {"/": page(SLOT)}


def of(kind: str, fault: Fault) -> Callable[[str], Fault | None]:
    """Spoils what begins so."""
    return lambda path: fault if path.startswith(kind) else None


def whole(browser: Chrome) -> str:
    """The text of the slot, once it can be seen."""
    shown = WebDriverWait(browser, 20, ignored_exceptions=[JavascriptException])  # until the slot is there
    return shown.until(lambda each: (told := each.execute_script(SHOWN))[0] == "visible" and told[1])


@pytest.mark.parametrize("fault", ["dead", "hanging", "500", "broken"])
def test_a_script_that_does_not_come_leaves_the_page_as_the_shop_wrote_it(
    impatient_chromium: Chrome, pages: ShopPages, fault: Fault
) -> None:
    pages.spoils = of("/resonate", fault)
    impatient_chromium.get(pages.url)
    assert whole(impatient_chromium) == "Hello"
    assert impatient_chromium.execute_script("return [window.resonate, document.cookie]") == [None, ""]


def test_a_script_that_is_blocked_leaves_it_so_too(chromium: Chrome, pages: ShopPages) -> None:
    pages.headers["content-security-policy"] = "script-src 'none'"
    chromium.get(pages.url)
    assert whole(chromium) == "Hello"


@pytest.mark.parametrize("fault", ["dead", "hanging", "500", "broken"])
def test_whatever_fails_behind_the_script_the_variant_is_shown(
    impatient_chromium: Chrome, pages: ShopPages, fault: Fault
) -> None:
    pages.spoils = lambda path: None if path.startswith("/resonate.js") else fault
    impatient_chromium.get(pages.url)
    until(lambda: whole(impatient_chromium) == "Sale", "the variant is shown")
    assert ready(impatient_chromium) == {"ok": True, "cause": None}


@pytest.mark.parametrize("fault", ["dead", "500", "broken"])
def test_parts_that_do_not_come_cost_a_redirect_in_every_arm_and_nothing_else(
    chromium: Chrome, site: Service, pages: ShopPages, fault: Fault
) -> None:
    pages.html["/"] = page(SLOT, LINE.replace("async", "async data-attributes='{\"moves\": true}'"))
    pages.spoils = of("/resonate-parts", fault)
    visit(chromium, pages)
    assert whole(chromium) == "Sale"
    until(lambda: any(row["type"] == "page" for row in rows(site)), "the page counts", tell=site.told)
    assert [row["experiment"] for row in rows(site) if row["type"] == "exposure"] == ["banner"]
    assert chromium.current_url == f"{pages.url}/"


def test_events_of_a_page_whose_service_is_away_are_stored_once_from_the_next(
    chromium: Chrome, site: Service, pages: ShopPages
) -> None:
    pages.spoils = of("/v1/batch", "500")
    visit(chromium, pages)
    chromium.execute_script("resonate.track('While away', {n: 1}); resonate.track('While away', {n: 2})")
    WebDriverWait(chromium, 20).until(lambda each: "While away" in kept(each))
    chromium.get("about:blank")
    pages.spoils = of("/v1/batch", "dead")
    visit(chromium, pages)
    chromium.execute_script("resonate.track('Still away')")
    WebDriverWait(chromium, 20).until(lambda each: "Still away" in kept(each))
    chromium.get("about:blank")
    pages.spoils = lambda path: None
    visit(chromium, pages)
    chromium.execute_script("resonate.track('Back')")
    until(lambda: any(row.get("event") == "Back" for row in rows(site)), "the last one is stored", tell=site.told)
    found = [row.get("event") for row in rows(site) if row["type"] in ("track", "exposure")]
    assert sorted(found) == ["Back", "Experiment Viewed", "Still away", "While away", "While away"]
    assert len([row for row in rows(site) if row["type"] == "page"]) == 3
    WebDriverWait(chromium, 20).until(lambda each: kept(each) == "")


def kept(browser: Chrome) -> str:
    return browser.execute_script("return localStorage.resonate_queue || ''")


def test_the_bare_library_decides_by_its_copy_while_the_service_is_dead_and_without_one_by_nothing(
    chromium: Chrome, pages: ShopPages
) -> None:
    chromium.execute_cdp_cmd("Network.enable", {})
    chromium.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": True})
    pages.html["/"] = page(SLOT, BARE)
    pages.spoils = of("/api/features", "dead")
    assert visit(chromium, pages) == {"ok": False, "cause": "features"}
    assert (whole(chromium), chromium.execute_script("return resonate.variant('banner').variant")) == (
        "Hello",
        "control",
    )
    pages.spoils = lambda path: None
    assert visit(chromium, pages) == {"ok": True, "cause": None}
    pages.spoils = of("/api/features", "broken")
    assert visit(chromium, pages) == {"ok": False, "cause": "features"}
    assert whole(chromium) == "Sale"
    chromium.execute_script(
        "const copy = JSON.parse(localStorage.resonate_features); copy.at -= 7 * 864e5 + 1e4;"
        "localStorage.resonate_features = JSON.stringify(copy)"
    )
    visit(chromium, pages)
    assert whole(chromium) == "Hello"


def test_a_browser_without_storage_or_cookies_shows_the_variant_and_counts_it(
    chromium: Chrome, site: Service, pages: ShopPages
) -> None:
    blocked = """for (const name of ["localStorage", "sessionStorage"])
      Object.defineProperty(window, name, { get() { throw new DOMException("no", "SecurityError"); } });
      Object.defineProperty(document, "cookie", { get: () => "", set() {} });"""
    chromium.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": blocked})
    visit(chromium, pages)
    assert whole(chromium) == "Sale"
    until(lambda: [row for row in rows(site) if row["type"] == "exposure"], "it counts", tell=site.told)
