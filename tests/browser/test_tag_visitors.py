"""Who somebody is to the tag: a cookie by script at once, again by the service when the page rests; others' ids."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait
from servers.patience import until
from servers.service import PUBLISHABLE_KEY, Service
from servers.shop_pages import ShopPages, shop_pages
from worlds.tag_pages import LINE, page, rows, visit

from kit.time import DAY_SECONDS

pytestmark = pytest.mark.browser
DAYS = 395
RESTED = "POST /v1/visitor"


@pytest.fixture(params=["measure", "personal"])
def consent(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def site(start_service) -> Service:
    files = {
        "banner.yaml": "key: banner\nstatus: running\nvariants: [control, new]\ngoal: purchase_rate\n",
        "shop.yaml": "privacy: {default_consent: personal}\n",
    }
    return start_service(files)


@pytest.fixture
def pages(site: Service, consent: str) -> Iterator[ShopPages]:
    line = LINE.replace("async", f'async data-consent="{consent}"')
    with shop_pages(site.url, {"/": page("<p>", line), "/bare": "<p>"}) as found:
        yield found


def cookie(browser: Chrome) -> dict[str, Any]:
    [found] = [each for each in browser.get_cookies() if each["name"] == "resonate_id"]
    return found


def rested(browser: Chrome, pages: ShopPages, times: int) -> None:
    """Until the service was asked to set the cookie so often."""
    WebDriverWait(browser, 20).until(lambda _: pages.loads.count(RESTED) == times)


def days_left(browser: Chrome) -> float:
    return (cookie(browser)["expiry"] - datetime.now(UTC).timestamp()) / DAY_SECONDS


def test_an_id_is_set_by_script_at_once_and_again_by_the_service_with_the_time_that_remains(
    chromium: Chrome, site: Service, pages: ShopPages, consent: str
) -> None:
    visit(chromium, pages)
    visitor = chromium.execute_script("return resonate.id")
    rested(chromium, pages, 1)
    assert (cookie(chromium)["value"], len(visitor)) == (visitor, 28)
    assert days_left(chromium) == pytest.approx(DAYS, abs=1)
    # A browser that keeps what scripts set for a week has lost nothing: what the service set is still there.
    chromium.execute_script(
        "const state = JSON.parse(localStorage.resonate_state); state.first -= 100 * 864e5; delete state.asked;"
        "localStorage.resonate_state = JSON.stringify(state)"
    )
    chromium.get(pages.url + "/bare")
    visit(chromium, pages)
    rested(chromium, pages, 2)
    left = DAYS - 100 if consent == "measure" else DAYS
    until(
        lambda: abs(days_left(chromium) - left) < 1.5,
        "the cookie ends when it would have",
        tell=lambda: f"{days_left(chromium)}",
    )
    assert chromium.execute_script("return resonate.id") == visitor
    visit(chromium, pages)
    chromium.execute_script("resonate.track('Last')")
    until(lambda: any(row.get("event") == "Last" for row in rows(site)), "it is stored", tell=site.told)
    assert pages.loads.count(RESTED) == 2
    assert {row["visitor_id"] for row in rows(site)} == {visitor}


def test_who_was_measured_for_as_long_as_may_be_is_a_new_visitor(
    chromium: Chrome, pages: ShopPages, consent: str
) -> None:
    visit(chromium, pages)
    visitor = chromium.execute_script("return resonate.id")
    chromium.execute_script(
        f"const state = JSON.parse(localStorage.resonate_state); state.first -= {DAYS + 1} * 864e5;"
        "localStorage.resonate_state = JSON.stringify(state)"
    )
    chromium.get(pages.url + "/bare")
    visit(chromium, pages)
    assert (chromium.execute_script("return resonate.id") == visitor) == (consent == "personal")


def rudder(visitor: str) -> str:
    return "RS_ENC_v3_" + base64.b64encode(json.dumps(visitor).encode()).decode()


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("ajs_anonymous_id", "visitor-of-segment"),
        ("rl_anonymous_id", rudder("visitor-of-rudder")),
        ("gbuuid", "visitor-of-gb"),
    ],
)
def test_an_id_that_another_client_gave_is_taken_over_and_one_that_everybody_shares_is_not(
    chromium: Chrome, pages: ShopPages, name: str, written: str
) -> None:
    chromium.get(pages.url + "/bare")
    chromium.execute_script(f"document.cookie = '{name}=' + encodeURIComponent(arguments[0])", written)
    visit(chromium, pages)
    found = chromium.execute_script("return resonate.id")
    assert found.startswith("visitor-of-")
    chromium.execute_script(f"document.cookie = '{name}=;Max-Age=0'")
    visit(chromium, pages)
    assert chromium.execute_script("return resonate.id") == found


def test_somebody_else_at_the_same_browser_is_a_new_visitor_without_a_user(
    chromium: Chrome, site: Service, pages: ShopPages, consent: str
) -> None:
    visit(chromium, pages)
    done = ".then(() => arguments[0](resonate.id))"
    first = chromium.execute_async_script(f"resonate.identify('u-1', {{traits: {{plan: 'gold'}}}}){done}")
    chromium.execute_script("resonate.track('Mine')")
    second = chromium.execute_async_script(f"resonate.reset(){done}")
    chromium.execute_script("resonate.track('Theirs')")
    until(lambda: any(row.get("event") == "Theirs" for row in rows(site)), "both are stored", tell=site.told)
    told = {row["event"]: (row["visitor_id"], row.get("user_id")) for row in rows(site) if row["type"] == "track"}
    user = "u-1" if consent == "personal" else None
    assert (told["Mine"], told["Theirs"], first != second) == ((first, user), (second, None), True)
    assert len([row for row in rows(site) if row["type"] == "identify"]) == (consent == "personal")
    assert cookie(chromium)["value"] == second
    assert PUBLISHABLE_KEY not in json.dumps(rows(site))
