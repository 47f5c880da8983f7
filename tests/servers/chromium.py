"""A real Chromium, driven by its own driver: tabs are hidden and focused as they are for a person."""

import ctypes
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service as Driver
from selenium.webdriver.remote.webelement import WebElement
from servers.patience import until

QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1000,800",
)
# A headless browser calls itself one and would be left out of readouts as a bot.
PERSON = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
PR_CAPBSET_DROP, CAP_SYS_NICE = 24, 23  # of Linux
NO_CHROMIUM = "no Chromium: `make test-tools` installs it by apt as root"


def has_chromium() -> bool:
    """Whether a browser and its driver are there."""
    return shutil.which("chromium") is not None and shutil.which("chromedriver") is not None


@contextmanager
def open_chromium(page_load_strategy: str = "normal", *more: str) -> Iterator[webdriver.Chrome]:
    """One browser with an empty profile and `more` arguments; the test is skipped where none can be had."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip(NO_CHROMIUM)
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    options.page_load_strategy = page_load_strategy
    for argument in (*QUIET, f"--user-agent={PERSON}", *more):
        options.add_argument(argument)
    linux = {"popen_kw": {"preexec_fn": without_precedence(ctypes.CDLL(None))}} if sys.platform == "linux" else {}
    browser = webdriver.Chrome(options=options, service=Driver(driver, **linux))
    try:
        yield browser
    finally:
        browser.quit()


def without_precedence(library: ctypes.CDLL) -> Callable[[], None]:
    """Said in a process before it becomes a browser: started by root that takes precedence over all others, and the
    analysis of a service, which is niced, computes minutes for what takes it a second.
    """

    def before_exec() -> None:
        library.prctl(PR_CAPBSET_DROP, CAP_SYS_NICE, 0, 0, 0)  # refused where nobody could take precedence anyway

    return before_exec


@contextmanager
def another_page(browser: webdriver.Chrome) -> Iterator[None]:
    """What is done in this block leads to a page, for which it waits down to its last element."""
    before = browser.find_element("tag name", "html")
    yield
    until(lambda: is_gone(before), "what was pressed leads to a page")
    until(lambda: browser.find_elements("tag name", "footer"), "the page is there as a whole")


def is_gone(element: WebElement) -> bool:
    """Whether the page of an element is there no more; what the driver says then depends on how far the next one is."""
    try:
        element.is_enabled()
    except WebDriverException:
        return True
    return False
