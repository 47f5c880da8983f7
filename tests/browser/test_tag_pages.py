"""Pages and the time on them: each load, route and return from the cache is a page with an engaged time of its own."""

from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome
from servers.patience import stall, until
from servers.service import Service
from servers.shop_pages import ShopPages
from worlds.tag_pages import OPEN, page, rows, visit

pytestmark = pytest.mark.browser
FILES = {
    "banner.yaml": "key: banner\nstatus: running\nvariants: [{key: control, weight: 0, payload: a}, "
    "{key: new, payload: b}]\naudience: {where: {path: /sale}}\ngoal: purchase_rate\n",
    **OPEN,
}
HTML = page('<p data-resonate="banner" data-resonate-text="">x</p>')
PAGES = {"/": HTML, "/next": HTML, "/plain": "<p>"}


def views(site: Service, count: int) -> list[dict[str, Any]]:
    """Each page in order of time: its address and what its beats say, once so many have ended."""

    def ended() -> list[dict[str, Any]] | None:
        found = rows(site)
        told = [row for row in found if row["type"] == "page"]
        beats = [row for row in found if row["type"] == "engagement"]
        last = [row for row in beats if row["properties"]["final"]]
        if len(told) < count or len(last) < count:
            return None
        return [
            {
                "url": row["url"].rpartition("/")[2],
                "view": row["properties"]["page_view_id"],
                "referrer": row["properties"]["referrer"].rpartition("/")[2],
                "beats": [
                    (beat["url"].rpartition("/")[2], beat["properties"]["final"], beat["engaged_ms"])
                    for beat in sorted(beats, key=lambda each: each["properties"]["seq"])
                    if beat["page_view_id"] == row["properties"]["page_view_id"]
                ],
            }
            for row in sorted(told, key=lambda each: each["time"])
        ]

    return until(ended, f"{count} pages have ended", tell=site.told) or []


def test_each_route_is_a_page_with_its_own_address_and_time_and_nothing_follows_its_final_beat(
    chromium: Chrome, site: Service, pages: ShopPages
) -> None:
    visit(chromium, pages)
    ActionChains(chromium).move_by_offset(3, 3).perform()
    stall(0.5, "a person reads")
    chromium.execute_script("history.pushState({}, '', '/sale'); history.replaceState({}, '', '/sale#reviews')")
    assert chromium.find_element("tag name", "p").text == "b"  # an audience of the new page
    stall(0.3, "a person reads")
    chromium.execute_script("history.replaceState({}, '', '/sale?page=2')")
    chromium.back()
    chromium.get(pages.url + "/plain")
    found = views(site, 4)
    assert [each["url"] for each in found] == ["", "sale", "sale?page=2", ""]
    assert len({each["view"] for each in found}) == 4
    assert [each["referrer"] for each in found] == ["", "", "sale", "sale?page=2"]
    for each in found:
        final = [is_final for _, is_final, _ in each["beats"]]
        assert final == [False] * (len(final) - 1) + [True]
        assert {url.partition("#")[0] for url, _, _ in each["beats"]} == {each["url"]}
    engaged = [each["beats"][-1][2] for each in found]
    assert engaged[0] >= 450
    assert sum(engaged) < 20_000


def test_a_page_that_comes_back_from_the_cache_is_a_page_of_its_own(
    chromium: Chrome, site: Service, pages: ShopPages
) -> None:
    visit(chromium, pages)
    first = chromium.execute_script("window.mark = 1; return resonate.id")
    chromium.get(pages.url + "/plain")
    chromium.back()
    assert chromium.execute_script("return window.mark") == 1
    chromium.get(pages.url + "/plain")
    found = views(site, 2)
    assert [each["url"] for each in found] == ["", ""]
    assert [[final for _, final, _ in each["beats"]].count(True) for each in found] == [1, 1]
    assert {row["visitor_id"] for row in rows(site)} == {first}


def test_a_page_prepared_in_advance_counts_once_it_is_looked_at(
    chromium: Chrome, site: Service, pages: ShopPages
) -> None:
    rules = '<script type=speculationrules>{"prerender": [{"urls": ["/next"], "eagerness": "immediate"}]}</script>'
    pages.html["/"] = page("<p>first", head=rules)
    visit(chromium, pages)
    chromium.execute_script("resonate.track('Prepared')")
    until(lambda: any(row.get("event") == "Prepared" for row in rows(site)), "what the first page told is stored")
    assert [row["url"].rpartition("/")[2] for row in rows(site) if row["type"] == "page"] == [""]
    chromium.execute_script("location.href = '/next'")
    until(lambda: chromium.execute_script("return location.pathname") == "/next", "it is looked at")
    assert chromium.execute_script("return performance.getEntriesByType('navigation')[0].activationStart > 0")
    chromium.get(pages.url + "/plain")
    assert [each["url"] for each in views(site, 2)] == ["", "next"]
