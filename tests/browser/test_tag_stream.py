"""A pause reaches a page that is open: what is not shown yet is shown as control, and what is seen stays as it is."""

from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait
from servers.patience import until
from servers.service import PUBLISHABLE_KEY, Service
from servers.shop_pages import ShopPages, shop_pages
from worlds.tag_pages import LINE, page, rows, visit

pytestmark = pytest.mark.browser

ALL_NEW = "status: running\ngoal: purchase_rate\nvariants: [{key: control, weight: 0}, {key: new, weight: 1, payload: "
FILES = {
    "shown.yaml": f"key: shown\n{ALL_NEW}{{title: New}}}}]\n",
    "late.yaml": f"key: late\n{ALL_NEW}{{title: New}}}}]\n",
    "moved.yaml": f"key: moved\n{ALL_NEW}{{changes: [{{selector: '#moved', text: New}}]}}}}]\n",
    "later.yaml": f"key: later\n{ALL_NEW}{{changes: [{{selector: '#later', text: New}}]}}}}]\n",
    "shop.yaml": "privacy: {default_consent: personal}\n",
}
SLOT = '<p id="{id}" data-resonate="{key}" data-resonate-text="title">Old</p>'
BODY = '<main><h1 id="moved">Old</h1>' + SLOT.format(id="first", key="shown") + "</main>"
ADDED = SLOT.format(id="second", key="late") + '<p id="later">Old</p>'
STREAM = f"GET /sub/{PUBLISHABLE_KEY}"
NOTING = """
window.streams = [];
const Plain = EventSource;
window.EventSource = class extends Plain { constructor(...given) { super(...given); streams.push(this); } };
"""
RESTS = "const done = arguments[0]; requestIdleCallback(() => requestIdleCallback(() => setTimeout(done, 0)));"


@pytest.fixture
def shop(chromium: Chrome, start_service, request: pytest.FixtureRequest) -> Iterator[tuple[Service, ShopPages]]:
    chromium.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": NOTING})
    site = start_service(getattr(request, "param", FILES))
    with shop_pages(site.url, {"/": page(BODY), "/next": page(BODY)}) as pages:
        yield site, pages


def texts(browser: Chrome, *ids: str) -> list[str]:
    return [browser.execute_script("return document.getElementById(arguments[0]).textContent", each) for each in ids]


def listens(browser: Chrome, pages: ShopPages) -> None:
    """Until the page has opened its stream."""
    until(lambda: STREAM in pages.loads, "the page listens")
    WebDriverWait(browser, 20).until(lambda each: each.execute_script("return streams.at(-1)?.readyState == 1"))


def paused(browser: Chrome, site: Service, *keys: str) -> None:
    """Until the open page knows that these are paused."""
    with site.client() as backend:
        for key in keys:
            backend.post(f"/v1/experiments/{key}/pause").raise_for_status()
    unseen = "return resonate.variant('late').because == 'disabled'"
    WebDriverWait(browser, 20).until(lambda each: each.execute_script(unseen))


def test_a_pause_reaches_an_open_page_for_what_it_does_not_show_yet(
    chromium: Chrome, shop: tuple[Service, ShopPages]
) -> None:
    site, pages = shop
    visit(chromium, pages)
    listens(chromium, pages)
    assert texts(chromium, "first", "moved") == ["New", "New"]
    paused(chromium, site, "shown", "moved", "later", "late")
    chromium.execute_script("document.querySelector('main').insertAdjacentHTML('beforeend', arguments[0])", ADDED)
    chromium.execute_script("document.getElementById('first').firstChild.data = 'Undone'")
    chromium.execute_script("document.getElementById('moved').firstChild.data = 'Undone'")
    WebDriverWait(chromium, 20).until(lambda each: texts(each, "first", "moved") == ["New", "New"])
    done = chromium.execute_script("return document.getElementById('second').getAttribute('data-resonate-done')")
    assert (done, texts(chromium, "second", "later")) == ("late:control", ["Old", "Old"])
    chromium.execute_script("resonate.push(['track', 'Looked'])")
    until(lambda: [row for row in rows(site) if row.get("event") == "Looked"], "the page's events are stored")
    assert {row["experiment"] for row in rows(site) if row["type"] == "exposure"} == {"shown", "moved"}


def test_what_is_shown_stays_on_the_next_route_of_the_page_too(
    chromium: Chrome, shop: tuple[Service, ShopPages]
) -> None:
    site, pages = shop
    visit(chromium, pages)
    listens(chromium, pages)
    chromium.execute_script("history.pushState({}, '', '/next')")
    paused(chromium, site, "shown", "moved", "late")
    assert texts(chromium, "first", "moved") == ["New", "New"]
    assert (
        chromium.execute_script("return ['shown', 'moved'].map((key) => resonate.variant(key).variant)") == ["new"] * 2
    )


def test_a_hidden_page_holds_no_stream_and_one_that_is_seen_again_does(
    chromium: Chrome, shop: tuple[Service, ShopPages]
) -> None:
    site, pages = shop
    visit(chromium, pages)
    listens(chromium, pages)
    tab = chromium.current_window_handle
    chromium.switch_to.new_window("tab")
    with site.client() as backend:
        backend.post("/v1/experiments/late/pause").raise_for_status()
    chromium.switch_to.window(tab)
    WebDriverWait(chromium, 20).until(lambda each: each.execute_script("return streams.length") == 2)
    assert chromium.execute_script("return streams.map((each) => each.readyState == 2)") == [True, False]
    # what happened meanwhile is told at once
    WebDriverWait(chromium, 20).until(
        lambda each: each.execute_script("return resonate.variant('late').variant == 'control'")
    )


def test_who_refuses_later_is_listened_to_no_more(chromium: Chrome, shop: tuple[Service, ShopPages]) -> None:
    _, pages = shop
    visit(chromium, pages)
    listens(chromium, pages)
    chromium.execute_script("resonate.consent('none')")
    WebDriverWait(chromium, 20).until(
        lambda each: each.execute_script("return streams.every((each) => each.readyState == 2)")
    )


def quiet(browser: Chrome, pages: ShopPages) -> None:
    """The page rests, and has opened no stream."""
    browser.execute_async_script(RESTS)
    assert browser.execute_script("return streams.length") == 0
    assert STREAM not in pages.loads


@pytest.mark.parametrize("told", ["stream=off", "consent=none", "consent=ask"])
def test_a_page_that_may_not_listen_does_not(told: str, chromium: Chrome, shop: tuple[Service, ShopPages]) -> None:
    _, pages = shop
    pages.html["/"] = page(BODY, LINE.replace("async", f"async data-{told}"))
    visit(chromium, pages)
    chromium.execute_async_script("const done = arguments[0]; resonate.recommend('x').then(() => done())")
    quiet(chromium, pages)


@pytest.mark.parametrize(
    "shop", [{name: text.replace("running", "paused") for name, text in FILES.items()}], indirect=True
)
def test_where_nothing_runs_nothing_is_listened_to(chromium: Chrome, shop: tuple[Service, ShopPages]) -> None:
    _, pages = shop
    visit(chromium, pages)
    chromium.execute_async_script("const done = arguments[0]; resonate.recommend('x').then(() => done())")
    quiet(chromium, pages)


@pytest.mark.parametrize("shop", [{"late.yaml": FILES["late.yaml"], "shop.yaml": FILES["shop.yaml"]}], indirect=True)
def test_a_page_that_uses_no_part_listens_too(chromium: Chrome, shop: tuple[Service, ShopPages]) -> None:
    site, pages = shop
    pages.html["/"] = page("<main></main>")
    visit(chromium, pages)
    listens(chromium, pages)
    paused(chromium, site, "late")
    chromium.execute_script("document.querySelector('main').insertAdjacentHTML('beforeend', arguments[0])", ADDED)
    WebDriverWait(chromium, 20).until(
        lambda each: each.execute_script("return document.getElementById('second').dataset.resonateDone")
    )
    assert texts(chromium, "second") == ["Old"]
