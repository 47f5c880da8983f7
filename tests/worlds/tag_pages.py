"""Pages with the tag on them, and what a browser that opens one is told."""

import json
from typing import Any

from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait
from servers.service import PUBLISHABLE_KEY, Service
from servers.shop_pages import PREFIX, ShopPages

from app.tag.library import STYLE, TagLines

OPEN = {"shop.yaml": "privacy: {default_consent: personal}\n"}  # everything is stored of who says nothing
LINE = TagLines.of(PREFIX, PUBLISHABLE_KEY).script
LOADED = "return !!(window.resonate && window.resonate.ready)"


def page(body: str, line: str = LINE, head: str = STYLE) -> str:
    """A page of the shop's with the tag's line, or others in its place."""
    return f"<!doctype html><meta charset=utf-8><title>shop</title>{line}{head}<body>{body}"


def visit(browser: Chrome, pages: ShopPages, path: str = "/") -> dict[str, Any]:
    """Opens a page; what `ready` says."""
    browser.get(pages.url + path)
    return ready(browser)


def ready(browser: Chrome) -> dict[str, Any]:
    """What `ready` of the open page says."""
    WebDriverWait(browser, 20).until(lambda browser: browser.execute_script(LOADED))
    return browser.execute_async_script("window.resonate.ready.then(arguments[0])")


def rows(site: Service) -> list[dict[str, Any]]:
    """What is stored."""
    with site.client() as backend:
        answer = backend.get("/v1/export/events", params={"limit": 10_000})
    return [json.loads(line) for line in answer.text.splitlines()]
