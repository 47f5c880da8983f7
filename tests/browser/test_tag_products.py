"""Lists of products that a page shows without code: filled, collapsed where there is nothing, measured by the tag."""

import json
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait
from servers.patience import until
from servers.service import Service
from servers.shop_pages import ShopPages
from worlds.shop_worlds import publish_trained, taste_world
from worlds.tag_pages import OPEN, page, rows, visit

pytestmark = pytest.mark.browser
FILES = {
    "recommendations.yaml": "front: {strategy: popular, limit: 3}\nnothing: {rules: {category: [None]}}\n",
    **OPEN,
}
TEMPLATE = (
    "<section id=SLOT><h2>For you</h2><template data-resonate-products=SLOT data-resonate-currency=EUR>"
    "<a class=card data-resonate-attr='href:url; title:name'><b data-resonate-text=name>?</b>"
    "<i data-resonate-text=price_text></i></a></template></section>"
)
FRONT, NOTHING = TEMPLATE.replace("SLOT", "front"), TEMPLATE.replace("SLOT", "nothing")
PAGES = {"/": page(f"{NOTHING}<div style='height:3000px'></div>{FRONT}")}


@pytest.fixture
def site(start_service) -> Service:
    site: Service = start_service(FILES)
    world = taste_world()
    publish_trained(site.data / "models", world)
    with site.client() as client:
        asked = {"slot": "front", "visitor_id": "v-1"}
        first = until(lambda: client.post("/v1/recommendations", json=asked).json()["items"], "the model serves")
        ids = [item["product_id"] for item in first]
        lines = [
            json.dumps({"product_id": each, "name": f"Tea <{each}>", "price": 9.5, "url": f"#{each}", "in_stock": True})
            for each in ids
        ]
        answer = client.put("/v1/products", content="\n".join(lines), headers={"content-type": "application/x-ndjson"})
        assert answer.status_code < 300, answer.text
        until(lambda: "product" in client.post("/v1/recommendations", json=asked).json()["items"][0], "names are there")
    return site


def told(site: Service, event: str) -> list[dict[str, Any]]:
    return [row["properties"] for row in rows(site) if row.get("event") == event]


def cards(browser: Chrome) -> list[Any]:
    WebDriverWait(browser, 20).until(lambda each: each.find_elements("css selector", "#front .card"))
    return browser.find_elements("css selector", "#front .card")


def test_a_list_is_filled_as_its_template_says_and_seen_and_clicked_once_each(
    chromium: Chrome, site: Service, pages: ShopPages
) -> None:
    visit(chromium, pages)
    found = cards(chromium)
    names = [card.find_element("css selector", "b").get_attribute("textContent") for card in found]
    assert len(names) == 3
    assert all(name.startswith("Tea <") for name in names)
    assert found[0].get_attribute("title") == names[0]
    assert "9.50" in found[0].find_element("css selector", "i").get_attribute("textContent")
    until(lambda: any(row["type"] == "page" for row in rows(site)), "the page is stored")
    assert told(site, "Recommendation Viewed") == []  # nobody has scrolled there
    chromium.execute_script("scrollTo(0, document.body.scrollHeight)")
    until(lambda: len(told(site, "Recommendation Viewed")) == 1, "the list is seen")
    chromium.execute_script("arguments[0].click()", found[1])
    until(lambda: len(told(site, "Recommendation Clicked")) == 1, "the click is told")
    viewed, clicked = told(site, "Recommendation Viewed")[0], told(site, "Recommendation Clicked")[0]
    product = names[1].removeprefix("Tea <").removesuffix(">")
    assert (clicked["product_id"], clicked["position"], clicked["slot"]) == (product, 2, "front")
    assert viewed["recommendation_id"] == clicked["recommendation_id"]
    assert viewed["position"] == 1


def test_an_empty_list_collapses_its_box(chromium: Chrome, pages: ShopPages) -> None:
    visit(chromium, pages)
    cards(chromium)
    hidden = "return ['nothing', 'front'].map((id) => getComputedStyle(document.getElementById(id)).display)"
    WebDriverWait(chromium, 20).until(lambda each: each.execute_script(hidden)[0] == "none")
    assert chromium.execute_script(hidden) == ["none", "block"]


def test_lists_collapse_where_the_service_does_not_answer(chromium: Chrome, pages: ShopPages) -> None:
    pages.spoils = lambda path: "500" if path.startswith("/v1/personalize") else None
    visit(chromium, pages)
    display = "return getComputedStyle(document.getElementById('front')).display"
    WebDriverWait(chromium, 20).until(lambda each: each.execute_script(display) == "none")
