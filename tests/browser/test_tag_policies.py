"""The tag under the strictest policies that a shop may write: it works, and breaks none of them."""

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait
from servers.patience import until
from servers.shop_pages import shop_pages
from worlds.tag_pages import LINE, OPEN, page, rows, visit

from app.tag.library import STYLE

pytestmark = pytest.mark.browser
STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "require-trusted-types-for 'script'; trusted-types resonate"
)
FILES = {
    "banner.yaml": "key: banner\nstatus: running\nvariants: [{key: control, weight: 0}, {key: new, "
    "payload: {title: Sale, html: <b>bold</b>, link: /sale}}]\ngoal: purchase_rate\n",
    **OPEN,
}
WATCHING = (
    "window.broken = []; addEventListener('securitypolicyviolation', "
    "(event) => broken.push(event.violatedDirective + event.blockedURI));"
)
BODY = (
    '<h1 data-resonate="banner" data-resonate-text="title" data-resonate-class="title">Hello</h1>'
    '<a data-resonate="banner" data-resonate-attr="href:link">x</a>'
    '<i data-resonate="banner" data-resonate-hide="title">x</i>'
    '<u data-resonate="banner" data-resonate-expose="visible">x</u>'
    '<p data-resonate="banner" data-resonate-html="html">x</p>'
)
TOLD = (
    "return [document.querySelector('h1').textContent, document.querySelector('a').getAttribute('href'),"
    "document.querySelector('p').innerHTML, getComputedStyle(document.querySelector('i')).display, broken]"
)


def test_everything_works_under_a_policy_that_allows_own_files_alone_and_breaks_nothing_of_it(
    chromium: Chrome, start_service
) -> None:
    site = start_service(FILES)
    styles = '<script src="/watching.js"></script><link rel=stylesheet href="/slots.css">'
    html = {"/": page(BODY, LINE, styles)}
    html |= {"/watching.js": WATCHING, "/slots.css": STYLE.removeprefix("<style>").removesuffix("</style>")}
    with shop_pages(site.url, html, {"content-security-policy": STRICT}) as pages:
        assert visit(chromium, pages) == {"ok": True, "cause": None}
        WebDriverWait(chromium, 20).until(lambda each: each.execute_script(TOLD)[2] == "<b>bold</b>")
        chromium.execute_script("resonate.track('Bought')")
        until(lambda: any(row.get("event") == "Bought" for row in rows(site)), "the event is stored", tell=site.told)
        assert chromium.execute_script(TOLD) == ["Sale", "/sale", "<b>bold</b>", "none", []]
    assert [row["experiment"] for row in rows(site) if row["type"] == "exposure"] == ["banner"]


def test_a_policy_that_lets_nobody_write_html_costs_html_and_nothing_else(chromium: Chrome, start_service) -> None:
    site = start_service(FILES)
    with shop_pages(
        site.url,
        {"/": page(BODY)},
        {"content-security-policy": "require-trusted-types-for 'script'; trusted-types 'none'"},
    ) as pages:
        visit(chromium, pages)
        told = chromium.execute_script(TOLD.replace(", broken", ""))
        until(lambda: [row for row in rows(site) if row["type"] == "exposure"], "it counts", tell=site.told)
    assert told == ["Sale", "/sale", "x", "none"]
