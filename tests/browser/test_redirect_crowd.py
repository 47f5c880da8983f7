"""A test of two pages counts both arms alike, though a tenth of its visitors leave at a moment that nobody chose.

`python -m benchmarks.redirects` does the same with 10,000.
"""

import random

import pytest
from selenium.webdriver import Chrome
from servers.redirect_crowd import FILES, Crowd, Stored, drawn, redirect_pages

pytestmark = pytest.mark.browser

LOADS = 80


def test_a_redirect_test_splits_evenly_though_a_tenth_of_its_loads_is_aborted(chromium: Chrome, start_service) -> None:
    seed = random.SystemRandom().getrandbits(32)
    print(f"seed {seed}")
    site, loads = start_service(FILES), drawn(LOADS, random.Random(seed))
    with redirect_pages(site) as port:
        crowd = Crowd(port)
        crowd.walk(chromium, loads)
    stored = Stored.of(site, loads)
    print(stored)
    assert crowd.failed == []
    assert stored.p > 0.001
    assert stored.uncounted == []  # whoever stays to the end is counted, in either arm, and once
    assert sum(stored.aborted.values()) == LOADS // 10
