"""The example shop in a browser: with the tag it measures and shows, and whatever becomes of the service it sells."""

import re
from contextlib import ExitStack, suppress
from dataclasses import asdict
from importlib.resources import files
from typing import Literal

import pytest
from selenium.common.exceptions import TimeoutException
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait
from servers.patience import until
from servers.service import PUBLISHABLE_KEY, SECRET_KEY, Service
from servers.shop_pages import PREFIX, Fault, shop_pages
from worlds.tag_pages import ready, rows

from app.demo.shop import read_products, serving

pytestmark = pytest.mark.browser
SHOP = files("app.demo") / "example_shop"
FILES = {each.name: each.read_text() for each in (SHOP / "definitions").iterdir()}
PRODUCTS = read_products(SHOP / "products.csv")
LISTED = "return [...document.querySelectorAll('#products strong')].filter((each) => each.checkVisibility()).length"
PRICES = "return [...document.querySelectorAll('[data-product]')].map((each) => each.textContent)"
ASKED = "return performance.getEntriesByType('resource').map((each) => new URL(each.name)).filter(" \
    "(each) => each.origin == arguments[0]).map((each) => each.pathname)"  # fmt: skip
PICKED = "return document.querySelectorAll('[data-resonate=front-page-products] button').length"


def comes_back(browser: Chrome, address: str) -> bool:
    """Opens the page anew; whether its list is shown. A service too busy to answer in time leaves it without one."""
    browser.get(address)
    ready(browser)
    with suppress(TimeoutException):
        return WebDriverWait(browser, 10).until(lambda each: each.execute_script(PICKED) > 0)
    return False


def test_a_visit_to_the_shop_shows_lists_and_stores_what_it_should(chromium: Chrome, site: Service) -> None:
    with site.client(SECRET_KEY) as backend:
        catalogue = (SHOP / "products.csv").read_bytes()
        backend.put("/v1/products", content=catalogue, headers={"content-type": "text/csv"}).raise_for_status()
    config = {"service": site.url, "key": PUBLISHABLE_KEY, "products": [asdict(each) for each in PRODUCTS]}
    with serving(SHOP / "pages", config) as address:
        chromium.get(address)
        assert ready(chromium)["ok"]
        chromium.find_element("css selector", "[data-consent=personal]").click()
        WebDriverWait(chromium, 20).until(lambda each: "personal" in each.execute_script("return document.cookie"))
        until(lambda: comes_back(chromium, address), "the list is shown to who comes back", tell=site.told)
        prices = chromium.execute_script(PRICES)
        assert len(prices) > len(PRODUCTS)
        assert all(re.fullmatch(r"Add, €\d+\.\d\d", price) for price in prices), prices
        chromium.execute_script("document.querySelector('[data-resonate=front-page-products] button').click()")
        chromium.find_element("id", "buy").click()
        assert chromium.find_element("id", "thanks").text.startswith("Thank you: ")
        told = {"Product Added", "Order Completed", "Recommendation Viewed", "Recommendation Clicked"}
        until(lambda: told <= {row.get("event") for row in rows(site)}, "all of it is stored", tell=site.told)
        found = rows(site)
    assert {row["experiment"] for row in found if row["type"] == "exposure"} == {
        "free-shipping-banner",
        "front-page-products",
    }
    assert not any(row["forged"] for row in found)
    shown = chromium.execute_script("return document.getElementById('visitor').textContent")
    assert {row["visitor_id"][-8:] for row in found} == {shown}


def test_who_said_neither_is_asked_about_by_no_page_that_follows(chromium: Chrome, site: Service) -> None:
    with serving(SHOP / "pages", {"service": site.url, "key": PUBLISHABLE_KEY, "products": []}) as address:
        chromium.get(address)
        assert ready(chromium)["ok"]
        chromium.find_element("css selector", "[data-consent=none]").click()
        WebDriverWait(chromium, 20).until(lambda each: not each.get_cookies())
        chromium.get(address)
        assert ready(chromium)["ok"]
        WebDriverWait(chromium, 20).until(lambda each: each.find_element("id", "visitor").text == "nobody")
        asked = chromium.execute_script(ASKED, site.url)
        assert [path for path in asked if not path.startswith("/resonate")] == []
        assert chromium.get_cookies() == []


@pytest.mark.parametrize("fault", ["dead", "hanging", "500", "broken", "blocked"])
def test_whatever_becomes_of_the_service_the_shop_shows_all_its_products_and_sells(
    impatient_chromium: Chrome, fault: Fault | Literal["blocked"]
) -> None:
    config = {"key": PUBLISHABLE_KEY, "products": [asdict(each) for each in PRODUCTS]}
    with ExitStack() as stack:
        away = stack.enter_context(shop_pages("", {}))
        away.spoils = lambda path: "dead" if fault == "blocked" else fault
        impatient_chromium.execute_cdp_cmd("Network.enable", {})
        blocked = {"urls": ["*/resonate*"] if fault == "blocked" else []}
        impatient_chromium.execute_cdp_cmd("Network.setBlockedURLs", blocked)
        address = stack.enter_context(serving(SHOP / "pages", {**config, "service": away.url + PREFIX}))
        impatient_chromium.get(address)
        WebDriverWait(impatient_chromium, 20).until(lambda each: each.execute_script(LISTED) == len(PRODUCTS))
        impatient_chromium.execute_script(
            "document.querySelector('[data-product]').click(); document.getElementById('buy').click()"
        )
        assert impatient_chromium.find_element("id", "thanks").text.startswith("Thank you: ")
        assert impatient_chromium.execute_script("return document.querySelectorAll('h2').length") == 3
