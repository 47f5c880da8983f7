"""Browsers for the tests of what people see."""

from collections.abc import Callable, Iterator

import pytest
from selenium import webdriver
from servers.chromium import open_chromium
from servers.service import Service
from servers.shop_pages import ShopPages, shop_pages


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


@pytest.fixture
def site(start_service: Callable[..., Service], request: pytest.FixtureRequest) -> Service:
    """A service with the definitions of the test's module, `FILES`."""
    return start_service(request.module.FILES)


@pytest.fixture
def pages(site: Service, request: pytest.FixtureRequest) -> Iterator[ShopPages]:
    """A shop's pages with the service behind them: those of the test's module, `PAGES`, by path."""
    with shop_pages(site.url, dict(request.module.PAGES)) as found:
        yield found
