"""The calculator shows what `GET /v1/plan` answers, says beside its parameter what is wrong, and leads to a draft."""

import re
import time
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import parse_qsl

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples
from servers.patience import until
from servers.people import Visitor, signed_in_visitor
from servers.service import Service, running
from worlds.event_log import received, write_log

from app.dashboard.environment import environment
from app.dashboard.program.plan import LABELS, Planned, by_parameter, plan_shown
from app.dashboard.signed_in import Signed
from app.keys.scopes import ROLES
from events.authority import OF_BACKEND
from events.records import Record
from experiments.planning.assumptions import InvalidPlan, assumptions, plan_request
from experiments.planning.plan import plan_json

VALUE = re.compile(r'<data value="([^"]*)">([^<]*)</data>')
WRONG = re.compile(r"NaN|None|Infinity|\bnan\b|undefined")
DAY_SECONDS = 86_400
TEMPLATES = environment()
ADA = Signed("ada@shop.example", "admin", ROLES["admin"], "token")
SAID = st.fixed_dictionaries(
    {
        "units_a_day": st.floats(0.01, 1e9).map(lambda units: f"{units:.6g}".replace("+", "")),
        "baseline": st.floats(1e-6, 0.999).map(lambda rate: f"{rate:.6f}"),
    },
    optional={
        "lift": st.floats(0.001, 5).map(lambda lift: f"{lift * 100:.4f}%"),
        "days": st.integers(1, 365).map(str),
        "weights": st.sampled_from(["50,50", "90,10", "1,1,1", "1,99"]),
        "method": st.sampled_from(["anytime", "fixed"]),
        "type": st.just("proportion"),
        "window": st.sampled_from(["1 day", "14 days"]),
    },
)


def answer(said: dict[str, str]) -> Any:
    return msgspec.json.decode(msgspec.json.encode(plan_json(plan_request(assumptions(said)))))


def numbers(found: Any) -> set[str]:
    """Every number of an answer, as its JSON writes it."""
    match found:
        case dict():
            return {each for value in found.values() for each in numbers(value)}
        case list():
            return {each for value in found for each in numbers(value)}
        case bool() | None | str():
            return set()
        case _:
            return {msgspec.json.encode(found).decode()}


@given(SAID)
@settings(max_examples=examples(100), deadline=None)
def test_every_number_of_the_page_is_in_the_answer(said: dict[str, str]) -> None:
    try:
        told = answer(said)
    except InvalidPlan:  # a lift beyond everyone
        return
    table = answer({name: text for name, text in said.items() if name not in ("lift", "days", "looks")})["table"]
    found = Planned(None if "table" in told else told, table)
    fields = {name: said.get(name, "") for name in LABELS}
    html = TEMPLATES.get_template("plan.html").render(
        root="", here="/dashboard/plan", signed=ADA, places=(), style="s", script="m", icon="i",
        **plan_shown(fields, found), first=False, metrics=(),
    )  # fmt: skip
    values = VALUE.findall(html)
    assert {value for value, _ in values} <= numbers(told) | numbers(table)
    assert len(values) >= 5
    assert not WRONG.search(" ".join(text for _, text in values))
    assert len(html.encode()) <= 60_000


def test_each_refusal_stands_beside_its_parameter() -> None:
    with pytest.raises(InvalidPlan) as refused:
        assumptions({"units_a_day": "many", "lift": "-5%", "weights": "1", "window": "soon"})
    assert by_parameter(str(refused.value)).keys() == {"units_a_day", "lift", "weights", "window"}
    assert by_parameter("nothing of the kind") == {}


def visits(now: float) -> list[Record]:
    """A week of 240 visitors, of whom every sixth has bought."""
    found: list[Record] = []
    for number in range(240):
        moment = int((now - (number % 7 + 1) * DAY_SECONDS) * 1e6) + number
        found.append(Record(message_id=f"p-{number}", visitor_id=f"v-{number}", type="page", time=moment))
        if number % 6 == 0:
            found.append(
                Record(
                    message_id=f"o-{number}",
                    visitor_id=f"v-{number}",
                    type="track",
                    time=moment + 1,
                    event="Order Completed",
                    properties={"order_id": f"o-{number}"},
                    authority=OF_BACKEND,
                )
            )
    return found


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    root = tmp_path_factory.mktemp("planned")
    write_log(root / "data", received(visits(time.time())))
    with running(root, {"shop.yaml": "currency: EUR\n"}, RESONATE_WORKERS="1") as service:
        yield service


@pytest.fixture(scope="module")
def ada(shop: Service) -> Iterator[Visitor]:
    with signed_in_visitor(shop.url, shop.data, "editor", "ada@shop.example") as visitor:
        yield visitor


def settled(ada: Visitor, **said: str) -> str:
    """The page once the log is read."""

    def read() -> str:
        page = ada.get("/dashboard/plan", params=said)
        assert page.status_code == 200, page.text
        return "" if "still being computed" in page.text else page.text

    return until(read, "the log is read")


@pytest.mark.parametrize(
    "said",
    [
        {"units_a_day": "1000", "baseline": "3%", "lift": "10%", "weights": "90,10", "method": "fixed"},
        {"metric": "purchase_rate", "days": "28"},
        {"metric": "purchase_rate"},
    ],
)
def test_the_page_says_what_the_api_says(shop: Service, ada: Visitor, said: dict[str, str]) -> None:
    page = settled(ada, asked="1", **said)
    with shop.client() as client:
        told = client.get("/v1/plan", params=said).json()
    shown_values = {value for value, _ in VALUE.findall(page)}
    row = told.get("table", [told])[0]
    assert {str(row[name]) for name in ("units", "units_a_day", "baseline", "power", "alpha")} <= shown_values
    assert page.count("from the log") == len(row["from_log"])


def test_what_nobody_said_is_that_of_the_log(shop: Service, ada: Visitor) -> None:
    with shop.client() as client:
        table = client.get("/v1/plan", params={"metric": "purchase_rate"}).json()["table"]
        given = {name: f"{table[0][name]:.12f}" for name in ("units_a_day", "baseline")}
        alone = client.get("/v1/plan", params=given).json()["table"]
        partly = client.get("/v1/plan", params={"metric": "purchase_rate", "units_a_day": "500"}).json()["table"]
    assert (table[0]["baseline"], table[0]["from_log"]) == (40 / 240, ["units_a_day", "baseline"])
    assert 240 / 8 <= table[0]["units_a_day"] <= 240 / 7
    assert [row["mde"] for row in table] == pytest.approx([row["mde"] for row in alone], rel=1e-9)
    assert {tuple(row["from_log"]) for row in alone} == {()}
    assert (partly[0]["units_a_day"], partly[0]["from_log"]) == (500.0, ["baseline"])
    first = ada.get("/dashboard/plan").text  # nobody has said anything yet
    assert f'<data value="{table[0]["baseline"]}">' in first


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"metric": "purchase_rat"}, 'metric: unknown metric "purchase_rat", did you mean "purchase_rate"?'),
        ({"metric": "nps"}, "metric: nps is shown in points and has no lift"),
        ({"metric": "csat"}, "baseline: is missing"),
        ({"metric": "purchase_rate", "type": "mean"}, "type: mean is not what purchase_rate is"),
    ],
)
def test_what_the_log_cannot_say_is_refused_in_words(
    shop: Service, ada: Visitor, said: dict[str, str], message: str
) -> None:
    with shop.client() as client:
        refused = client.get("/v1/plan", params=said)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_plan")
    assert message in refused.json()["detail"]
    asked = {**said, "asked": "1"}  # what takes its time is a page that says so, until it is known
    page = until(lambda: refusal(ada.get("/dashboard/plan", params=asked)), "the page is refused")
    assert message.partition(": ")[2] in page


def refusal(page: httpx.Response) -> str:
    """What a page that was refused says; nothing for another one."""
    return unescape(page.text) if page.status_code == 400 else ""


def test_a_plan_goes_into_the_draft(ada: Visitor) -> None:
    page = ada.get("/dashboard/plan?asked=1&units_a_day=1000&baseline=3%25&lift=10%25&method=planned&looks=3").text
    link = re.search(r'href="/dashboard/new\?([^"]*)"', page)
    assert link is not None
    chosen = dict(parse_qsl(unescape(link[1])))
    assert (chosen["lift"], chosen["method"], chosen["looks"]) == ("10%", "planned", "3")
    assert int(chosen["days"]) > 28
    draft = ada.get(f"/dashboard/new?{unescape(link[1])}").text
    assert f'value="{chosen["days"]}"' in draft


@pytest.mark.parametrize("hostile", ["<img src=x onerror=alert(1)>", '"><script>alert(1)</script>', "x" * 900])
def test_what_is_wrong_is_text_beside_what_was_typed(signed_in_as: Any, hostile: str) -> None:
    viewer: Visitor = signed_in_as("viewer")
    page = viewer.get("/dashboard/plan", params={"asked": "1", "units_a_day": hostile, "baseline": "3%"})
    assert page.status_code == 400
    assert re.search(r'id="units_a_day-wrong">[^<]*is no number', page.text)
    assert "<img" not in page.text
    assert page.text.count("<script") == 1


def test_a_check_that_somebody_asks_for_is_made_by_the_log_too(ada: Visitor) -> None:
    fields = {"key": "asked", "v0_key": "control", "v1_key": "b", "goal": "csat", "days": "100"}

    def checked() -> str:
        page = ada.post("/dashboard/new/check", page="/dashboard/new", **fields)
        assert page.status_code == 200
        return "" if "still being computed" in page.text else unescape(page.text)

    page = until(checked, "the log is read")
    assert "passes the check" in page
    assert "csat has no event in the last 28 days" in page
    assert "100 days are more than 8 weeks" in page
    quick = ada.post("/dashboard/new/check", page="/dashboard/new", quick="yes", **fields).text
    assert "has no event" not in quick
