"""What conditions may ask of a visitor: the same from an address and a user agent here and in the page."""

import json
import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.page_scripts import SOURCE, asked_in_node
from oracles.proving import examples
from worlds.user_agents import BROWSERS, MACHINES, PEOPLE

from experiments.targeting.attributes import (
    AGENT,
    AGENT_FAMILIES,
    ATTRIBUTES,
    DERIVED,
    derived,
    deriving,
    impossible,
    of_address,
    of_agent,
    of_referrer,
    sources,
)
from experiments.targeting.predicates import compile_condition
from kit.located import Problems
from kit.yaml import read_yaml

VECTORS: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[2] / "worlds" / "page_attributes.json").read_text()
)
HERE = {"addresses": of_address, "referrers": of_referrer, "agents": of_agent}
FAMILIES = f"((agent) => page.ofAgent(agent, {json.dumps(AGENT_FAMILIES)}))"
THERE = {"addresses": "page.ofAddress", "referrers": "page.ofReferrer", "agents": FAMILIES}
IPHONE = VECTORS["agents"][0]["of"]
PAGE = {  # one visitor whom every example of the table meets
    "id": "qa-1", "userId": "u-1", "agent": IPHONE, "language": "sk-SK", "timezone": "Europe/Bratislava", "width": 390,
    "url": "https://shop.example/tea/sale/?coupon=SPRING&utm_source=newsletter&utm_medium=email"
    "&utm_campaign=spring-sale&utm_term=green+tea&utm_content=banner#reviews",
    "referrer": "https://news.example/blog/tea", "counters": {"first": 0, "last": 0, "visits": 1, "pages": 6},
    "told": {"country": "SK"}, "families": AGENT_FAMILIES,
}  # fmt: skip
MET_BY_OTHERS = {"logged_in", "visits"}  # an example cannot be met together with those of user_id and new_visitor


@pytest.mark.parametrize("kind", HERE)
def test_the_service_tells_what_the_vectors_say(kind: str) -> None:
    for case in VECTORS[kind]:
        assert HERE[kind](case["of"]) == case["told"], case["of"]


@pytest.mark.parametrize("kind", THERE)
def test_the_page_tells_what_the_vectors_say(kind: str) -> None:
    told = asked_in_node(
        "attributes.js", f"given.map((each) => {THERE[kind]}(each))", [case["of"] for case in VECTORS[kind]]
    )
    assert told == [case["told"] for case in VECTORS[kind]]


def test_the_page_and_the_service_know_every_user_agent_alike() -> None:
    agents = [*PEOPLE.values(), *MACHINES, *(agent for agent, _, _ in BROWSERS)]
    assert len(agents) > 120
    assert asked_in_node("attributes.js", f"given.map({FAMILIES})", agents) == [of_agent(agent) for agent in agents]


pieces = st.text(st.sampled_from("aZ0%čű🍵+&=?#/:@;.-_~!'()[]\\ \t\"<>|^`{}C4"), max_size=12)
addresses = st.tuples(st.sampled_from(["http", "https", "HTTPS"]), pieces, pieces, pieces).map(
    lambda parts: f"{parts[0]}://shop.example:81/{parts[1]}?{parts[2]}#{parts[3]}"
)


@given(st.lists(addresses, min_size=20, max_size=40))
@settings(max_examples=examples(10))
def test_every_address_that_a_browser_shows_tells_the_same_here_and_there(drawn: list[str]) -> None:
    shown = asked_in_node(
        "attributes.js", "given.map((each) => [new URL(each).href, page.ofAddress(new URL(each).href)])", drawn
    )
    for href, told in shown:
        assert of_address(href) == told, href


def test_the_page_knows_every_name_of_the_table_and_every_example_is_met() -> None:
    evening = "new Date(2026, 10, 28, 19, 30)"  # a Saturday, on the device's own clock
    expression = (
        f"page.attributesOf({{...given, counters: {{...given.counters, first: +{evening} - 31 * 864e5}}}}, {evening})"
    )
    told = asked_in_node("attributes.js", expression, PAGE)
    assert told.keys() == ATTRIBUTES.keys()
    for name, each in ATTRIBUTES.items():
        example = read_yaml(each.example.encode(), Problems("example"))
        assert example is not None
        condition = example.plain()
        assert [key.split(".")[0] for key in condition] == [name]
        assert compile_condition(condition)(told) is (name not in MET_BY_OTHERS), each.example


def test_the_service_adds_what_is_asked_and_nothing_else() -> None:
    told = {"url": PAGE["url"], "referrer": PAGE["referrer"], AGENT: IPHONE.encode()}
    assert derived(told, sources(["path", "os", "referrer_host", "language"])) == {
        **told, "path": "/tea/sale/", "os": "iOS", "referrer_host": "news.example",
    }  # fmt: skip
    assert derived({"user_id": "u-1"}, {"logged_in", "path"}) == {"user_id": "u-1", "logged_in": True}


def test_what_the_caller_says_wins() -> None:
    told = {"url": PAGE["url"], "path": "/basket", "userAgent": "curl", AGENT: IPHONE.encode()}
    assert derived(told, DERIVED)["path"] == "/basket"
    assert "os" not in derived(told, DERIVED)


def test_an_address_of_any_length_and_kind_is_told_or_left_out() -> None:
    long = "https://shop.example/" + "a" * 5000
    assert len(derived({"url": long}, {"path"})["path"]) == 5001
    assert derived({"url": 7, "userAgent": ["x"], "referrer": None}, DERIVED)["logged_in"] is False


def test_values_that_an_attribute_never_has_are_named() -> None:
    assert impossible("device", ["mobile", "tv"]) is None
    assert impossible("path", ["/phone"]) is None
    basket = 'path is never "basket"; it is what follows the host, a slash first, as in /basket'
    assert impossible("path", ["basket"]) == basket
    assert impossible("language", ["sk", "sk-SK"]) is not None
    assert impossible("referrer_host", ["https://news.example/"]) is not None
    assert impossible("mood", ["phone"]) is None
    assert impossible("os", ["ios"]) == 'os is never "ios", did you mean "iOS"?'
    assert impossible("device", ["phone"]) == 'device is never "phone"; it is one of mobile, tablet, desktop, tv'


def test_a_new_visit_begins_after_thirty_idle_minutes_and_counters_that_lie_are_begun_anew() -> None:
    steps = "given.reduce((all, now) => [...all, page.counted(all.at(-1), now)], [null]).slice(1)"
    minute = 60_000
    seen = asked_in_node("visits.js", steps, [1, 29 * minute, 60 * minute, 60 * minute + 1])
    assert [(each["visits"], each["pages"]) for each in seen] == [(1, 1), (1, 2), (2, 3), (2, 4)]
    spoilt = asked_in_node("visits.js", "page.counted({first: 9e15, visits: -2}, 5)", None)
    assert spoilt == {"first": 5, "last": 5, "visits": 1, "pages": 1}


def test_the_patterns_of_the_page_are_those_of_the_log() -> None:
    written = runpy.run_path(str(Path(__file__).parents[3] / "scripts" / "write_tag_tables.py"))["agents"]()
    assert (SOURCE / "generated" / "agents.js").read_text() == written


def test_nothing_is_derived_for_who_tells_all_that_is_asked() -> None:
    seen: list[Mapping[str, Any]] = []
    condition = deriving(lambda attributes: not seen.append(attributes), frozenset({"device", "path"}))
    whole = {"device": "tv", "path": "/", "url": "https://shop.example/tea"}
    assert condition(whole)
    assert seen[0] is whole
    assert condition({"device": "tv", "url": "https://shop.example/tea"})
    assert seen[1]["path"] == "/tea"
