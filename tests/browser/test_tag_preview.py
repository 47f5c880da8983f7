"""Trying a page out: a link or a forced variant is shown, kept for the session, left, and never counted; and what
`resonate_debug` shows of a page.
"""

from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait
from servers.patience import until
from servers.service import SECRET_KEY, Service
from servers.shop_pages import ShopPages
from worlds.tag_pages import OPEN, page, rows, visit

pytestmark = pytest.mark.browser
DRAFT = """
key: draft
status: draft
variants:
  - {key: control, payload: {title: Old}}
  - {key: new, payload: {title: New, changes: [{selector: .note, text: Changed}]}}
goal: purchase_rate
"""
RUNS = "status: running\nvariants: [{key: control, payload: {title: A}}, {key: other, weight: 0, payload: {title: B}}]"
FILES = {
    "draft.yaml": DRAFT,
    "runs.yaml": f"key: runs\n{RUNS}\ngoal: purchase_rate\n",
    "asks.yaml": f"key: asks\n{RUNS}\ngoal: purchase_rate\naudience: {{where: {{path: /elsewhere}}}}\n",
    **OPEN,
}
BODY = (
    "<h1 data-resonate=draft data-resonate-text=title>Fallback</h1>"
    "<h2 data-resonate=runs data-resonate-text=title>F</h2>"
    "<p class=note>Note</p><button id=buy>Buy</button>"
)
PAGES = {"/": page(BODY), "/second": page(BODY)}


def token(site: Service, days: float = 7) -> str:
    with site.client(SECRET_KEY) as backend:
        return backend.post("/v1/experiments/draft/preview", json={"variant": "new", "days": days}).json()["token"]


def text(browser: Chrome, selector: str) -> str:
    return browser.find_element("css selector", selector).text


def panel(browser: Chrome, name: str) -> str:
    """What a panel of the tag's shows."""
    found = f"document.querySelector('resonate-panel[data-panel={name}]')"
    WebDriverWait(browser, 20).until(
        lambda each: each.execute_script(f"return {found} && {found}.shadowRoot.textContent"), f"the panel {name}"
    )
    return browser.execute_script(f"return {found}.shadowRoot.textContent")


def press(browser: Chrome, name: str) -> None:
    browser.execute_script(
        f"document.querySelector('resonate-panel[data-panel={name}]').shadowRoot.querySelector('button').click()"
    )


def test_a_draft_is_shown_by_its_link_on_every_page_of_the_session_until_it_is_left_and_nothing_is_sent(
    chromium: Chrome, site: Service, pages: ShopPages
) -> None:
    visit(chromium, pages, f"/?resonate_preview={token(site)}")
    assert "Preview of draft: new, until " in panel(chromium, "preview")
    assert (text(chromium, "h1"), text(chromium, ".note"), text(chromium, "h2")) == ("New", "Changed", "A")
    visit(chromium, pages, "/second")
    assert "Preview of draft: new" in panel(chromium, "preview")
    assert (text(chromium, "h1"), text(chromium, ".note")) == ("New", "Changed")
    chromium.execute_script("resonate.track('Tried out')")
    assert [line for line in pages.loads if line.startswith("POST") and "personalize" not in line] == []
    press(chromium, "preview")
    WebDriverWait(chromium, 20).until(lambda each: text(each, "h1") == "Fallback")
    counted = {("page", None), ("exposure", "runs")}
    until(
        lambda: {(row["type"], row.get("experiment")) for row in rows(site)} >= counted, "what is not tried out counts"
    )
    assert {row["experiment"] for row in rows(site) if row["type"] == "exposure"} == {"runs"}
    assert "Tried out" not in repr(rows(site))


def test_what_runs_is_forced_and_what_is_over_or_unknown_says_so(chromium: Chrome, pages: ShopPages) -> None:
    visit(chromium, pages, "/?resonate_force=runs:other")
    assert "Preview of runs: other; nothing is counted." in panel(chromium, "preview")
    assert text(chromium, "h2") == "B"
    visit(chromium, pages, "/?resonate_force=draft:new")  # a draft runs for nobody
    assert panel(chromium, "preview").startswith("Nothing to preview.")
    visit(chromium, pages, "/?resonate_preview=nonsense")
    assert "The link is over, or is not for this service." in panel(chromium, "preview")
    assert text(chromium, "h1") == "Fallback"
    visit(chromium, pages, "/second")
    assert chromium.find_elements("css selector", "resonate-panel") == []


def test_a_preview_that_cannot_be_asked_for_leaves_the_page_whole(
    chromium: Chrome, site: Service, pages: ShopPages
) -> None:
    pages.spoils = lambda path: "500" if path.startswith("/v1/personalize") else None
    visit(chromium, pages, f"/?resonate_preview={token(site)}")
    assert "Preview: the service answers 500." in panel(chromium, "preview")
    assert (text(chromium, "h1"), text(chromium, "h2")) == ("Fallback", "A")


def test_the_overlay_tells_variants_and_why_attributes_consent_and_what_became_of_what_was_sent(
    chromium: Chrome, pages: ShopPages
) -> None:
    visit(chromium, pages, "/?resonate_debug&utm_source=news")
    wanted = [
        "consent: personal",
        "asks",
        "the audience does not hold",
        "runs",
        "drawn",
        "utm_source",
        "news",
        "stored",
    ]
    shown: Any = WebDriverWait(chromium, 20).until(
        lambda each: all(word in panel(each, "debug") for word in wanted), panel(chromium, "debug")
    )
    assert shown
    chromium.execute_script("resonate.track('Order Completed', {total: 5})")
    WebDriverWait(chromium, 20).until(lambda each: "refused: " in panel(each, "debug"))
    assert "order_id" in panel(chromium, "debug")
    press(chromium, "debug")
    assert "Attributes" not in panel(chromium, "debug")
