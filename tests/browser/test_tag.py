"""The tag in a real browser: what a page shows, what is sent, and what is stored."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait
from servers.patience import until
from servers.service import PUBLISHABLE_KEY, Service
from servers.shop_pages import PREFIX, ShopPages, shop_pages

pytestmark = pytest.mark.browser
BANNER = """
key: banner
status: running
variants:
  - {key: control, weight: 0, payload: {title: Welcome}}
  - {key: threshold, payload: {title: "Free from 50 EUR", link: {url: /sale}, badge: true, theme: dark big}}
goal: purchase_rate
"""
FILES = {"banner.yaml": BANNER, "shop.yaml": "privacy: {default_consent: personal}\n"}
STYLE = (
    "<style>[data-resonate]:not([data-resonate-done]){visibility:hidden;animation:resonate-show 0s .8s forwards"
    "!important}@keyframes resonate-show{to{visibility:visible}}</style>"
)
LINE = f'<script async src="{PREFIX}/resonate.js?key={PUBLISHABLE_KEY}"></script>'
SLOT = '<h1 data-resonate="banner" data-resonate-text="title">Hello</h1>'
READY = "return window.resonate && window.resonate.ready ? 1 : 0"


def page(body: str, line: str = LINE) -> str:
    return f"<!doctype html><meta charset=utf-8><title>shop</title>{line}{STYLE}{body}"


def visit(browser: Chrome, pages: ShopPages, path: str = "/") -> dict[str, Any]:
    """What `ready` says of a page."""
    browser.get(pages.url + path)
    WebDriverWait(browser, 20).until(lambda browser: browser.execute_script(READY))
    return browser.execute_async_script("window.resonate.ready.then(arguments[0])")


def rows(site: Service) -> list[dict[str, Any]]:
    with site.client() as backend:
        answer = backend.get("/v1/export/events", params={"limit": 10_000})
    return [json.loads(line) for line in answer.text.splitlines()]


@pytest.fixture
def site(start_service) -> Service:
    return start_service(FILES)


@pytest.fixture
def pages(site: Service) -> Iterator[ShopPages]:
    with shop_pages(site.url, {"/": page(SLOT)}) as found:
        yield found


def test_a_slot_shows_the_variant_and_its_exposure_is_stored_once(
    chromium: Chrome, site: Service, pages: ShopPages
) -> None:
    assert visit(chromium, pages) == {"ok": True, "cause": None}
    slot = chromium.find_element("css selector", "h1")
    assert (slot.text, slot.get_attribute("data-resonate-done")) == ("Free from 50 EUR", "banner:threshold")
    chromium.refresh()
    until(lambda: len([row for row in rows(site) if row["type"] == "page"]) == 2, "both page events are there")
    found = rows(site)
    exposures = [row for row in found if row["type"] == "exposure"]
    assert [(row["experiment"], row["variant"], row["forged"]) for row in exposures] == [("banner", "threshold", False)]
    assert {row["visitor_id"] for row in found} == {chromium.get_cookie("resonate_id")["value"]}
