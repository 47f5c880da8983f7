"""Variants that are another page: every arm counts at the same moment, before anybody is led away."""

from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait
from servers.patience import until
from servers.service import Service
from servers.shop_pages import ShopPages, shop_pages
from worlds.tag_pages import LINE, page, ready, rows, visit

pytestmark = pytest.mark.browser


def moved(to: str, weights: str = "1", path: str = "/old") -> str:
    return (
        f"key: moved\nstatus: running\nvariants: [{{key: control, weight: {1 - int(weights)}}}, "
        f"{{key: away, weight: {weights}, payload: {{changes: [{{redirect: '{to}'}}]}}}}]\n"
        f"audience: {{where: {{path: {path}}}}}\ngoal: purchase_rate\n"
    )


SHOP = "privacy: {default_consent: personal}\n"


@pytest.fixture
def pages(start_service, request: pytest.FixtureRequest) -> Iterator[tuple[Service, ShopPages]]:
    site = start_service({"moved.yaml": request.param, "shop.yaml": SHOP})
    with shop_pages(site.url, {path: page(f"<h1>{path}</h1>") for path in ("/", "/old", "/new")}) as found:
        yield site, found


def stored(site: Service, count: int) -> list[dict[str, Any]]:
    """What is stored once so many pages are."""
    until(lambda: len([row for row in rows(site) if row["type"] == "page"]) >= count, "the pages count", tell=site.told)
    return rows(site)


@pytest.mark.parametrize("pages", [moved("/new?kind=b#top")], indirect=True)
def test_who_is_led_away_was_counted_before_and_arrives_as_who_was_led_there(
    chromium: Chrome, pages: tuple[Service, ShopPages]
) -> None:
    site, shop = pages
    chromium.get(shop.url + "/")
    chromium.get(shop.url + "/old?utm_source=mail&kind=a#here")
    WebDriverWait(chromium, 20).until(lambda each: "/new" in each.current_url)
    assert chromium.current_url == f"{shop.url}/new?kind=b&utm_source=mail#top"
    ready(chromium)
    found = stored(site, 2)
    [exposure] = [row for row in found if row["type"] == "exposure"]
    arrival = [row for row in found if row["type"] == "page"][-1]
    assert (exposure["variant"], exposure["forged"], exposure["path"]) == ("away", False, "/old")
    assert arrival["properties"]["redirected_from"] == f"{shop.url}/old?utm_source=mail&kind=a"
    assert exposure["visitor_id"] == arrival["visitor_id"]
    assert exposure["time"] <= arrival["time"]
    assert [row["path"] for row in found if row["type"] == "page"] == ["/", "/new"]
    chromium.back()  # to where the visitor came from, not to the page that led on
    WebDriverWait(chromium, 20).until(lambda each: each.current_url == f"{shop.url}/")


@pytest.mark.parametrize("pages", [moved("/new", "0")], indirect=True)
def test_control_stays_and_is_counted_at_the_same_moment(chromium: Chrome, pages: tuple[Service, ShopPages]) -> None:
    site, shop = pages
    visit(chromium, shop, "/old")
    found = stored(site, 1)
    assert [(row["variant"], row["path"]) for row in found if row["type"] == "exposure"] == [("control", "/old")]
    assert chromium.current_url == f"{shop.url}/old"
    batches = [asked for asked in shop.loads if asked.startswith("POST /v1/batch")]
    assert len(batches) >= 2  # the exposure did not wait for what else there was to tell


@pytest.mark.parametrize(
    "pages", [moved("/old#elsewhere"), moved("https://evil.example/"), moved("javascript:alert(1)")], indirect=True
)
def test_nobody_is_led_to_where_they_are_or_out_of_the_shop(chromium: Chrome, pages: tuple[Service, ShopPages]) -> None:
    site, shop = pages
    visit(chromium, shop, "/old")
    stored(site, 1)
    assert chromium.current_url == f"{shop.url}/old"


@pytest.mark.parametrize("pages", [moved("/new")], indirect=True)
def test_while_consent_is_asked_a_test_of_pages_draws_nobody(
    chromium: Chrome, pages: tuple[Service, ShopPages]
) -> None:
    site, shop = pages
    shop.html["/old"] = page("<h1>", LINE.replace("async", 'async data-consent="ask"'))
    visit(chromium, shop, "/old")
    assert chromium.execute_script("return resonate.variant('moved').because") == "consent"
    chromium.execute_script("resonate.consent('measure')")
    found = stored(site, 1)
    assert [row for row in found if row["type"] == "exposure"] == []
    assert chromium.current_url == f"{shop.url}/old"
