"""The tag reads the page's data layer in a real browser: what is told Google's tags is stored here, once."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait
from servers.patience import until
from servers.service import PUBLISHABLE_KEY, Service, running
from servers.shop_pages import PREFIX, ShopPages, shop_pages
from worlds.tag_pages import OPEN

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("datalayer")]
FILES = {
    "banner.yaml": "key: banner\nstatus: running\nvariants: [control, threshold]\ngoal: purchase_rate\n",
    **OPEN,
}
GTAG = "window.dataLayer = window.dataLayer || []; function gtag() { dataLayer.push(arguments) }"
ORDER = {
    "transaction_id": "o-1", "value": 41, "currency": "EUR",
    "items": [{"item_id": "sku-1", "price": 20.5, "quantity": 2}],
}  # fmt: skip
READY = "return window.resonate && window.resonate.ready ? 1 : 0"
LOADED = "return window[arguments[0]] && window[arguments[0]][Symbol.for('resonate.read')] ? 1 : 0"


def page(before: str, options: str = "") -> str:
    """A page with this script before the tag's line."""
    line = f'<script async src="{PREFIX}/resonate.js?key={PUBLISHABLE_KEY}" {options}></script>'
    return f"<!doctype html><meta charset=utf-8><title>shop</title><script>{before}</script>{line}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("datalayer"), FILES, RESONATE_WORKERS="1") as service:
        yield service


@pytest.fixture
def pages(site: Service) -> Iterator[ShopPages]:
    with shop_pages(site.url, {}) as found:
        yield found


def visit(browser: Chrome, pages: ShopPages, html: str, layer: str | None = "dataLayer") -> None:
    """Opens a page, and waits until the tag reads its layer."""
    pages.html["/"] = html
    browser.get(pages.url)
    waiting = WebDriverWait(browser, 20)
    waiting.until(lambda browser: browser.execute_script(READY))
    browser.execute_async_script("window.resonate.ready.then(arguments[0])")
    if layer is not None:
        waiting.until(lambda browser: browser.execute_script(LOADED, layer))


def stored(browser: Chrome, site: Service, last: str) -> list[dict[str, Any]]:
    """What this visitor's page told but for its own page events, once the `last` event is there."""
    visitor = browser.get_cookie("resonate_id")["value"]
    browser.execute_script("resonate.track(arguments[0])", last)

    def found() -> list[dict[str, Any]]:
        with site.client() as backend:
            text = backend.get("/v1/export/events", params={"limit": 10_000}).text
        rows = [row for line in text.splitlines() if (row := json.loads(line))["visitor_id"] == visitor]
        return rows if any(row.get("event") == last for row in rows) else []

    rows = until(found, f"{last} is exported")
    return [row for row in rows if row["type"] not in ("page", "engagement") and row.get("event") != last]


def test_what_was_pushed_before_the_tag_came_and_after_is_stored_once(
    chromium: Chrome, site: Service, pages: ShopPages
) -> None:
    before = f"""{GTAG}
      gtag("js", new Date());
      gtag("config", "G-1", {{user_id: "u-1"}});
      gtag("event", "purchase", {json.dumps(ORDER)});
      gtag("event", "page_view", {{page_location: location.href}});
      dataLayer.push({{event: "gtm.js", "gtm.start": 1}}, {{event: "experience_impression"}});"""
    visit(chromium, pages, page(before))
    chromium.execute_script(
        """dataLayer.push({ecommerce: null},
             {event: "view_item", ecommerce: {currency: "EUR", items: [{item_id: "sku-2", item_name: "Tent"}]}},
             {ecommerce: {items: [{item_id: "sku-3"}]}}, {event: "add_to_cart", "gtm.uniqueEventId": 7},
             {event: "newsletter", place: "footer", element: document.body, callback: () => {}, user_data: {a: 1}},
             {event: "add_to_cart"}, ["event", "no"], () => {}, null, "text", 7);
           gtag("event", "experiment_viewed", {experiment_id: "elsewhere", variation_id: "b"})"""
    )
    rows = stored(chromium, site, "over-1")
    assert [row["event"] for row in rows if row["type"] == "track"] == [
        "Order Completed", "Product Viewed", "Product Added", "newsletter", "Product Added",
    ]  # fmt: skip
    by_event = {row.get("event"): row for row in rows if row.get("event") != "Product Added"}
    order = by_event["Order Completed"]
    assert (order["order_id"], order["value"], order["currency"], order["user_id"]) == ("o-1", 41.0, "EUR", "u-1")
    assert (order["product_ids"], order["quantities"], order["prices"]) == (["sku-1"], [2.0], [20.5])
    added = [row.get("product_ids") for row in rows if row.get("event") == "Product Added"]
    assert (by_event["Product Viewed"]["product_ids"], added) == (["sku-2"], [["sku-3"], None])
    assert {**by_event["newsletter"]["properties"], "url": ""} == {"place": "footer", "url": ""}
    exposure = by_event["Experiment Viewed"]
    assert (exposure["type"], exposure["experiment"], exposure["variant"]) == ("exposure", "elsewhere", "b")


def test_a_page_that_is_loaded_again_tells_the_order_again_under_the_same_id(
    chromium: Chrome, site: Service, pages: ShopPages
) -> None:
    order = page(f'{GTAG} gtag("event", "purchase", {json.dumps({**ORDER, "transaction_id": "o-2"})})')
    for _ in range(2):
        visit(chromium, pages, order)
        stored(chromium, site, "over-2")
    rows = stored(chromium, site, "over-3")
    assert {row["order_id"] for row in rows if row.get("event") == "Order Completed"} == {"o-2"}


def test_a_layer_may_have_another_name_or_be_left_alone(chromium: Chrome, site: Service, pages: ShopPages) -> None:
    both = 'window.layer = [{event: "mine"}]; window.dataLayer = [{event: "not-mine"}];'
    visit(chromium, pages, page(both, 'data-datalayer="layer"'), "layer")
    assert [row["event"] for row in stored(chromium, site, "over-4")] == ["mine"]
    chromium.delete_all_cookies()
    visit(chromium, pages, page(both, 'data-datalayer="off"'), None)
    assert stored(chromium, site, "over-5") == []


def test_another_array_in_its_place_is_read_too_and_no_entry_twice(
    chromium: Chrome, site: Service, pages: ShopPages
) -> None:
    visit(chromium, pages, page(f'{GTAG} gtag("event", "first", {{}})'))
    chromium.execute_script(
        """dataLayer = [...dataLayer, {event: "second"}]; gtag("event", "third", {});
           window.dataLayer = window.dataLayer || []; dataLayer = [{event: "fourth"}]; dataLayer.push({event: "fifth"});
           const again = {event: "sixth"}; dataLayer.push(again, again); dataLayer = null"""
    )
    told = [row["event"] for row in stored(chromium, site, "over-7")]
    assert told == ["first", "second", "third", "fourth", "fifth", "sixth", "sixth"]


def test_a_layer_that_is_declared_is_read_as_long_as_it_stands(
    chromium: Chrome, site: Service, pages: ShopPages
) -> None:
    visit(chromium, pages, page("var dataLayer = [{event: 'early'}]"))
    chromium.execute_script("dataLayer.push({event: 'late'})")
    assert [row["event"] for row in stored(chromium, site, "over-8")] == ["early", "late"]


@pytest.mark.parametrize(
    ("told", "mode"),
    [
        ('gtag("consent", "default", {analytics_storage: "denied", personalization_storage: "denied"})', "ask"),
        ('gtag("consent", "default", {analytics_storage: "granted"})', "measure"),
        ('gtag("consent", "default", {analytics_storage: "denied"}); gtag("consent", "update", '
         '{analytics_storage: "granted", personalization_storage: "granted"})', "personal"),
        ('gtag("consent", "default", {analytics_storage: "denied", region: ["ES"]}); '
         'gtag("consent", "default", {analytics_storage: "granted", personalization_storage: "granted"})', "ask"),
        ('gtag("consent", "default", {analytics_storage: "granted"}); '
         'gtag("consent", "update", {analytics_storage: "denied"})', "none"),
        ('gtag("consent", "update", {ad_storage: "denied"})', "ask"),
    ],
)  # fmt: skip
def test_what_gtag_is_told_of_consent_holds_here(chromium: Chrome, pages: ShopPages, told: str, mode: str) -> None:
    visit(chromium, pages, page(f"{GTAG} {told}", 'data-consent="gtag" data-datalayer="off"'))
    said = chromium.get_cookie("resonate_consent")
    assert (said and said["value"]) == (mode if mode in ("measure", "personal") else None)
    keeps = chromium.get_cookie("resonate_id") is not None
    assert keeps == (mode in ("measure", "personal"))
    assert chromium.execute_script("return resonate.id === null") == (mode == "none")


def test_an_answer_that_comes_later_sends_what_waited(chromium: Chrome, site: Service, pages: ShopPages) -> None:
    waiting = f'{GTAG} gtag("consent", "default", {{analytics_storage: "denied"}}); gtag("event", "early", {{}})'
    visit(chromium, pages, page(waiting, 'data-consent="gtag"'))
    assert chromium.get_cookie("resonate_id") is None
    chromium.execute_script('gtag("consent", "update", {analytics_storage: "granted"})')
    rows = stored(chromium, site, "over-6")
    assert [(row["event"], row["consent"]) for row in rows] == [("early", "measure")]
