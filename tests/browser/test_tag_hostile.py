"""What somebody writes into a payload, an address or a page to make the tag run it, keep it or ask for it."""

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait
from servers.shop_pages import shop_pages
from worlds.tag_pages import LINE, page, visit

pytestmark = pytest.mark.browser
HOSTILE = (
    "<svg width=200 height=200><a id=bait><animate attributeName=href values=\"javascript:window.ran='animate'\" />"
    "<text x=10 y=50>go</text></a></svg>"
    "<svg><a><set attributeName=href to=/x /><animateTransform attributeName=x /><text y=20>b</text></a></svg>"
    "<template><img src=x onerror=\"window.ran='template'\"></template><noscript><b>x</b></noscript>"
    "<img src=x onerror=\"window.ran='img'\"><a href=\"java&#10;script:window.ran='link'\">c</a><p class=kept>kept</p>"
    "<i x-init='ran()' v-on:click='ran()' hx-get='/x' data-hx-get='/x' ng-click='ran()' title='t'>d</i>"
)
BANNER = (
    "key: banner\nstatus: running\ngoal: purchase_rate\nvariants:\n- {key: control, weight: 0}\n"
    f"- key: new\n  payload:\n    html: >-\n      {HOSTILE}\n"
)
SHIPPED = (
    "key: moved\nstatus: stopped\ndecision: {outcome: shipped, variant: away}\naudience: {where: {path: /old}}\n"
    "variants: [{key: control}, {key: away, payload: {changes: [{redirect: /new}]}}]\ngoal: purchase_rate\n"
)
SLOT = '<div data-resonate="banner" data-resonate-html="html"></div>'
SHOP = "privacy: {default_consent: personal}\n"
KEPT = "return [document.cookie, Object.keys(localStorage), Object.keys(sessionStorage)]"


def line(consent: str) -> str:
    return LINE.replace("async", f'async data-consent="{consent}"')


def test_html_of_a_payload_runs_nothing_neither_now_nor_when_it_is_clicked(chromium: Chrome, start_service) -> None:
    site = start_service({"banner.yaml": BANNER, "shop.yaml": SHOP})
    with shop_pages(site.url, {"/": page(SLOT)}) as pages:
        visit(chromium, pages)
        WebDriverWait(chromium, 20).until(lambda each: each.find_elements("css selector", ".kept"))
        left = chromium.execute_script(
            "const left = document.querySelectorAll('animate,set,animateTransform,template,noscript');"
            "return [...left].map((element) => element.localName)"
        )
        named = "return document.querySelector('[data-resonate] i').getAttributeNames()"
        assert chromium.execute_script(named) == ["title"]  # what frameworks of a page would run is not there either
        chromium.execute_script(
            "document.querySelector('#bait').dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true}))"
        )
        chromium.execute_async_script("setTimeout(arguments[0], 300)")
        assert (chromium.execute_script("return window.ran ?? null"), left) == (None, [])


def test_a_question_about_consent_that_is_open_keeps_nothing_of_who_is_led_away(
    chromium: Chrome, start_service
) -> None:
    site = start_service({"moved.yaml": SHIPPED, "shop.yaml": SHOP})
    html = {"/old": page("old", line("ask")), "/new": page("new", line("ask")), "/plain": "<title>plain</title>"}
    with shop_pages(site.url, html | {"/new": "<title>new</title>"}) as pages:
        chromium.get(pages.url + "/old")
        WebDriverWait(chromium, 20).until(lambda each: "/new" in each.current_url)
        assert chromium.execute_script(KEPT) == ["", [], []]


def test_a_page_with_a_data_layer_asks_for_nothing_more_where_nobody_may_be_known(
    chromium: Chrome, start_service
) -> None:
    site = start_service({"shop.yaml": SHOP})
    with shop_pages(site.url, {"/": page("<script>dataLayer = []</script>", line("none"))}) as pages:
        visit(chromium, pages)
        chromium.execute_async_script("setTimeout(arguments[0], 500)")
        assert pages.loads == ["GET /resonate.js"]


@pytest.mark.parametrize("name", ["constructor", "__proto__", "toString"])
def test_no_name_of_an_experiment_means_something_to_the_language(chromium: Chrome, start_service, name: str) -> None:
    site = start_service({"banner.yaml": BANNER, "shop.yaml": SHOP})
    with shop_pages(site.url, {"/": page(f'<p data-resonate="{name}" data-resonate-text="name">own</p>')}) as pages:
        visit(chromium, pages)
        told = chromium.execute_script("return [resonate.variant(arguments[0]), document.body.innerText]", name)
    nothing = {"variant": "control", "payload": None, "in_experiment": False, "because": "unknown", "forced": False}
    assert told == [nothing, "own"]
