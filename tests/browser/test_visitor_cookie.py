"""The visitor's cookie in a real browser: the shop's page is answered for it, a foreign page never."""

from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait
from servers.service import PUBLISHABLE_KEY
from servers.stores import free_port

from app.demo.shop import serving

pytestmark = pytest.mark.browser
PAGES = Path(__file__).parent / "pages"
EXPERIMENT = "key: reading-time\nstatus: running\nvariants: [control, longer]\ngoal: engaged_time\n"
LISTED = "pk_listed_0123456789"


def read(browser: Chrome, page: str, credentials: str) -> str:
    """What a page could read of the visitor."""
    browser.get(f"{page}/visitor.html?credentials={credentials}")
    WebDriverWait(browser, 10).until(lambda each: each.title not in ("", "asking"))
    return browser.title


def cookie(browser: Chrome) -> str:
    """That of the host which all pages of this test have, whatever their port."""
    return browser.get_cookie("resonate_id")["value"]


def test_a_listed_page_is_answered_for_the_cookie_and_a_foreign_one_of_the_same_site_is_not(
    chromium: Chrome, start_service
) -> None:
    port = free_port()
    keys = f"{LISTED}@http://127.0.0.1:{port},{PUBLISHABLE_KEY}"
    service = start_service({"reading-time.yaml": EXPERIMENT}, RESONATE_PUBLISHABLE_KEYS=keys)
    with (
        serving(PAGES, {"service": service.url, "key": LISTED}, port) as shop,
        serving(PAGES, {"service": service.url, "key": PUBLISHABLE_KEY}) as foreign,
    ):
        visitor = read(chromium, shop, "include")
        assert visitor.startswith("v1.")
        assert cookie(chromium) == visitor
        assert read(chromium, shop, "include") == visitor
        assert read(chromium, foreign, "include") == "unreadable"
        assert cookie(chromium) == visitor
        stranger = read(chromium, foreign, "omit")
        assert stranger.startswith("v1.")
        assert stranger != visitor
        assert (cookie(chromium), read(chromium, shop, "include")) == (visitor, visitor)
