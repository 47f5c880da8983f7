"""Recommendations: the page says what the API says of the model, and the list that it would answer, to nobody."""

import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from servers.patience import until
from servers.people import Visitor, signed_in_visitor
from servers.service import PUBLISHABLE_KEY, Service, running
from worlds.shop_worlds import publish_trained, taste_world

HERE = "/dashboard/recommendations"
HOSTILE = '"><img src=x onerror=alert(1)>\u202e'
FILES = {
    "banner.yaml": "key: banner\nstatus: running\nvariants: [control, b]\ngoal: purchase_rate\n",
    "recommendations.yaml": (
        "product-page: {strategy: bought_together, limit: 4, rules: {exclude: [wine-1]}}\n"
        "home: {strategy: for_you, limit: 12, fallback: popular}\n"
    ),
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("recommended"), FILES, RESONATE_WORKERS="1") as service:
        publish_trained(service.data / "models", taste_world())
        with service.client() as client:
            until(lambda: client.get("/v1/recommender").json()["model_version"], "the worker has the model")
            order = {"order_id": "o-1", "revenue": 5, "products": [{"product_id": "wine-7", "price": 5}]}
            told = {"anonymousId": "v-buyer", "event": "Order Completed", "properties": order}
            client.post("/v1/track", json=told).raise_for_status()
        with service.client(PUBLISHABLE_KEY) as page:
            listed = page.post("/v1/recommendations", json={"visitor_id": "v-1", "slot": "home"}).json()
            for event in ("Viewed", "Clicked"):
                seen = {"recommendation_id": listed["recommendation_id"], "product_id": "wine-7", "position": 1}
                told = {"anonymousId": "v-1", "event": f"Recommendation {event}", "properties": seen}
                page.post("/v1/track", json=told).raise_for_status()
        yield service


@pytest.fixture
def admin(shop: Service) -> Iterator[Visitor]:
    with signed_in_visitor(shop.url, shop.data, "admin") as visitor:
        yield visitor


def values_of(page: str) -> set[str]:
    return set(re.findall(r'<data value="([^"]*)"', page))


def numbers_in(answer: Any) -> set[str]:
    if isinstance(answer, dict):
        return set().union(*map(numbers_in, answer.values()))
    if isinstance(answer, list):
        return set().union(*map(numbers_in, answer))
    return {json.dumps(answer)} if isinstance(answer, int | float) else set()


def section(page: str, name: str) -> str:
    return page.partition(f'aria-labelledby="{name}"')[2].partition("</section>")[0]


def ids_in(page: str) -> list[str]:
    return [unescape(each) for each in re.findall(r"<code>([^<]+)</code></th>", section(page, "shown"))]


def test_the_page_says_what_the_report_says(shop: Service, admin: Visitor) -> None:
    page = admin.get(HERE).text
    with shop.client() as client:
        report = client.get("/v1/recommender").json()
    assert values_of(page) <= numbers_in(report)
    model = report["model"]
    wanted = {model["orders"], model["validation"]["novel"]["ndcg_10"], model["weights"]["for_you"]["taste"]}
    assert {json.dumps(each) for each in wanted} <= values_of(section(page, "model"))
    [brought] = report["attribution"]["strategies"]
    assert json.dumps(brought["click_rate"]) in values_of(section(page, "strategies"))
    told = section(page, "slots")
    assert "product-page" in told
    assert "wine-1" in told
    assert "does not do yet" in told
    assert len(page.encode()) <= 60_000


def test_a_product_shows_the_list_that_its_page_would_and_is_counted_nowhere(shop: Service, admin: Visitor) -> None:
    with shop.client() as client:
        before = client.get("/v1/recommender").json()["strategies"]
        page = admin.get(HERE, params={"product": "wine-7", "slot": "product-page"}).text
        assert client.get("/v1/recommender").json()["strategies"] == before
        asked = {"items": ["wine-7"], "slot": "product-page"}
        answer = client.post("/v1/recommendations", json=asked).json()
    assert ids_in(page) == [each["product_id"] for each in answer["items"]]
    assert len(ids_in(page)) == 4
    assert "wine-1" not in ids_in(page)
    assert values_of(section(page, "shown")) <= numbers_in(answer)
    assert "bought together with wine-7" in section(page, "shown")


def test_a_visitor_shows_their_list_in_no_address_and_who_looked_is_kept(shop: Service, admin: Visitor) -> None:
    answer = admin.post(f"{HERE}/visitor", page=HERE, id="v-buyer", strategy="bought_together")
    with shop.client() as client:
        asked = {"visitor_id": "v-buyer", "strategy": "bought_together", "limit": 20}
        told = client.post("/v1/recommendations", json=asked).json()
        lines = client.get("/v1/audit", params={"subject": "visitor:v-buyer"}).json()["lines"]
    assert "fallback" not in told
    assert ids_in(answer.text) == [each["product_id"] for each in told["items"]]
    assert values_of(section(answer.text, "shown")) <= numbers_in(told)
    assert "v-buyer" not in str(answer.url)
    assert "v-buyer" not in "".join(re.findall(r'(?:href|action)="([^"]*)"', answer.text))
    assert [(line["act"], line["actor"]["name"]) for line in lines] == [("access", "admin@shop.example")]


def test_a_list_that_another_strategy_served_says_so(admin: Visitor) -> None:
    answer = admin.post(f"{HERE}/visitor", page=HERE, id="v-unknown", strategy="buy_again")
    assert re.search(r"buy again</a>, of which nothing could be said, so that <a[^>]*>popular</a> served", answer.text)


def test_who_may_not_read_people_tries_products_alone(shop: Service) -> None:
    with signed_in_visitor(shop.url, shop.data, "viewer") as viewer:
        assert "A visitor</label>" not in viewer.get(HERE).text
        assert ids_in(viewer.get(HERE, params={"product": "wine-7"}).text)
        token = viewer.form_token()
        refused = viewer.post_as_is(f"{HERE}/visitor", form_token=token, id="v-buyer")
    assert refused.status_code == 403


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"product": "wine-7", "slot": "no-such"}, "there is no slot"),
        ({"product": "wine-7", "strategy": "no-such"}, "it must be one of"),
        ({"product": " ", "slot": "home"}, "enter a product id"),
        ({"product": "x" * 300}, "Product: "),
    ],
)
def test_what_cannot_be_tried_is_said_on_a_page(query: dict[str, str], told: str, admin: Visitor) -> None:
    answer = admin.get(HERE, params=query)
    assert answer.status_code == 400
    assert told in answer.text


def test_a_product_of_whatever_letters_is_text(admin: Visitor) -> None:
    answer = admin.get(HERE, params={"product": HOSTILE})
    assert answer.status_code == 200
    assert "onerror=alert(1)>" not in answer.text


def test_before_there_is_a_model_the_page_says_what_is_shown_until_then(tmp_path: Any) -> None:
    with (
        running(tmp_path, {"banner.yaml": FILES["banner.yaml"]}, RESONATE_WORKERS="1") as service,
        signed_in_visitor(service.url, service.data, "viewer") as viewer,
    ):
        page = viewer.get(HERE)
        assert page.status_code == 200
        assert "none yet" in section(page.text, "model")
        until(lambda: "No page has told of a list yet" in viewer.get(HERE).text, "what lists brought is computed")
        assert "The list is empty" in viewer.get(HERE, params={"product": "p-1"}).text
