"""Visitor: the page says what the API says of a person and of what they are given, in no address; it erases whom it
showed, once the id was typed, and each look and each erasure stands in the audit with who did it.
"""

import json
import re
from collections.abc import Iterator
from html import unescape
from itertools import count
from typing import Any

import httpx
import pytest
from servers.people import Visitor, signed_in_visitor
from servers.service import PUBLISHABLE_KEY, Service, running

HERE = "/dashboard/visitor"
HOSTILE = '"><img src=x onerror=alert(1)>\u202e'
FILES = {
    "banner.yaml": "key: banner\nstatus: running\nvariants: [control, b]\ngoal: purchase_rate\n",
    "mobile.yaml": (
        "key: mobile\nstatus: running\naudience: {where: {device: mobile}}\nvariants: [control, b]\n"
        "goal: purchase_rate\n"
    ),
    "paused.yaml": "key: paused\nstatus: paused\nvariants: [control, b]\ngoal: purchase_rate\n",
    "draft.yaml": "key: draft\nvariants: [control, b]\ngoal: purchase_rate\n",
    "members.yaml": "key: members\nstatus: running\nunit: user\nvariants: [a, b]\ngoal: purchase_rate\n",
}
numbers = count()


class Anna:
    """Somebody with a browser, whom the backend knows as a user, and who bought; a page claims to be her."""

    def __init__(self, shop: Service, orders: int = 2) -> None:
        number = next(numbers)
        self.visitor, self.user, self.claimed = f"v-{number}", f"u-{number}", f"page-{number}"
        visit = {"visitor_id": self.visitor, "experiments": ["banner", "mobile"], "attributes": {"plan": "gold"}}
        with shop.client(PUBLISHABLE_KEY) as page, shop.client() as backend:
            page.post("/v1/personalize", json=visit).raise_for_status()
            page.post("/v1/identify", json={"anonymousId": self.claimed, "userId": self.user}).raise_for_status()
            for place in range(orders):
                order = {"order_id": f"{self.user}-{place}", "revenue": 10.5, "note": HOSTILE}
                told = {"anonymousId": self.visitor, "userId": self.user, "event": "Order Completed"}
                backend.post("/v1/track", json={**told, "properties": order}).raise_for_status()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("visitors"), FILES, RESONATE_WORKERS="1") as service:
        yield service


@pytest.fixture
def admin(shop: Service) -> Iterator[Visitor]:
    with signed_in_visitor(shop.url, shop.data, "admin") as visitor:
        yield visitor


def form(admin: Visitor, action: str, **fields: str) -> httpx.Response:
    return admin.post(f"{HERE}/{action}", page=HERE, **fields)


def values_of(page: str) -> set[str]:
    return set(re.findall(r'<data value="([^"]*)"', page))


def numbers_in(answer: Any) -> set[str]:
    if isinstance(answer, dict):
        return set().union(*map(numbers_in, answer.values()))
    if isinstance(answer, list):
        return {str(len(answer))}.union(*map(numbers_in, answer))
    return {json.dumps(answer)} if isinstance(answer, int | float) else set()


def audited(shop: Service, identifier: str) -> list[tuple[str, str, str | None]]:
    with shop.client() as client:
        lines = client.get("/v1/audit", params={"subject": f"visitor:{identifier}"}).json()["lines"]
    assert identifier not in json.dumps(lines)
    return [(line["act"], line["actor"]["name"], line["reason"]) for line in lines]


def section(page: str, name: str) -> str:
    return page.partition(f'aria-labelledby="{name}"')[2].partition("</section>")[0]


def test_the_page_says_what_is_held_and_every_number_is_one_of_the_answer(shop: Service, admin: Visitor) -> None:
    who = Anna(shop)
    answer = form(admin, "look", kind="visitor", id=who.visitor)
    assert answer.status_code == 200
    assert who.visitor not in str(answer.url)
    with shop.client() as client:
        held = client.get(f"/v1/visitors/{who.visitor}").raise_for_status().json()
    assert values_of(answer.text) <= numbers_in(held)
    assert values_of(section(answer.text, "held")) == {"4", "1"}  # an exposure, two orders, and what the page claims
    for told in (who.visitor, who.user, who.claimed):
        assert told in section(answer.text, "held")
    assert "backend" in section(answer.text, "held")
    assert section(answer.text, "events").count("Order Completed") == 2
    assert "onerror=alert(1)>" not in answer.text
    assert "onerror=alert(1)" in unescape(answer.text)


def test_assignments_are_those_that_a_page_is_given_and_each_says_why(shop: Service, admin: Visitor) -> None:
    who = Anna(shop)
    page = section(form(admin, "look", kind="visitor", id=who.visitor).text, "given")
    with shop.client() as client:
        asked = {"visitor_id": who.visitor, "user_id": who.user, "attributes": {"plan": "gold"}, "expose": False}
        given = client.post("/v1/personalize", json=asked).raise_for_status().json()["experiments"]
    rows = re.findall(r'experiments/(\w+)">.*?</th><td>(\w+)</td><td>(yes|no)</td><td>([^<]*)<a[^>]*>(\w+)</a>', page)
    assert {key: (variant, said == "yes", code) for key, variant, said, _, code in rows} == {
        key: (each["variant"], each["in_experiment"], each.get("because", each["reason"]))
        for key, each in given.items()
    }
    why = {key: sentence for key, _, _, sentence, _ in rows}
    assert set(why) == {"banner", "mobile", "members"}
    assert why["banner"].startswith("The variant was drawn")
    assert why["mobile"].startswith("The visitor is not among those who may take part")
    assert "gold" in page
    with shop.client() as client:  # and looking exposed nobody
        assert len(client.get(f"/v1/visitors/{who.visitor}").json()["events"]) == 4


def test_of_a_user_it_is_said_what_their_latest_browser_is_given(shop: Service, admin: Visitor) -> None:
    who = Anna(shop)
    page = form(admin, "look", kind="user", id=who.user).text
    assert f"for the visitor <code>{who.visitor}</code>, as the user <code>{who.user}</code>" in page
    assert "banner" in section(page, "seen")


def test_exposures_say_which_variant_was_seen_and_what_counts_nowhere(shop: Service, admin: Visitor) -> None:
    who = Anna(shop)
    with shop.client(PUBLISHABLE_KEY) as page:
        forged = {"anonymousId": who.visitor, "event": "Experiment Viewed"}
        for variant in ("control", "b"):
            properties = {"experiment_id": "banner", "variation_id": variant}
            page.post("/v1/track", json={**forged, "properties": properties}).raise_for_status()
    seen = section(form(admin, "look", kind="visitor", id=who.visitor).text, "seen")
    rows = [row for row in seen.split("<tr>")[2:] if "banner" in row]
    assert len(rows) == 2
    assert sum("left out of results" in row and "glossary/forged" in row for row in rows) == 1


def test_long_pasts_are_turned_by_forms_and_stay_small(shop: Service, admin: Visitor) -> None:
    who = Anna(shop, orders=60)
    first = form(admin, "look", kind="visitor", id=who.visitor).text
    second = form(admin, "look", kind="visitor", id=who.visitor, turn="2").text
    third = form(admin, "look", kind="visitor", id=who.visitor, turn="3").text
    last = form(admin, "look", kind="visitor", id=who.visitor, turn="99").text
    assert "Page 1 of 4" in first
    assert "Page 2 of 4" in second
    assert "Page 4 of 4" in last
    shown = [re.findall(rf"{who.user}-\d+", section(page, "events")) for page in (first, second, third, last)]
    assert sorted({each for page in shown for each in page}) == sorted(f"{who.user}-{place}" for place in range(60))
    assert all(len(page.encode()) <= 60_000 for page in (first, second, last))
    assert who.visitor not in "".join(re.findall(r'(?:href|action)="([^"]*)"', first))


def test_an_erasure_is_shown_first_and_done_once_its_id_was_typed(shop: Service, admin: Visitor) -> None:
    who, other = Anna(shop), Anna(shop)
    fields = {"kind": "visitor", "id": who.visitor}
    with shop.client() as client:
        planned = client.request("DELETE", "/v1/visitors", params={"dry_run": True}, json={"id": who.visitor}).json()
        preview = form(admin, "preview", **fields)
        assert planned["events"] == 4  # what is held
        assert values_of(section(preview.text, "preview")) >= {"4"}
        assert values_of(preview.text) <= numbers_in(planned)
        for typed in ("", other.visitor, who.visitor.upper(), f"{who.visitor}x"):
            refused = form(admin, "erase", **fields, typed=typed)
            assert refused.status_code == 400
            assert "Nothing was erased" in refused.text
        assert len(client.get(f"/v1/visitors/{who.visitor}").json()["events"]) == 4
        erased = form(admin, "erase", **fields, typed=f" {who.visitor} ", reason="she asked")
        assert erased.status_code == 200
        assert who.user in section(erased.text, "gone")
        assert client.get(f"/v1/visitors/{who.visitor}").json()["events"] == []
        assert len(client.get(f"/v1/visitors/{other.visitor}").json()["events"]) == 4
    assert audited(shop, who.visitor)[-2][:2] == ("erase", "admin@shop.example")
    assert audited(shop, who.visitor)[-2][2] == "she asked"
    assert "Nothing is held of this id" in form(admin, "look", **fields).text


def test_each_look_stands_in_the_audit_with_who_looked(shop: Service, admin: Visitor) -> None:
    who = Anna(shop)
    for action, fields in (("look", {}), ("preview", {}), ("erase", {"typed": "something else"})):
        before = len(audited(shop, who.visitor))
        form(admin, action, kind="visitor", id=who.visitor, **fields)
        assert audited(shop, who.visitor)[before:] == [("access", "admin@shop.example", None)], action


def test_who_is_meant_on_a_shared_computer_is_asked_and_then_done(shop: Service, admin: Visitor) -> None:
    who, bert = Anna(shop), f"bert-{next(numbers)}"
    with shop.client() as backend:
        told = {"anonymousId": who.visitor, "userId": bert, "event": "Order Completed"}
        backend.post("/v1/track", json={**told, "properties": {"order_id": bert}}).raise_for_status()
    fields = {"kind": "visitor", "id": who.visitor}
    for action in ("look", "preview"):
        asked = form(admin, action, **fields)
        assert asked.status_code == 409
        assert f'value="{bert}"' in asked.text
        assert f'value="{who.user}"' in asked.text
        assert "What it holds" not in asked.text
    refused = form(admin, "erase", **fields, typed=who.visitor)
    assert refused.status_code == 409
    assert "nothing was erased" in refused.text
    of_bert = form(admin, "look", **fields, **{"only-0": bert})
    assert of_bert.status_code == 200
    assert section(of_bert.text, "events").count("Order Completed") == 1
    assert f'name="only-0" value="{bert}"' in section(of_bert.text, "erase")
    assert form(admin, "erase", **fields, **{"only-0": bert}, typed=who.visitor).status_code == 200
    with shop.client() as client:
        left = client.get(f"/v1/users/{who.user}").raise_for_status().json()
        assert len(left["events"]) >= 2
        assert client.get(f"/v1/users/{bert}").json()["events"] == []


def test_nobody_without_the_scopes_finds_it_or_is_answered(shop: Service) -> None:
    who = Anna(shop)
    with signed_in_visitor(shop.url, shop.data, "publisher") as publisher:
        assert HERE not in publisher.get("/dashboard").text
        assert publisher.get(HERE).status_code == 403
        token = publisher.form_token()
        for action in ("look", "preview", "erase"):
            fields = {"form_token": token, "kind": "visitor", "id": who.visitor, "typed": who.visitor}
            refused = publisher.post_as_is(f"{HERE}/{action}", **fields)
            assert refused.status_code == 403
            assert who.user not in refused.text
    assert audited(shop, who.visitor) == []


@pytest.mark.parametrize("identifier", ["", " ", "x" * 300, "null"])
@pytest.mark.parametrize("action", ["look", "preview", "erase"])
def test_what_is_no_id_is_refused_on_a_page(identifier: str, action: str, admin: Visitor) -> None:
    answer = form(admin, action, kind="visitor", id=identifier, typed=identifier)
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/html")


def test_the_page_of_somebody_with_hostile_names_everywhere_is_small(shop: Service, admin: Visitor) -> None:
    who, name = f"v-{next(numbers)}" + "<" * 200, "<" * 250
    with shop.client(PUBLISHABLE_KEY) as page:
        told = {"type": "track", "anonymousId": who, "event": name, "properties": {name: name}}
        assert page.post("/v1/batch", json={"batch": [told] * 40}).json() == {"success": True}
    answer = form(admin, "look", kind="visitor", id=who)
    assert "Page 1 of 2" in answer.text
    assert len(answer.content) <= 60_000
    assert "<<" not in answer.text


@pytest.mark.parametrize("identifier", [HOSTILE, "<script>hostile()</script>", "naïve ünïcode 🙂", "a/b?c=d&e=f"])
def test_an_id_of_whatever_letters_is_text(identifier: str, admin: Visitor) -> None:
    answer = form(admin, "look", kind="visitor", id=identifier)
    assert answer.status_code == 200
    assert "<script>hostile" not in answer.text
    assert "onerror=alert(1)>" not in answer.text
    assert identifier in unescape(answer.text)
