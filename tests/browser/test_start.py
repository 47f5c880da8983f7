"""What the start page of web developers puts into a page, in a real browser: who counts, and what they see."""

import pytest
from selenium.webdriver import Chrome
from servers.patience import until
from servers.shop_pages import shop_pages
from worlds.start_pages import blocks_of
from worlds.tag_pages import OPEN, page, ready, rows

pytestmark = pytest.mark.browser
BLOCKS = {block.kind: block.text for block in reversed(blocks_of("web-developer"))}  # the first of each kind


def test_the_place_of_the_page_shows_each_visitor_their_variant_and_counts_both(
    chromium: Chrome, start_service
) -> None:
    site = start_service({"free-shipping-banner.yaml": BLOCKS["yaml"], **OPEN})
    shown = {"control": "", "threshold": "Free shipping from 50 EUR"}
    seen: dict[str, str] = {}

    def counted() -> dict[str, str]:
        return {row["visitor_id"]: row["variant"] for row in rows(site) if row["type"] == "exposure"}

    with shop_pages(site.url, {"/": page(BLOCKS["html"])}) as pages:
        for number in range(40):
            chromium.get(f"{pages.url}/nothing")
            chromium.execute_script(f"document.cookie = 'resonate_id=v-{number}; path=/'")
            chromium.get(f"{pages.url}/")
            ready(chromium)
            variant = chromium.execute_script("return resonate.variant('free-shipping-banner').variant")
            assert chromium.find_element("css selector", "p").text == shown[variant]
            seen[f"v-{number}"] = variant
            until(lambda: counted() == seen, "each visitor counts with their variant", tell=site.told)
            if set(seen.values()) == set(shown):
                break
    assert set(seen.values()) == set(shown)
