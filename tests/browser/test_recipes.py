"""The recipes that change a page, in a real browser: what their visitors see, and who counts."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait
from servers.patience import until
from servers.service import PUBLISHABLE_KEY, Service
from servers.shop_pages import ShopPages, shop_pages
from worlds.recipes import files_of, page_of
from worlds.tag_pages import OPEN, page, ready, rows

pytestmark = pytest.mark.browser


class Recipe:
    """A recipe that is served: its service, its pages, and its visitors by the variant that is drawn for them."""

    def __init__(self, name: str, service: Service, pages: ShopPages) -> None:
        self.service = service
        self.pages = pages
        [self.key] = [file.removesuffix(".yaml") for file in files_of(name)]

    def visitor(self, variant: str, **attributes: Any) -> str:
        """Somebody for whom this variant is drawn."""
        asked = {"attributes": attributes, "experiments": [self.key], "expose": False}
        with httpx.Client(headers={"authorization": f"Bearer {PUBLISHABLE_KEY}"}) as client:
            for number in range(100):
                body = asked | {"visitor_id": f"v-{number}"}
                told = client.post(f"{self.service.url}/v1/personalize", json=body).json()["experiments"][self.key]
                if told["in_experiment"] and told["variant"] == variant:
                    return f"v-{number}"
        raise AssertionError(f"nobody of 100 visitors gets {variant}")

    def opens(self, browser: Chrome, path: str, visitor: str) -> None:
        """They open a page, from a browser that knows nobody."""
        browser.get(f"{self.pages.url}/empty")
        browser.execute_script("document.cookie = `resonate_id=${arguments[0]}; path=/`; localStorage.clear()", visitor)
        browser.get(self.pages.url + path)

    def counted(self) -> list[tuple[str, str]]:
        """Who was counted, with which variant."""
        return sorted((row["visitor_id"], row["variant"]) for row in rows(self.service) if row["type"] == "exposure")

    def count(self, *expected: tuple[str, str]) -> None:
        """Waits until these are counted; nobody else is."""
        until(lambda: len(self.counted()) >= len(expected), f"{expected} count", tell=self.service.told)
        assert self.counted() == sorted(expected)


@pytest.fixture
def recipe(start_service: Callable[..., Service]) -> Callable[..., Any]:
    """`with recipe("redirect") as served:` the recipe of this name, with its page at every address it is tried at."""

    @contextmanager
    def served(name: str, *paths: str) -> Generator[Recipe]:
        service = start_service({**files_of(name), **OPEN})
        html = {path: page(page_of(name)) for path in paths} | {"/empty": "<!doctype html><title>empty</title>"}
        with shop_pages(service.url, html) as pages:
            yield Recipe(name, service, pages)

    return served


def text(browser: Chrome, selector: str) -> str:
    """What somebody reads there; nothing where it is hidden."""
    ready(browser)
    return browser.find_element("css selector", selector).text


def test_a_headline_is_another_one_below_its_path_alone(chromium: Chrome, recipe) -> None:
    with recipe("headline-by-path", "/tea/green", "/coffee") as found:
        asked = found.visitor("question", path="/tea/green")
        found.opens(chromium, "/tea/green", asked)
        assert text(chromium, "h1") == "Which tea suits your evening?"
        control = found.visitor("control", path="/tea/green")
        found.opens(chromium, "/tea/green", control)
        assert text(chromium, "h1") == "Our teas"
        found.count((asked, "question"), (control, "control"))
        found.opens(chromium, "/coffee", asked)
        assert text(chromium, "h1") == "Our teas"
        chromium.get(f"{found.pages.url}/tea/green?resonate_force=tea-headline:question")
        WebDriverWait(chromium, 20).until(lambda each: text(each, "h1") == "Which tea suits your evening?")


def test_a_banner_is_shown_to_who_is_nearly_there_and_control_counts_without_one(chromium: Chrome, recipe) -> None:
    with recipe("banner-by-cart-value", "/cart", "/full") as found:
        found.pages.html["/full"] = found.pages.html["/full"].replace("cart_value: 35", "cart_value: 80")
        shown, control = (found.visitor(variant, cart_value=35) for variant in ("missing", "control"))
        found.opens(chromium, "/full", shown)
        assert text(chromium, "p") == ""
        found.opens(chromium, "/cart", shown)
        assert text(chromium, "p") == "Free shipping from 50 EUR: you are nearly there."
        found.opens(chromium, "/cart", control)
        assert text(chromium, "p") == ""
        found.count((shown, "missing"), (control, "control"))


def test_who_leaves_counts_in_both_arms_and_nobody_before(chromium: Chrome, recipe) -> None:
    with recipe("exit-intent-by-country", "/") as found:
        country = """async data-attributes='{"country": "SK", "device": "desktop"}'"""
        found.pages.html["/"] = found.pages.html["/"].replace("async", country, 1)
        where = {"country": "SK", "device": "desktop"}
        held, control = (found.visitor(variant, **where) for variant in ("gift", "control"))
        for visitor, offer in ((held, "Stay a little: a tea sample goes with every order today."), (control, "")):
            found.opens(chromium, "/", visitor)
            assert text(chromium, "dialog") == ""
            assert visitor not in dict(found.counted())
            leaving = "document.documentElement.dispatchEvent(new MouseEvent('mouseleave'))"
            chromium.execute_script(leaving)
            assert text(chromium, "dialog") == offer
            until(lambda who=visitor: who in dict(found.counted()), "who left counts", tell=found.service.told)
        found.count((held, "gift"), (control, "control"))


def test_who_is_led_to_the_other_page_was_counted_where_control_is(chromium: Chrome, recipe) -> None:
    with recipe("redirect", "/landing", "/landing-short") as found:
        led, control = (found.visitor(variant, path="/landing") for variant in ("short", "control"))
        found.opens(chromium, "/landing?utm_source=mail#top", led)
        WebDriverWait(chromium, 20).until(lambda each: "/landing-short" in each.current_url)
        assert chromium.current_url == f"{found.pages.url}/landing-short?utm_source=mail#top"
        found.opens(chromium, "/landing", control)
        ready(chromium)
        assert chromium.current_url == f"{found.pages.url}/landing"
        found.count((led, "short"), (control, "control"))
