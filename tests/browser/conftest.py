"""Browsers for the tests of what people see."""

from collections.abc import Iterator

import pytest
from selenium import webdriver
from servers.chromium import open_chromium


@pytest.fixture
def chromium() -> Iterator[webdriver.Chrome]:
    """A browser, closed after the test; the test is skipped where none can be had."""
    with open_chromium() as browser:
        yield browser


@pytest.fixture
def impatient_chromium() -> Iterator[webdriver.Chrome]:
    """The same, which looks at pages before they have loaded."""
    with open_chromium("none") as browser:
        yield browser
