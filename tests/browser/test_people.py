"""Signing in, adding somebody and signing out in a real browser without scripts, and what axe says of these pages."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from servers.chromium import another_page, open_chromium
from servers.people import people_of, sign_in_browser
from servers.service import Service

pytestmark = pytest.mark.browser
FILES = {"hero.yaml": "key: hero\nstatus: running\nvariants: [control, b]\ngoal: purchase_rate\n"}
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
FOUND = (
    "const done = arguments[0]; axe.run(document).then((told) => done(told.violations.map((each) => "
    "`${each.id}: ${each.nodes.map((node) => node.html.slice(0, 200))}`)))"
)
WIDE = "return document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.fixture
def scriptless() -> Iterator[Chrome]:
    """A browser that runs no script of any page."""
    with open_chromium() as browser:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        yield browser


def heading(browser: Chrome) -> str:
    return browser.find_element(By.TAG_NAME, "h1").text


def test_the_first_admin_signs_in_adds_somebody_and_signs_out_by_keyboard_alone(
    scriptless: Chrome, start_service: Callable[..., Service]
) -> None:
    service = start_service(FILES, RESONATE_WORKERS="1")
    link = next(line for line in service.log_text().splitlines() if line.startswith("Sign in: ")).removeprefix(
        "Sign in: "
    )
    scriptless.get(link)
    assert heading(scriptless) == "Sign in"
    with another_page(scriptless):
        scriptless.find_element(By.ID, "email").send_keys("ada@shop.example", Keys.ENTER)
    assert heading(scriptless) == "Experiments"
    scriptless.get(f"{service.url}/dashboard/settings")
    assert "Signed in as ada@shop.example (admin)" in scriptless.page_source
    add = scriptless.find_element(By.CSS_SELECTOR, 'form[action$="/add-person"]')
    Select(add.find_element(By.NAME, "role")).select_by_visible_text("editor")
    with another_page(scriptless):
        add.find_element(By.NAME, "email").send_keys("bob@shop.example", Keys.ENTER)
    shown = scriptless.find_element(By.ID, "link").get_attribute("value") or ""
    assert shown.startswith(f"{service.url}/dashboard/sign-in?token=")
    assert people_of(service.data).known.by_email("bob@shop.example").role == "editor"
    with another_page(scriptless):
        scriptless.find_element(By.CSS_SELECTOR, 'form[action$="/sign-out"] button').send_keys(Keys.ENTER)
    assert "You are signed out." in scriptless.page_source
    scriptless.get(f"{service.url}/dashboard/settings")
    assert heading(scriptless) == "Sign in"


def test_axe_and_the_console_find_nothing_and_nothing_is_too_wide(
    chromium: Chrome, start_service: Callable[..., Service]
) -> None:
    if not AXE.exists():
        pytest.skip("no axe-core: `make test-tools` installs it")
    service = start_service(FILES, RESONATE_WORKERS="1")
    sign_in_browser(chromium, service.url, service.data, "admin")
    for path in ("/dashboard/settings", "/dashboard/audit", "/dashboard/sign-in", "/dashboard/sign-in?token=x"):
        chromium.get_log("browser")
        chromium.set_window_size(1200, 900)
        chromium.get(f"{service.url}{path}")
        chromium.execute_script(AXE.read_text())
        assert chromium.execute_async_script(FOUND) == [], path
        assert [told["message"] for told in chromium.get_log("browser") if "favicon" not in told["message"]] == [], path
        size = {"width": 320, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        assert not chromium.execute_script(WIDE), path
        chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_who_presses_twice_sees_the_link_that_was_made(chromium: Chrome, start_service: Callable[..., Service]) -> None:
    service = start_service(FILES, RESONATE_WORKERS="1")
    sign_in_browser(chromium, service.url, service.data, "admin")
    chromium.get(f"{service.url}/dashboard/settings")
    add = chromium.find_element(By.CSS_SELECTOR, 'form[action$="/add-person"]')
    add.find_element(By.NAME, "email").send_keys("bob@shop.example")
    with another_page(chromium):
        chromium.execute_script(
            "const [form] = arguments; form.requestSubmit(); setTimeout(() => form.requestSubmit(), 20)", add
        )
    link = chromium.find_element(By.ID, "link").get_attribute("value") or ""
    assert link.startswith(f"{service.url}/dashboard/sign-in?token=")
