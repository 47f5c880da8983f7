"""Surveys of a page: one question, seen, chosen and sent by keyboard too, once a visit, by who may be counted alone."""

import json
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from servers.patience import until
from servers.service import Service
from servers.shop_pages import shop_pages
from worlds.tag_pages import LINE, OPEN, page, rows, visit

pytestmark = pytest.mark.browser
AXE = (Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js").read_text()
STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "require-trusted-types-for 'script'; trusted-types resonate"
)
WATCHING = (
    "window.broken = []; addEventListener('securitypolicyviolation', (event) => broken.push(event.violatedDirective));"
)
HOSTILE = '"><img src=x onerror=hostile()>'
FILES = {"a.yaml": "key: a\nstatus: running\nvariants: [x, y]\ngoal: csat\n", **OPEN}
ASKING = {"shop.yaml": "privacy: {default_consent: measure}\n"}
BODY = (
    '<div id="one" data-resonate-survey="csat"></div>'
    '<div id="two" data-resonate-survey="after delivery" data-resonate-kind="NPS" data-resonate-channel="checkout" '
    f"data-resonate-question='{HOSTILE}' data-resonate-thanks='{HOSTILE}'></div>"
    '<div id="three" data-resonate-survey="of no kind"><p>as it was</p></div>'
)
FORMS = "return [...document.querySelectorAll('form')].map((each) => each.parentElement.id)"
SEND = "const form = document.querySelector('#' + arguments[0] + ' form');" \
       "form.querySelector(`[value='${arguments[1]}']`).click(); form.querySelector('button').click();"  # fmt: skip


def told(site: Service, event: str) -> list[dict[str, Any]]:
    return [row for row in rows(site) if row.get("event") == event]


def asked(browser: Chrome, *places: str) -> None:
    WebDriverWait(browser, 20).until(lambda each: each.execute_script(FORMS) == list(places))


def test_a_question_is_answered_once_a_visit_under_the_strictest_policy(chromium: Chrome, start_service) -> None:
    site = start_service(FILES)
    html = {"/": page(BODY, LINE, '<script src="/watching.js"></script>'), "/watching.js": WATCHING}
    with shop_pages(site.url, html, {"content-security-policy": STRICT}) as pages:
        visit(chromium, pages)
        asked(chromium, "one", "two")
        chromium.execute_script(SEND, "two", 9)
        [answer] = until(lambda: told(site, "Survey Answered"), "the answer is stored")
        assert (answer["value"], answer["authority"]) == (9.0, "page")
        said = {name: answer["properties"][name] for name in ("survey", "kind", "channel", "score")}
        assert said == {"survey": "after delivery", "kind": "nps", "channel": "checkout", "score": 9}
        shown = until(lambda: len(found := told(site, "Survey Shown")) == 2 and found, "both were seen")
        assert {row["properties"]["survey"] for row in shown} == {"csat", "after delivery"}
        assert chromium.execute_script("return document.querySelector('#two').textContent") == HOSTILE
        assert chromium.execute_script("return document.activeElement.textContent") == HOSTILE
        visit(chromium, pages)
        asked(chromium, "one")
        assert chromium.execute_script("return [document.images.length, broken]") == [0, []]
        assert chromium.execute_script("return document.querySelector('#three').innerHTML") == "<p>as it was</p>"
    assert len(told(site, "Survey Answered")) == 1


def test_a_question_is_answered_by_keyboard_and_has_no_fault_of_access(chromium: Chrome, start_service) -> None:
    site = start_service(FILES)
    with shop_pages(
        site.url, {"/": page('<main><h1>shop</h1><div id="one" data-resonate-survey="ces"></div></main>')}
    ) as pages:
        visit(chromium, pages)
        asked(chromium, "one")
        chromium.execute_script(AXE)
        found = chromium.execute_async_script(
            "const done = arguments[0]; axe.run('#one').then((told) => done(told.violations.map((each) => each.id)))"
        )
        assert found == []
        named = chromium.execute_script("return document.querySelector('fieldset').getAttribute('aria-describedby')")
        assert "1: hardly any effort. 7: a lot of effort." in chromium.execute_script(
            "return document.getElementById(arguments[0]).textContent", named
        )
        ActionChains(chromium).send_keys(Keys.TAB, Keys.SPACE, Keys.ARROW_RIGHT, Keys.TAB, Keys.ENTER).perform()
        [answer] = until(lambda: told(site, "Survey Answered"), "the answer is stored")
        assert answer["value"] == 2.0


def test_who_may_not_be_counted_is_not_asked(chromium: Chrome, start_service) -> None:
    site = start_service({**FILES, **ASKING})
    line = LINE.replace("></script>", ' data-consent="ask"></script>')
    with shop_pages(site.url, {"/": page('<div id="one" data-resonate-survey="nps"></div>', line)}) as pages:
        visit(chromium, pages)
        chromium.execute_async_script("resonate.recommend('x').then(arguments[0], arguments[0])")  # the parts are there
        assert chromium.execute_script(FORMS) == []
        chromium.execute_script("resonate.consent('measure')")
        asked(chromium, "one")
        chromium.execute_script("resonate.consent('none')")
        asked(chromium)
    assert json.dumps(told(site, "Survey Answered")) == "[]"
