"""The modes of consent in the page: who refuses leaves no trace, and an open question loses nothing of page one."""

import json

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait
from servers.patience import until
from servers.service import Service
from servers.shop_pages import ShopPages
from worlds.tag_pages import LINE, OPEN, page, rows, visit

pytestmark = pytest.mark.browser
FILES = {
    "banner.yaml": "key: banner\nstatus: running\ngoal: purchase_rate\n"
    "variants: [{key: control, weight: 0, payload: a}, {key: new, payload: b}]\n",
    "shipped.yaml": "key: shipped\nstatus: stopped\ndecision: {outcome: shipped, variant: new}\n"
    "variants: [{key: old, payload: a}, {key: new, payload: b}]\ngoal: purchase_rate\n",
    "of-users.yaml": "key: of-users\nunit: user\nstatus: running\nvariants: [{key: control, weight: 0, payload: a}, "
    "{key: new, payload: b}]\ngoal: purchase_rate\n",
    **OPEN,
}
SLOTS = (
    '<h1 data-resonate="banner" data-resonate-text="">Hello</h1>'
    '<h2 data-resonate="shipped" data-resonate-text="">x</h2>'
)
KEPT = "return [document.cookie, Object.keys(localStorage), Object.keys(sessionStorage)]"
GPC = "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {get: () => true})"
PAGES = {"/": page(SLOTS), "/other": page(SLOTS)}


def line(consent: str) -> str:
    return LINE.replace("async", f'async data-consent="{consent}"')


def shown(browser: Chrome) -> list[str]:
    return [browser.find_element("css selector", name).text for name in ("h1", "h2")]


def acts(browser: Chrome) -> None:
    """Everything that a page may tell of a visitor."""
    browser.execute_script(
        "resonate.track('Order Completed', {order_id: 'o-canary'}); resonate.page({name: 'canary'});"
        "resonate.identify('u-canary', {traits: {email: 'canary@shop.example'}}); resonate.expose('banner');"
        "history.pushState({}, '', '/canary'); resonate.attributes({cart: 1});"
    )
    browser.execute_async_script("resonate.recommend('front').then(arguments[0])")
    browser.get("about:blank")


def stored_of(site: Service, event: str) -> list[dict]:
    until(lambda: any(row.get("event") == event for row in rows(site)), f"{event} is stored", tell=site.told)
    return rows(site)


def test_who_refuses_sees_control_and_what_is_shipped_and_leaves_nothing_anywhere(
    chromium: Chrome, site: Service, pages: ShopPages
) -> None:
    pages.html["/"] = page(SLOTS, line("none"))
    visit(chromium, pages)
    assert shown(chromium) == ["a", "b"]
    told = chromium.execute_script(
        "return [resonate.id, resonate.variant('banner'), document.querySelector('h1').dataset.resonateDone]"
    )
    assert (told[0], told[1]["variant"], told[1]["in_experiment"], told[1]["because"]) == (
        None,
        "control",
        False,
        "unit",
    )
    assert told[2] == "banner:control"
    assert chromium.execute_script(KEPT) == ["", [], []]
    assert pages.loads == ["GET /resonate.js"]
    acts(chromium)
    assert chromium.execute_cdp_cmd("Storage.getCookies", {})["cookies"] == []
    assert not any(asked.startswith("POST") for asked in pages.asked)
    # somebody who comes after is stored, and of who refused there is no row, nor a byte in the log
    pages.html["/"] = page(SLOTS, line("measure"))
    visit(chromium, pages)
    chromium.execute_script("resonate.track('Later')")
    found = stored_of(site, "Later")
    assert "canary" not in json.dumps(found)
    assert {row["consent"] for row in found} == {"measure"}
    assert len({row["visitor_id"] for row in found}) == 1


def test_refusing_erases_what_was_kept_and_stops_what_was_not_sent(
    chromium: Chrome, site: Service, pages: ShopPages
) -> None:
    visit(chromium, pages)
    cookie, local, _ = chromium.execute_script(KEPT)
    assert "resonate_id=" in cookie
    assert "resonate_state" in local
    WebDriverWait(chromium, 20).until(lambda each: "POST /v1/visitor" in pages.loads)
    chromium.execute_script("localStorage.mine = 1; resonate.track('canary'); resonate.consent('none');")
    assert chromium.execute_script(KEPT) == ["", ["mine"], []]
    assert chromium.execute_script("return [resonate.id, resonate.variant('banner').variant]") == [None, "control"]
    chromium.get("about:blank")
    visit(chromium, pages)
    chromium.execute_script("resonate.track('Later')")
    found = stored_of(site, "Later")
    assert "canary" not in {row.get("event") for row in found}
    assert len({row["visitor_id"] for row in found}) == 2


@pytest.mark.parametrize("answer", ["measure", "personal"])
def test_a_question_that_is_answered_with_yes_stores_page_one_under_the_id_that_decided_it(
    chromium: Chrome, site: Service, pages: ShopPages, answer: str
) -> None:
    pages.html["/"] = page(SLOTS, line("ask"))
    visit(chromium, pages)
    assert shown(chromium) == ["b", "b"]
    chromium.execute_script("resonate.track('Waited', {n: 1})")
    visitor = chromium.execute_script("return resonate.id")
    assert chromium.execute_script(KEPT) == ["", [], []]
    assert pages.loads == ["GET /resonate.js"]
    chromium.execute_script(f"resonate.consent('{answer}')")
    found = stored_of(site, "Waited")
    assert {(row["visitor_id"], row["consent"]) for row in found} == {(visitor, answer)}
    assert {row["type"] for row in found} >= {"page", "exposure", "track"}
    cookies = {each["name"]: each["value"] for each in chromium.get_cookies()}
    assert cookies == {"resonate_id": visitor, "resonate_consent": answer}
    visit(chromium, pages, "/other")
    assert chromium.execute_script("return resonate.id") == visitor


def test_a_question_that_is_answered_with_no_forgets_page_one(
    chromium: Chrome, site: Service, pages: ShopPages
) -> None:
    pages.html["/"] = page(SLOTS, line("ask"))
    visit(chromium, pages)
    chromium.execute_script("resonate.track('canary'); resonate.consent('none')")
    assert shown(chromium) == ["b", "b"]  # what is seen is not taken away under the eyes
    acts(chromium)
    assert chromium.execute_cdp_cmd("Storage.getCookies", {})["cookies"] == []
    assert not any(asked.startswith("POST") for asked in pages.asked)


def test_a_rise_holds_from_the_next_route_on_or_at_once_and_a_fall_at_once(
    chromium: Chrome, site: Service, pages: ShopPages
) -> None:
    pages.html["/"] = page(SLOTS, line("measure"))
    visit(chromium, pages)
    identified = "resonate.identify('u-1').then(() => arguments[0]([resonate.variant('of-users').variant]))"
    assert chromium.execute_async_script(identified) == ["control"]
    chromium.execute_script("resonate.consent('personal'); resonate.track('First')")
    chromium.execute_script("history.pushState({}, '', '/next'); resonate.track('Second')")
    assert chromium.execute_async_script(identified) == ["new"]
    chromium.execute_script("resonate.consent('measure'); resonate.track('Third')")
    chromium.execute_script("resonate.consent('personal', {now: true}); resonate.track('Fourth')")
    found = {
        row["event"]: (row["consent"], row.get("user_id"))
        for row in stored_of(site, "Fourth")
        if row["type"] == "track"
    }
    assert found["First"] == ("measure", None)
    assert found["Second"][0] == "personal" or found["Second"] == ("measure", None)
    assert found["Third"] == ("measure", None)
    assert found["Fourth"] == ("personal", "u-1")


def test_a_browser_that_objects_lowers_what_holds_by_default_and_not_what_was_answered(
    chromium: Chrome, site: Service, pages: ShopPages
) -> None:
    chromium.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": GPC})
    visit(chromium, pages)
    chromium.execute_script("resonate.track('Objected')")
    found = stored_of(site, "Objected")
    assert {row["consent"] for row in found} == {"measure"}
    chromium.execute_script("resonate.consent('personal')")
    visit(chromium, pages)
    chromium.execute_script("resonate.track('Allowed')")
    assert [row["consent"] for row in stored_of(site, "Allowed") if row.get("event") == "Allowed"] == ["personal"]


def test_consent_that_gtag_is_told_is_followed(chromium: Chrome, site: Service, pages: ShopPages) -> None:
    layer = """<script>window.dataLayer = []; function gtag() { dataLayer.push(arguments); }
      gtag("consent", "default", {analytics_storage: "denied", personalization_storage: "denied"})</script>"""
    pages.html["/"] = page(SLOTS, layer + line("gtag"))
    visit(chromium, pages)
    WebDriverWait(chromium, 20).until(lambda each: any("parts" in asked for asked in pages.asked))
    assert chromium.execute_script(KEPT) == ["", [], []]
    WebDriverWait(chromium, 20).until(lambda each: each.execute_script("return dataLayer.push != Array.prototype.push"))
    chromium.execute_script("gtag('consent', 'update', {analytics_storage: 'granted'}); resonate.track('Granted')")
    assert {row["consent"] for row in stored_of(site, "Granted")} == {"measure"}
    chromium.execute_script("gtag('consent', 'update', {analytics_storage: 'denied'})")
    assert chromium.execute_script(KEPT) == ["", [], []]
