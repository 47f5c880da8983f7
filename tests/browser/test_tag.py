"""The tag in a real browser: what slots show, when that counts as seen, and what pages may call."""

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait
from servers.patience import until
from servers.service import PUBLISHABLE_KEY, Service
from servers.shop_pages import PREFIX, ShopPages
from worlds.tag_pages import LINE, OPEN, page, ready, rows, visit

from app.tag.library import TagLines

pytestmark = pytest.mark.browser
PAYLOAD = """
      title: "Free from 50 EUR"
      zero: 0
      off: false
      theme: dark big
      link: {url: /sale, bad: "javascript:alert(1)", data: "data:text/html,x"}
      html: "<b onclick='x()'>bold</b><script>window.ran = 1</script><iframe src='//evil.example'></iframe>"
"""
FILES = {
    "banner.yaml": "key: banner\nstatus: running\nvariants:\n  - {key: control, weight: 0, payload: {title: Welcome}}\n"
    f"  - key: threshold\n    payload:{PAYLOAD}goal: purchase_rate\n",
    "empty.yaml": "key: empty\nstatus: running\nvariants: [control, {key: nothing, weight: 0}]\ngoal: purchase_rate\n",
    "shipped.yaml": "key: shipped\nstatus: stopped\ndecision: {outcome: shipped, variant: new}\n"
    "variants: [{key: old, payload: a}, {key: new, payload: b}]\ngoal: purchase_rate\n",
    **OPEN,
}
SLOT = '<h1 data-resonate="banner" data-resonate-text="title">Hello</h1>'
PAGES = {"/": page(SLOT)}


def exposed(site: Service) -> list[tuple[str, str, bool]]:
    return [(row["experiment"], row["variant"], row["forged"]) for row in rows(site) if row["type"] == "exposure"]


def seen(site: Service, event: str) -> None:
    """Until an event of the page is stored; what was sent before it is as well."""
    until(lambda: any(row.get("event") == event for row in rows(site)), f"{event} is stored", tell=site.told)


def test_a_slot_shows_the_variant_and_its_exposure_is_stored_once(
    chromium: Chrome, site: Service, pages: ShopPages
) -> None:
    assert visit(chromium, pages) == {"ok": True, "cause": None}
    slot = chromium.find_element("css selector", "h1")
    assert (slot.text, slot.get_attribute("data-resonate-done")) == ("Free from 50 EUR", "banner:threshold")
    chromium.refresh()
    ready(chromium)
    chromium.execute_script("resonate.track('Seen')")
    seen(site, "Seen")
    assert exposed(site) == [("banner", "threshold", False)]
    assert {row["visitor_id"] for row in rows(site)} == {chromium.get_cookie("resonate_id")["value"]}
    assert len([row for row in rows(site) if row["type"] == "page"]) == 2


def test_each_way_of_filling_a_slot_and_nothing_that_runs(chromium: Chrome, site: Service, pages: ShopPages) -> None:
    pages.html["/"] = page(
        '<a id=a data-resonate="banner" data-resonate-attr="href:link.url; title:title; onclick:title; style:title" '
        'data-resonate-class="theme" class="big">x</a>'
        '<a id=bad href="/kept" data-resonate="banner" data-resonate-attr="href:link.bad; ping:link.data">x</a>'
        '<iframe id=frame data-resonate="banner" data-resonate-attr="src:link.url"></iframe>'
        '<i id=shown hidden data-resonate="banner" data-resonate-show="title">x</i>'
        '<i id=zero data-resonate="banner" data-resonate-show="zero">x</i>'
        '<i id=hide data-resonate="banner" data-resonate-hide="title">x</i>'
        '<i id=kept data-resonate="banner" data-resonate-hide="off" hidden>x</i>'
        '<i id=absent hidden data-resonate="banner" data-resonate-show="none.there">x</i>'
        '<i id=mine hidden data-resonate="banner" data-resonate-variant="threshold">x</i>'
        '<i id=other data-resonate="banner" data-resonate-variant="control">x</i>'
        '<i id=text data-resonate="banner" data-resonate-text="link">kept</i>'
        '<i id=whole data-resonate="shipped" data-resonate-text="">x</i>'
        '<i id=unknown data-resonate="nothing-such" data-resonate-text="title">kept</i>'
        '<p id=html data-resonate="banner" data-resonate-html="html">x</p>'
    )
    visit(chromium, pages)
    WebDriverWait(chromium, 20).until(lambda each: each.find_element("id", "html").text == "bold")
    told = chromium.execute_script(
        "return Object.fromEntries([...document.querySelectorAll('[id]')].map((e) => [e.id, ["
        "e.textContent, e.className, "
        "getComputedStyle(e).display != 'none', e.innerHTML, e.dataset.resonateDone, e.getAttribute('href'), "
        "['onclick', 'style', 'ping', 'src'].filter((name) => e.getAttribute(name))]]))"
    )
    assert {name for name, each in told.items() if each[2]} == {
        "a", "bad", "frame", "shown", "kept", "mine", "text", "whole", "unknown", "html"
    }  # fmt: skip
    assert (told["a"][1], told["a"][5], told["bad"][5]) == ("big dark", "/sale", "/kept")
    assert (told["a"][6], told["bad"][6], told["frame"][6]) == ([], [], [])
    assert (told["text"][0], told["whole"][0], told["unknown"][0]) == ("kept", "b", "kept")
    assert (told["whole"][4], told["unknown"][4]) == ("shipped:new", "nothing-such:control")
    assert told["html"][3] == "<b>bold</b>"
    assert chromium.execute_script("return window.ran") is None


def test_a_slot_that_appears_later_is_filled_and_one_that_is_undone_is_filled_five_times_more(
    chromium: Chrome, site: Service, pages: ShopPages
) -> None:
    pages.html["/"] = page("<main></main>")
    visit(chromium, pages)
    texts = chromium.execute_async_script(
        f"""const done = arguments[0], main = document.querySelector("main"), texts = [];
        main.innerHTML = `{SLOT}`;
        const slot = main.firstChild, undo = () => {{
          texts.push(slot.textContent);
          if (texts.length > 8) return done(texts);
          slot.textContent = "undone";
          setTimeout(undo);
        }};
        setTimeout(undo);"""
    )
    assert texts == ["Free from 50 EUR"] * 6 + ["undone"] * 3


def test_what_is_seen_counts_when_it_is_in_view_when_the_page_says_so_and_for_control_as_well(
    chromium: Chrome, site: Service, pages: ShopPages
) -> None:
    pages.html["/"] = page(
        '<p data-resonate="shipped"></p>'
        '<div style="height: 4000px"></div>'
        '<i id=below data-resonate="banner" data-resonate-expose="visible" data-resonate-hide="title">x</i>'
        '<i data-resonate="empty" data-resonate-expose="manual"></i>'
    )
    visit(chromium, pages)
    chromium.execute_script("resonate.track('Loaded')")
    seen(site, "Loaded")
    assert exposed(site) == []
    chromium.execute_script("resonate.expose('empty'); resonate.expose('empty'); resonate.track('Told')")
    seen(site, "Told")
    assert exposed(site) == [("empty", "control", False)]
    chromium.execute_script("scrollTo(0, 5000)")
    until(lambda: len(exposed(site)) == 2, "the hidden variant counts, for its place is in view", tell=site.told)
    assert exposed(site)[1] == ("banner", "threshold", False)


def test_a_page_calls_before_and_after_the_tag_has_loaded_and_nothing_throws(
    chromium: Chrome, site: Service, pages: ShopPages
) -> None:
    early = """<script>window.resonate = [["track", "Early", {n: 1}], (tag) => (window.version = tag.version),
      ["on", "banner", (found) => (window.heard = found.variant)], ["attributes", {cart_value: 20}]]</script>"""
    pages.html["/"] = page(SLOT, early + LINE)
    visit(chromium, pages)
    told = chromium.execute_script(
        """resonate.on("banner", () => { throw new Error("the page's own mistake"); });
        resonate.push(["no such thing"], ["track", "Late"], null);
        return [window.version, window.heard, resonate.payload("banner", "link.url"),
          resonate.payload("banner", "a.b", "f"), resonate.variant("banner").in_experiment,
          resonate.variant("gone").because, typeof resonate.id]"""
    )
    assert told[1:] == ["threshold", "/sale", "f", True, "unknown", "string"]
    seen(site, "Early")
    chromium.execute_script("resonate.push((tag) => tag.track('Last'))")
    seen(site, "Last")


def test_the_bare_library_with_its_digest_decides_by_the_published_payload(
    chromium: Chrome, site: Service, pages: ShopPages
) -> None:
    with site.client() as client:
        [name] = [path for path in client.get("/openapi.json").json()["paths"] if "parts" in path]
        assert client.get("/resonate.d.ts").text.startswith("/** The browser tag")
        assert client.get("/resonate-0000000000000000.js").status_code == 404
    assert name == "/resonate-parts-{hash}.js"
    pages.html["/"] = page(SLOT, TagLines.of(PREFIX, PUBLISHABLE_KEY, "personal").bare)
    assert visit(chromium, pages) == {"ok": True, "cause": None}
    assert chromium.find_element("css selector", "h1").text == "Free from 50 EUR"


def test_a_pause_reaches_a_page_that_is_open_and_changes_nothing_under_the_eyes(
    chromium: Chrome, site: Service, pages: ShopPages
) -> None:
    pages.html["/"] = page(
        f"{SLOT}<main></main>", TagLines.of(site.url, PUBLISHABLE_KEY).script
    )  # no proxy holds it up
    visit(chromium, pages)
    chromium.execute_script(
        "resonate.on('banner', ({ variant }) => (window.heard = [...(window.heard || []), variant]))"
    )
    streams = "return performance.getEntriesByType('resource').some(({ name }) => name.includes('/resonate-parts'))"
    WebDriverWait(chromium, 20).until(lambda each: each.execute_script(streams))
    with site.client() as backend:
        for key in ("empty", "banner"):
            backend.post(f"/v1/experiments/{key}/pause").raise_for_status()
    until(
        lambda: chromium.execute_script(
            "resonate.attributes({}); return resonate.variant('empty').because"  # it was not shown: it is asked anew
        ) == "disabled",
        "the open page hears of the pause",
        tell=site.told,
    )  # fmt: skip
    assert chromium.find_element("css selector", "h1").text == "Free from 50 EUR"
    assert chromium.execute_script("return window.heard") == ["threshold"]
    chromium.execute_script("history.pushState({}, '', '/next')")
    assert chromium.find_element("css selector", "h1").text == "Welcome"
    assert chromium.execute_script("return window.heard") == ["threshold", "control"]
