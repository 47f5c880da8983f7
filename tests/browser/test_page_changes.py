"""Changes that a variant declares, in a real browser: made once, counted alike in every arm, and taken back."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait
from servers.patience import until
from servers.service import PUBLISHABLE_KEY, Service
from servers.shop_pages import PREFIX, ShopPages, shop_pages

pytestmark = pytest.mark.browser
LINE = f'<script async src="{PREFIX}/resonate.js?key={PUBLISHABLE_KEY}"></script>'
EXPERIMENT = """
key: hero
status: running
variants:
  - {key: control, weight: CONTROL}
  - key: bold
    weight: BOLD
    payload:
      changes:
        - {selector: .hero h1, text: Free from 50 EUR}
        - selector: .note
          html: "<b>New</b><img src=x onerror='window.ran = 1'>"
          attribute: {title: Tea, hidden: null}
        - {selector: .hero, class: {add: [wide], remove: [narrow]}, style: {background-color: "rgb(1, 2, 3)"}}
        - {selector: .old, hide: true}
        - {selector: .hero, insert: {where: after, html: "<p class=added>Added</p>"}}
        - {selector: .late, text: On time}
goal: purchase_rate
"""
BODY = (
    "<div class='hero narrow'><h1>Hello <i>you</i></h1><p class=note hidden>Note</p></div><p class=old>Old</p>"
    "<div id=place></div>"
)
CLOSED = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self';"
    " require-trusted-types-for 'script'; trusted-types resonate"
)


def page(body: str, line: str = LINE) -> str:
    return f"<!doctype html><meta charset=utf-8><title>shop</title>{line}{body}"


def definitions(arm: str, text: str = EXPERIMENT) -> dict[str, str]:
    weights = {"CONTROL": "1", "BOLD": "0"} if arm == "control" else {"CONTROL": "0", "BOLD": "1"}
    for name, weight in weights.items():
        text = text.replace(name, weight)
    return {"hero.yaml": text, "shop.yaml": "privacy: {default_consent: personal}\n"}


def seen(browser: Chrome, script: str) -> Any:
    return browser.execute_script(f"return {script}")


def waits(browser: Chrome, script: str) -> None:
    WebDriverWait(browser, 20).until(lambda each: seen(each, script), script)


def rows(site: Service, kind: str = "exposure") -> list[dict[str, Any]]:
    with site.client() as backend:
        answer = backend.get("/v1/export/events", params={"limit": 10_000})
    return [row for row in map(json.loads, answer.text.splitlines()) if row["type"] == kind]


@pytest.fixture
def bold(start_service) -> Iterator[tuple[Service, ShopPages]]:
    site = start_service(definitions("bold"))
    with shop_pages(site.url, {"/": page(BODY)}, {"content-security-policy": CLOSED}) as pages:
        yield site, pages


def test_every_kind_of_change_is_made_under_a_strict_policy_and_what_runs_is_left_out(chromium: Chrome, bold) -> None:
    site, pages = bold
    chromium.get(pages.url)
    waits(chromium, "document.querySelector('.added') !== null")
    assert seen(chromium, "document.querySelector('h1').innerHTML") == "Free from 50 EUR"
    assert seen(chromium, "document.querySelector('.note').outerHTML") == (
        '<p class="note" title="Tea"><b>New</b><img src="x"></p>'
    )
    assert seen(chromium, "document.querySelector('.hero').className") == "hero wide"
    assert seen(chromium, "getComputedStyle(document.querySelector('.hero')).backgroundColor") == "rgb(1, 2, 3)"
    assert seen(chromium, "getComputedStyle(document.querySelector('.old')).display") == "none"
    assert seen(chromium, "document.querySelector('.hero').nextElementSibling.className") == "added"
    assert seen(chromium, "window.ran") is None
    until(lambda: len(rows(site)) == 1, "the exposure is stored")
    assert (rows(site)[0]["variant"], rows(site)[0]["forged"]) == ("bold", False)


def test_a_place_that_appears_later_is_changed_before_it_is_painted(chromium: Chrome, bold) -> None:
    _, pages = bold
    chromium.get(pages.url)
    waits(chromium, "document.querySelector('.added') !== null")
    first = """
    const done = arguments[0], place = document.querySelector('#place');

    const late = Object.assign(document.createElement('p'), {className: 'late', textContent: 'Late'});
    place.append(late);
    requestAnimationFrame(() => done(late.textContent));
    """
    assert chromium.execute_async_script(first) == "On time"


def test_what_a_framework_undoes_is_made_again_and_not_for_ever(chromium: Chrome, bold) -> None:
    _, pages = bold
    chromium.get(pages.url)
    waits(chromium, "document.querySelector('.added') !== null")
    undone = """
    const done = arguments[0], heading = document.querySelector('h1'), found = [];
    const undo = () => {
      if (found.length == 8) return done(found);
      heading.textContent = 'Hello';
      requestAnimationFrame(() => { found.push(heading.textContent); undo(); });
    };
    undo();
    """
    assert chromium.execute_async_script(undone) == ["Free from 50 EUR"] * 5 + ["Hello"] * 3


def test_control_is_counted_at_the_same_place_and_moment_though_nothing_changes(
    chromium: Chrome, start_service
) -> None:
    site = start_service(definitions("control"))
    pages_of = {"/": page("<p>nothing here</p><div id=place></div>"), "/hero": page(BODY)}
    with shop_pages(site.url, pages_of) as pages:
        chromium.get(pages.url)
        until(lambda: len(rows(site, "page")) == 1, "the page is stored")
        assert rows(site) == []  # no place of any arm is on this page
        chromium.execute_script("document.querySelector('#place').innerHTML = '<p class=late>Late</p>'")
        until(lambda: len(rows(site)) == 1, "the exposure is stored")
        chromium.get(f"{pages.url}/hero")
        until(lambda: len(rows(site, "page")) == 2, "the other page is stored")
        assert [(row["variant"], row["forged"]) for row in rows(site)] == [("control", False)]
        assert seen(chromium, "document.querySelector('h1').innerHTML") == "Hello <i>you</i>"


def test_a_place_that_is_to_be_counted_in_view_waits_for_it(chromium: Chrome, start_service) -> None:
    site = start_service(definitions("bold"))
    below = "<div style='height:3000px'></div><p class=old data-resonate-expose=visible>Old</p>"
    with shop_pages(site.url, {"/": page(below)}) as pages:
        chromium.get(pages.url)
        waits(chromium, "getComputedStyle(document.querySelector('.old')).display == 'none'")
        until(lambda: len(rows(site, "page")) == 1, "the page is stored")
        assert rows(site) == []
        chromium.execute_script("scrollTo(0, document.body.scrollHeight)")
        until(lambda: len(rows(site)) == 1, "the exposure of what is hidden is stored")


def test_another_route_without_the_audience_brings_back_what_the_page_had(chromium: Chrome, start_service) -> None:
    text = EXPERIMENT.replace("goal:", "audience: {where: {path: /}}\ngoal:")
    site = start_service(definitions("bold", text))
    with shop_pages(site.url, {"/": page(BODY)}) as pages:
        chromium.get(pages.url)
        before = page(BODY).partition("</script>")[2]
        waits(chromium, "document.querySelector('.added') !== null")
        chromium.execute_script("history.pushState({}, '', '/elsewhere')")
        waits(chromium, "document.querySelector('.added') === null")
        assert seen(chromium, "document.querySelector('h1').innerHTML") == "Hello <i>you</i>"
        assert seen(chromium, "document.querySelector('.hero').className.split(' ').sort().join()") == "hero,narrow"
        assert seen(chromium, "document.querySelector('.note').outerHTML") == '<p class="note" hidden="">Note</p>'
        assert seen(chromium, "document.querySelector('.hero').style.backgroundColor") == ""
        assert seen(chromium, "getComputedStyle(document.querySelector('.old')).display") == "block"
        assert "Hello" in before
        chromium.execute_script("history.pushState({}, '', '/')")
        waits(chromium, "document.querySelector('.added') !== null")
        assert seen(chromium, "document.querySelectorAll('.added').length") == 1


def test_places_to_come_are_hidden_and_shown_again_though_the_parts_never_come(chromium: Chrome, start_service) -> None:
    site = start_service(definitions("bold"))
    line = LINE.replace("async ", "")
    notes = "<script>window.first = getComputedStyle(document.querySelector('h1')).visibility</script>"
    with shop_pages(site.url, {"/": "<!doctype html><title>frame</title>", "/slow": page(BODY + notes, line)}) as pages:
        pages.spoils = lambda path: "hanging" if "parts" in path else None
        chromium.get(pages.url)
        chromium.execute_script("document.body.append(Object.assign(document.createElement('iframe'), {src: '/slow'}))")
        waits(chromium, "frames[0] && frames[0].first")
        assert seen(chromium, "frames[0].first") == "hidden"
        waits(chromium, "frames[0].getComputedStyle(frames[0].document.querySelector('h1')).visibility == 'visible'")
        assert seen(chromium, "frames[0].document.querySelector('h1').innerHTML") == "Hello <i>you</i>"
