"""Events and Metrics: the pages say what the API says, ask back what was meant, and show nobody's values but those
of the visitor that is looked at."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from servers.patience import until
from servers.people import Visitor, signed_in_visitor
from servers.service import PUBLISHABLE_KEY, SECRET_KEY, Service, running

from app.glossary.entries import descriptions

HOSTILE = '"><img src=x onerror=alert(1)>\u202e'
FILES = {
    "banner.yaml": (
        "key: banner\nstatus: running\nvariants: [control, threshold]\ngoal: purchase_rate\nsecondary: [margin]\n"
        "guardrails: {refund_rate: 10%}\n"
    ),
    "metrics.yaml": (
        "# ours\n\nmargin:\n  type: mean\n  title: Margin per visitor\n  event: Order Completed\n  value: margin\n"
        "  cap: p99.9\n"
    ),
}
LIBRARY = {"library": {"name": "analytics-python"}}


def event(visitor: str, name: str, **properties: Any) -> dict[str, Any]:
    return {"type": "track", "anonymousId": visitor, "event": name, "properties": properties, "context": LIBRARY}


SENT = [
    *(event(f"v-{i}", "Order Completed", order_id=f"o-{i}", revenue=10.5, note="of-another-visitor") for i in range(5)),
    *(event("v-0", "Order Complet", order_id="o-0") for _ in range(3)),
    event("v-mine", HOSTILE, gift=HOSTILE),
    event("v-mine", "Order Completed"),  # refused: it has no order id
    event("v-0", "Order Completed", order_id="o-9", revenue=1, currency="???"),  # repaired
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("shop"), FILES, RESONATE_WORKERS="1") as service:
        with service.client(PUBLISHABLE_KEY) as client:
            assert client.post("/v1/batch", json={"batch": SENT}).status_code == 200
        with service.client() as client:
            until(lambda: len(client.get("/v1/events").json()["events"]) >= 3, "the events are in the log")
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
        return {str(len(answer))}.union(*map(numbers_in, answer))
    return {json.dumps(answer)} if isinstance(answer, int | float) else set()


def test_the_page_says_what_the_routes_say_and_asks_back_what_was_meant(shop: Service, admin: Visitor) -> None:
    page = admin.get("/dashboard/events").text
    with shop.client() as client:
        names, refused = client.get("/v1/events").json(), client.get("/v1/events/rejected").json()
    assert values_of(page) <= numbers_in(names) | numbers_in(refused)
    assert len(values_of(page)) > 2
    assert "did you mean Order Completed?" in page
    for outcome in ("rejected", "repaired"):
        [cause] = refused[outcome]
        assert cause["code"] in page
        assert cause["remedy"][1:] in page
    assert "onerror=alert(1)>" not in page
    assert re.search(r"As of <time", page)


def test_every_name_leads_to_the_metrics_that_read_it(admin: Visitor) -> None:
    page = admin.get("/dashboard/events", params={"find": "order"}).text
    assert "/dashboard/metrics?find=purchase_rate" in page
    assert "gift" not in page


def test_values_are_shown_of_the_visitor_who_is_looked_at_alone(shop: Service, admin: Visitor) -> None:
    before = admin.get("/dashboard/events").text
    assert "of-another-visitor" not in before
    answer = admin.post("/dashboard/events/visitor", page="/dashboard/events", visitor="v-mine")
    assert answer.status_code == 200
    assert "What came of v-mine" in answer.text
    assert "gift" in answer.text
    assert "Send properties.order_id with every order." in answer.text
    assert "of-another-visitor" not in answer.text
    assert "onerror=alert(1)>" not in answer.text
    assert "v-mine" not in str(answer.url)
    with shop.client(SECRET_KEY) as client:
        line = client.get("/v1/audit", params={"subject": "visitor:v-mine"}).json()["lines"][-1]
    assert (line["act"], line["actor"]) == ("access", {"kind": "person", "name": "admin@shop.example"})
    assert "v-mine" not in json.dumps(line)


def test_nobody_who_may_not_read_people_looks_at_one(shop: Service) -> None:
    with signed_in_visitor(shop.url, shop.data, "publisher") as publisher:
        assert "Visitor id" not in publisher.get("/dashboard/events").text
        token = publisher.form_token()
        refused = publisher.post_as_is("/dashboard/events/visitor", form_token=token, visitor="v-mine")
    assert refused.status_code == 403
    assert "gift" not in refused.text


@pytest.mark.parametrize("visitor", ["", " ", "x" * 300])
def test_what_is_no_id_is_refused_on_a_page(visitor: str, admin: Visitor) -> None:
    answer = admin.post("/dashboard/events/visitor", page="/dashboard/events", visitor=visitor)
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/html")


def test_an_id_of_which_nothing_came_is_said_to_be_so(admin: Visitor) -> None:
    answer = admin.post("/dashboard/events/visitor", page="/dashboard/events", visitor="v-nobody")
    assert "Nothing is stored of this id" in answer.text


def test_a_metric_is_told_with_its_sentence_its_place_and_who_uses_it_as_what(shop: Service, admin: Visitor) -> None:
    page = admin.get("/dashboard/metrics").text.replace("\u00a0", " ")
    with shop.client() as client:
        told = {each["name"]: each for each in client.get("/v1/metrics").json()["metrics"]}
    margin, rate = told["margin"], told["purchase_rate"]
    assert (margin["built_in"], margin["defined_in"], margin["defined_on_line"]) == (False, "metrics.yaml", 3)
    assert rate["built_in"]
    assert not {"defined_in", "defined_on_line"} & rate.keys()
    assert rate["used_by"] == [{"kind": "experiment", "key": "banner", "used_as": "goal"}]
    assert told["refund_rate"]["used_by"][0]["used_as"] == "guardrail"
    for each in told.values():
        assert each["described"] in page.replace("&#39;", "'")
        assert not re.search(r"None|\{|_seconds|_rate|–", each["described"].replace("engaged_seconds", ""))
    assert "metrics.yaml:3" in page
    assert "not seen in the last 90 days" in page
    assert page.index("Margin per visitor") < page.index("Average order value")


def test_a_text_finds_metrics_by_name_title_and_event(admin: Visitor) -> None:
    page = admin.get("/dashboard/metrics", params={"find": "margin per"}).text
    assert "Margin per visitor" in page
    assert "Average order value" not in page
    nothing = admin.get("/dashboard/metrics", params={"find": "<b>"}).text
    assert "&lt;b&gt;" in nothing
    assert "Show all metrics" in nothing


def test_every_label_leads_to_what_the_glossary_says_of_it(admin: Visitor) -> None:
    looked = admin.post("/dashboard/events/visitor", page="/dashboard/events", visitor="v-mine").text
    labels = re.findall(r'<th scope="col"[^>]*>(.*?)</th>', looked)
    assert len(labels) >= 20
    assert [label for label in labels if "/dashboard/glossary/" not in label] == []
    named = set(re.findall(r'href="/dashboard/glossary/([^"]+)"', looked))
    assert {"missing_order_id", "invalid_currency", "count_24h"} <= named
    assert named <= descriptions().keys()
