"""Every page in a real Chromium, with JavaScript and without, light and dark: nothing breaks, all can be used."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.keys import Keys
from servers.chromium import another_page, open_chromium
from servers.people import sign_in_browser, sign_in_link
from servers.service import PUBLISHABLE_KEY, Service, write_definitions
from worlds.filled_shops import HOSTILE, hostile_files, write_past
from worlds.key_lists import entry, listing

from app.keys.audit import Actor, Audit, Wanted
from app.keys.scopes import PAGES

pytestmark = pytest.mark.browser
AXE = (Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
FOUND = (
    "const done = arguments[1]; axe.run(document, {runOnly: arguments[0]}).then((told) => "
    "done(told.violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.html.slice(0, 200))}`)))"
)
HELD = (
    "const wide = document.documentElement.clientWidth; return [[...document.querySelectorAll('body *')]"
    ".filter((each) => !each.closest('.scroll, pre, .skip') && each.getBoundingClientRect().right > wide + 1)"
    ".map((each) => each.outerHTML.slice(0, 120)),"
    "document.querySelectorAll('[style], script:not([src]), main img, main script, [onerror], [onclick]').length,"
    "document.querySelectorAll('h1').length, document.title, document.documentElement.outerHTML.length]"
)
VARIED = ("?metric=nps&sql=true", "?phase=0", "?metric=none", "?page=2&levels=2", "?metric=checkout_funnel")
LED_TO: list[
    tuple[str, list[tuple[dict[str, str], str]]]
] = [  # pages that a form leads to: what is written, and the button
    ("/dashboard/events", [({"visitor": HOSTILE[0]}, "Look")]),
    ("/dashboard/visitor", [({"id": HOSTILE[0]}, "Look")]),
    (
        "/dashboard/visitor",
        [({"id": HOSTILE[1]}, "Look"), ({}, "Show what would go"), ({"typed": "no"}, "Erase for good")],
    ),
    ("/dashboard/visitor", [({"id": HOSTILE[3][:200]}, "Look"), ({}, "Show what would go")]),
    ("/dashboard/visitor", [({"id": "v-shared"}, "Look")]),
    ("/dashboard/recommendations", [({"id": HOSTILE[0], "product": HOSTILE[1]}, "Show their list")]),
    ("/dashboard/recommendations", [({"product": HOSTILE[3][:200]}, "Show its list")]),
    ("/dashboard/settings", [({"name": "ops"}, "Make the key")]),
]
ALSO = (
    "/dashboard/new?draft=banner", "/dashboard/new?metric=purchase_rate&lift=5%25&days=28&weights=90,10",
    "/dashboard/plan?asked=1&units_a_day=1000&baseline=3%25&lift=5%25",
    "/dashboard/program?from=2026-01-01&metric=purchase_rate",
)  # fmt: skip
MOST_TABS = 120
LONGEST = 60_000


def addresses() -> list[str]:
    """Every page that is registered, and looks at an experiment that differ."""
    listed = [name.removeprefix("GET ") for name in PAGES if name.startswith("GET ") and not name.endswith(".csv")]
    one = "/dashboard/experiments/banner"
    found = [path.replace("{key}", "banner") for path in listed if "{" not in path.replace("{key}", "")]
    return [
        *found,
        *(f"{one}{query}" for query in VARIED),
        *ALSO,
        *(f"/dashboard/experiments/{key}" for key in ("draft", "paused")),
        "/dashboard/cx?from=2026-01-10&to=2026-02-08&kpi=nps&by=survey",
        "/dashboard/cx?kpi=nps&by=channel&survey=nps",
    ]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with a past, and hostile names everywhere."""
    root = tmp_path_factory.mktemp("shop")
    write_past(root / "data")
    (root / "keys.yaml").write_text(listing(entry("analyst")))
    variables = {"RESONATE_WORKERS": "1", "RESONATE_KEYS": str(root / "keys.yaml")}
    service = Service(root / "data", write_definitions(root / "definitions", hostile_files()), variables)
    try:
        service.start()
        with service.client(PUBLISHABLE_KEY) as page:
            for number, name in enumerate(HOSTILE):
                told = {"event": name[:200], "anonymousId": name[:200], "messageId": f"hostile-{number}"}
                page.post("/v1/track", json={**told, "properties": {"product_id": name[:200], name[:50]: name[:200]}})
                said = {"survey": "nps", "score": 9, "channel": name[:200]}
                answer = {"event": "Survey Answered", "anonymousId": f"{number}", "messageId": f"answer-{number}"}
                page.post("/v1/track", json={**answer, "properties": said})
        with service.client() as backend:
            for user in ("u-1", "u-2"):
                told = {"anonymousId": "v-shared", "userId": user, "event": "Order Completed"}
                backend.post("/v1/track", json={**told, "properties": {"order_id": user}}).raise_for_status()
        service.results("banner")
        yield service
    finally:
        service.end()


@pytest.fixture(scope="module")
def browser(shop: Service) -> Iterator[Chrome]:
    """A browser whose person is an admin."""
    with open_chromium() as found:
        sign_in_browser(found, shop.url, shop.data, "admin")
        yield found


def dressed(browser: Chrome, scheme: str, width: int = 1200) -> None:
    wanted = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", wanted)
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def opened(browser: Chrome, address: str) -> list[str]:
    """Opens a page; what the console says of it."""
    browser.get_log("browser")
    browser.get(address)
    return [told["message"] for told in browser.get_log("browser")]


def sent(browser: Chrome, fields: dict[str, str], button: str) -> list[str]:
    """Writes into a form of the page and presses its button; what the console says of what that leads to."""
    browser.get_log("browser")
    pressed = browser.find_element("xpath", f"//main//button[normalize-space()='{button}']")
    form = pressed.find_element("xpath", "./ancestor::form")
    for name, value in fields.items():
        form.find_element("name", name).send_keys(value)
    with another_page(browser):
        pressed.click()
    return [
        told["message"]
        for told in browser.get_log("browser")
        if "the server responded with a status of 4" not in told["message"]
    ]


@pytest.mark.drawn(3)
@pytest.mark.parametrize(("path", "steps"), LED_TO)
def test_no_page_that_a_form_leads_to_has_a_fault(
    browser: Chrome, shop: Service, path: str, steps: list[tuple[dict[str, str], str]]
) -> None:
    dressed(browser, "light")
    assert opened(browser, shop.url + path) == []
    for fields, button in steps:
        assert sent(browser, fields, button) == []
    browser.execute_script(AXE)
    for scheme in ("light", "dark"):
        dressed(browser, scheme)
        assert browser.execute_async_script(FOUND, RULES) == []
    dressed(browser, "light", 320)
    sideways, inline, headings, title, size = browser.execute_script(HELD)
    dressed(browser, "light")
    assert (sideways, inline, headings) == ([], 0, 1)
    assert size <= LONGEST
    assert title
    assert all(
        value[:20] not in browser.current_url
        for fields, button in steps
        if button != "Show its list"
        for value in fields.values()
    )


@pytest.mark.drawn(1)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_fault_of_its_policy_or_its_console_or_of_access(
    browser: Chrome, shop: Service, scheme: str
) -> None:
    dressed(browser, scheme)
    faults: dict[str, list[str]] = {}
    for path in addresses():
        faults[path] = opened(browser, shop.url + path)
        browser.execute_script(AXE)
        faults[path] += browser.execute_async_script(FOUND, RULES)
    assert {path: found for path, found in faults.items() if found} == {}


def test_each_page_fits_a_small_screen_and_has_one_heading_and_nothing_inline(browser: Chrome, shop: Service) -> None:
    dressed(browser, "light", 320)
    titles: list[str] = []
    for path in addresses():
        assert opened(browser, shop.url + path) == []
        sideways, inline, headings, title, size = browser.execute_script(HELD)
        assert (path, sideways, inline, headings) == (path, [], 0, 1)
        assert size <= LONGEST, (path, size)
        titles.append(title)
    dressed(browser, "light")
    assert not [title for title in titles if not title or title.startswith("Resonate")]


def test_every_page_is_the_same_without_javascript(browser: Chrome, shop: Service) -> None:
    texts: list[dict[str, str]] = []
    for disabled in (False, True):
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": disabled})
        texts.append({})
        for path in (
            "/dashboard",
            "/dashboard/experiments/draft",
            "/dashboard/settings",
            "/dashboard/visitor",
            "/dashboard/recommendations",
        ):
            assert opened(browser, shop.url + path) == []
            texts[-1][path] = browser.find_element("css selector", "main h1").text
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert texts[0] == texts[1]


def tab_to(browser: Chrome, wanted: Callable[[str, str], bool]) -> None:
    """Presses Tab until what has the focus, by its tag and its text or name, is wanted."""
    for _ in range(MOST_TABS):
        ActionChains(browser).send_keys(Keys.TAB).perform()
        focused = browser.switch_to.active_element
        text = f"{focused.text} {focused.get_attribute('name') or ''}".strip()
        if wanted(focused.tag_name, text):
            return
    raise AssertionError("nothing of the kind takes the focus")


def press(browser: Chrome, *keys: str) -> None:
    ActionChains(browser).send_keys(*keys).perform()


def follow(browser: Chrome) -> None:
    """Presses what has the focus, which leads to a page."""
    with another_page(browser):
        press(browser, Keys.ENTER)


def test_from_sign_in_to_a_stopped_experiment_by_keyboard_without_javascript(shop: Service) -> None:
    with open_chromium() as browser:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        browser.get(sign_in_link(shop.url, shop.data, "publisher", "ada@shop.example"))
        tab_to(browser, lambda tag, text: tag == "button")
        follow(browser)
        tab_to(browser, lambda tag, text: tag == "a" and text == "paused")
        follow(browser)
        tab_to(browser, lambda tag, text: tag == "summary" and text.startswith("Stop"))
        press(browser, Keys.ENTER)
        tab_to(browser, lambda tag, text: tag == "textarea")
        press(browser, "too slow on phones")
        tab_to(browser, lambda tag, text: tag == "button" and text == "Stop for good")
        follow(browser)
        assert browser.current_url == f"{shop.url}/dashboard/experiments/paused"
        assert "Nothing was done" not in browser.page_source
    (line,) = [each for each in Audit(shop.data).page(None, 1_000, Wanted())[0] if each.act == "stop"]
    assert (line.actor, line.subject, line.reason) == (
        Actor("person", "ada@shop.example"), "paused", "too slow on phones"
    )  # fmt: skip
