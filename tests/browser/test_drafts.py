"""From an empty page to a decision without a terminal, in a real Chromium: with JavaScript, and with none."""

from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select
from servers.chromium import another_page, open_chromium
from servers.patience import until
from servers.people import sign_in_browser
from servers.service import PUBLISHABLE_KEY, Service, write_definitions

from app.keys.audit import Audit, Wanted

pytestmark = pytest.mark.browser
TYPED = {
    "key": "free-shipping",
    "name": "Free shipping #2",
    "owner": "ada@shop.example",
    "v0_key": "control",
    "v1_key": "threshold",
    "v1_payload": "banner: Free shipping from 50 EUR",
    "mde": "4%",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service without a single experiment, as on the first day."""
    root = tmp_path_factory.mktemp("first-day")
    files = {"shop.yaml": "timezone: Europe/Bratislava\n"}
    service = Service(root / "data", write_definitions(root / "definitions", files), {"RESONATE_WORKERS": "2"})
    try:
        yield service.start()
    finally:
        service.end()


def fill(browser: Chrome, fields: dict[str, str]) -> None:
    for name, text in fields.items():
        field = browser.find_element(By.ID, name)
        field.clear()
        field.send_keys(text)


def press(browser: Chrome, text: str) -> None:
    with another_page(browser):
        browser.find_element(By.XPATH, f"//main//button[normalize-space()='{text}']").click()


def steer(browser: Chrome, action: str, button: str, reason: str) -> None:
    """Opens the form of an action, says why, and sends it."""
    browser.find_element(By.XPATH, f"//summary[starts-with(normalize-space(), '{action}')]").click()
    browser.find_element(By.ID, f"{action.lower()}-reason").send_keys(reason)
    press(browser, button)


def assigned(shop: Service, key: str, visitor: str) -> str:
    """What a page is given."""
    with shop.client(PUBLISHABLE_KEY) as page:
        answer = page.post(f"/ofrep/v1/evaluate/flags/{key}", json={"context": {"targetingKey": visitor}})
        return str(answer.json().get("variant", answer.status_code))


def says(browser: Chrome, address: str, text: str) -> bool:
    """Whether a page says this, once it is opened anew."""
    browser.get(address)
    return text in browser.page_source


def draft(browser: Chrome, shop: Service, key: str) -> str:
    """From the list of experiments to a draft that is served to nobody; the address of its page."""
    address = f"{shop.url}/dashboard/experiments/{key}"
    browser.get(f"{shop.url}/dashboard")
    browser.find_element(By.LINK_TEXT, "New experiment").click()
    fill(browser, {**TYPED, "key": key, "goal": "purchase_rat"})
    press(browser, "Save draft")
    assert "did you mean" in browser.find_element(By.ID, "goal-wrong").text
    assert browser.find_element(By.ID, "v1_payload").get_attribute("value") == TYPED["v1_payload"]
    fill(browser, {"goal": "purchase_rate"})
    press(browser, "Check")
    assert "passes the check" in browser.find_element(By.ID, "said").text
    press(browser, "Save draft")
    assert browser.current_url == address
    assert assigned(shop, key, "v-1") == "404"  # a draft is nobody's
    browser.find_element(By.LINK_TEXT, "Edit the draft").click()
    fill(browser, {"hypothesis": "Naming the threshold lifts the purchase rate"})
    press(browser, "Save draft")
    return address


@pytest.mark.parametrize("scripted", [False, True], ids=["without JavaScript", "with JavaScript"])
def test_from_an_empty_page_to_a_decision_without_a_terminal(shop: Service, scripted: bool) -> None:
    key = f"free-shipping-{'scripted' if scripted else 'plain'}"
    with open_chromium() as browser:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripted})
        sign_in_browser(browser, shop.url, shop.data, "publisher", f"{key}@shop.example")
        address = draft(browser, shop, key)
        steer(browser, "Start", "Start the experiment", "the banner is ready")
        until(lambda: assigned(shop, key, "v-1") in ("control", "threshold"), "visitors are assigned", tell=shop.told)
        until(lambda: says(browser, address, "Stop …"), "the page offers to stop it")
        steer(browser, "Ship", "Ship the variant", "nobody said no, and the campaign begins")
        assert "goes against the decision" in browser.page_source
        browser.find_element(By.ID, "ship-ignoring").click()
        Select(browser.find_element(By.ID, "ship-variant")).select_by_visible_text("threshold")
        press(browser, "Ship the variant")
        until(lambda: assigned(shop, key, "v-2") == "threshold", "everybody is shown the variant", tell=shop.told)
        lines = "decision: {outcome: shipped, variant: threshold}"
        until(lambda: says(browser, address, lines), "the page says what to copy into the file")
    lines_of_it, _ = Audit(shop.data).page(None, 1_000, Wanted(frozenset([key])))
    assert [line.act for line in lines_of_it if line.actor.kind == "person"] == ["draft", "draft", "start", "ship"]


def test_what_is_typed_is_checked_while_it_is_typed_and_never_taken_away(shop: Service) -> None:
    with open_chromium() as browser:
        sign_in_browser(browser, shop.url, shop.data, "editor", "bea@shop.example")
        browser.get(f"{shop.url}/dashboard/new")
        fill(browser, {**TYPED, "key": "typed", "goal": "purchase_rat"})
        wrong, goal = browser.find_element(By.ID, "goal-wrong"), browser.find_element(By.ID, "goal")
        until(lambda: "did you mean" in wrong.text, "the mistake stands beside its field")
        assert goal.get_attribute("aria-invalid") == "true"
        assert browser.switch_to.active_element == goal
        goal.send_keys("e")
        until(lambda: "passes the check" in browser.find_element(By.ID, "said").text, "the draft passes")
        assert (wrong.text, goal.get_attribute("aria-invalid"), goal.get_attribute("value")) == (
            "",
            None,
            "purchase_rate",
        )
        assert "goal: purchase_rate" in browser.find_element(By.CSS_SELECTOR, "#said pre").text
        assert [each["message"] for each in browser.get_log("browser")] == []
    assert not (shop.definitions / "typed.yaml").exists()
