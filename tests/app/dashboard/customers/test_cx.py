"""Customers' experience: the page says what `GET /v1/cx` says, whatever that answers, and calls no chance a change."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.answers import numbers_of
from oracles.proving import examples
from servers.patience import until
from servers.people import Visitor, signed_in_visitor
from servers.service import PUBLISHABLE_KEY, Service, running

from app.dashboard.customers.cx import CHANGES, REACHES, ExperienceLook, chosen_of, shown_experience
from app.dashboard.environment import environment
from app.dashboard.signed_in import Signed
from app.keys.scopes import ROLES
from experiments.definitions.shop import Kpi
from experiments.wording.customers import SCALES, TITLES

HERE = "/dashboard/cx"
VALUE = re.compile(r'<data value="([^"]*)">([^<]*)</data>')
WRONG = re.compile(r"NaN|None|Infinity|\bnan\b|undefined")
HOSTILE = '"><img src=x onerror=alert(1)>\u202e'
ADA = Signed("ada@shop.example", "viewer", ROLES["viewer"], "token")
TEMPLATES = environment()


KNOWN = st.one_of(st.just(0.0), st.floats(-2.0, 2.0), st.sampled_from([-1e300, 1e300, 1e-300, -1e-12, 123456.789]))
NUMBERS = st.none() | KNOWN
COUNTS = st.integers(0, 10**12)
INTERVALS = st.none() | st.lists(KNOWN, min_size=2, max_size=2)


@st.composite
def kpis(draw: st.DrawFn, level: str | None = None) -> dict[str, Any]:
    kpi: Kpi = draw(st.sampled_from(get_args(Kpi)))
    days = draw(st.integers(0, 12))
    served = st.one_of(st.none(), st.fixed_dictionaries({"value": NUMBERS, "ci": INTERVALS}))
    return {
        "kpi": kpi, "title": TITLES[kpi], "unit": SCALES[kpi], "want": draw(st.sampled_from(["up", "down"])),
        "survey": None, "level": level, "value": draw(NUMBERS), "ci": draw(INTERVALS), "answers": draw(COUNTS),
        "asked": draw(st.one_of(st.none(), COUNTS)), "response_rate": draw(NUMBERS), "unusable": draw(COUNTS),
        "immature": draw(COUNTS), "previous": draw(NUMBERS), "difference": draw(NUMBERS),
        "difference_ci": draw(INTERVALS), "p_adjusted": draw(NUMBERS), "change": draw(st.sampled_from(list(CHANGES))),
        "target": draw(NUMBERS), "reach": draw(st.sampled_from([None, *REACHES])), "reasons": [],
        "sentence": draw(st.sampled_from([HOSTILE, "All is well."])), "in_service": draw(served),
        "series": [
            {"date": str(date(2026, 1, 1) + timedelta(days=day)), "value": draw(NUMBERS), "ci": draw(INTERVALS),
             "answers": draw(COUNTS)} for day in range(days)
        ],
    }  # fmt: skip


@st.composite
def stages(draw: st.DrawFn) -> list[dict[str, Any]]:
    names = draw(st.lists(st.sampled_from(["awareness", HOSTILE, "intent", "w" * 300]), unique=True, max_size=4))
    return [
        {"stage": name, "after": None, "count": draw(COUNTS), "of_first": draw(NUMBERS), "of_first_ci": draw(INTERVALS),
         "of_previous": draw(NUMBERS), "of_previous_ci": draw(INTERVALS), "median_hours": draw(NUMBERS),
         "median_hours_ci": draw(INTERVALS), "sentence": "So many came."} for name in names
    ]  # fmt: skip


def answer_of(found: list[dict[str, Any]], reached: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "from": "2026-01-01", "to": "2026-03-31", "timezone": "UTC", "window": 28, "by": None, "segment": None,
        "previous_from": "2025-10-03", "previous_to": "2025-12-31", "as_of": "2026-04-01T10:00:00Z",
        "watermark": "2026-04-01T09:59:00Z", "pending": 0, "unusable": 3, "kpis": found,
        "journey": {"days": 90, "immature": 7, "stages": reached},
    }  # fmt: skip


def rendered(told: dict[str, Any], split: dict[str, Any] | None = None, **asked: Any) -> str:
    look = ExperienceLook(**asked)
    chosen = chosen_of(told["kpis"], look.kpi)
    return TEMPLATES.get_template("cx.html").render(
        root="", here=HERE, signed=ADA, places=(), style="s", script="m", icon="i", look=look, link=look.link,
        segments=["loyal"], windows=(1, 7, 28), splits=("", "channel"), told=told,
        **shown_experience(told, look, chosen, split),
    )  # fmt: skip


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(kpis(), max_size=4), st.lists(kpis(level=HOSTILE), max_size=3), stages())
def test_every_number_of_the_page_is_in_the_answer(
    found: list[dict[str, Any]], levels: list[dict[str, Any]], reached: list[dict[str, Any]]
) -> None:
    told, split = answer_of(found, reached), answer_of(levels, [])
    html = rendered(told, split, by="channel")
    shown = VALUE.findall(html)
    assert {value for value, _ in shown} <= numbers_of(told) | numbers_of(split)
    assert not WRONG.search(" ".join(text for _, text in shown))
    assert "<img" not in html


@settings(max_examples=examples(40), deadline=None)
@given(kpis())
def test_a_difference_is_called_a_change_only_where_the_answer_calls_it_one(kpi: dict[str, Any]) -> None:
    html = rendered(answer_of([kpi], []))
    called = "better than before" in html or "worse than before" in html
    assert called == (kpi["change"] in ("better", "worse"))
    assert ("What changed" in html) == (kpi["change"] in ("better", "worse"))


def test_a_page_holds_at_most_60_kb_with_all_kpis_and_a_year_of_days() -> None:
    points = [
        {"date": str(date(2026, 1, 1) + timedelta(days=day)), "value": 0.8123456789012345 + day / 1e4,
         "ci": [0.7123456789012345, 0.9123456789012345], "answers": 12_345} for day in range(366)
    ]  # fmt: skip
    base = {
        "want": "up", "survey": None, "level": None, "value": 0.8123456789012345, "answers": 4_000, "asked": 9_000,
        "ci": [0.7123456789012345, 0.9123456789012345], "response_rate": 0.4444444444444444, "unusable": 12,
        "immature": 12, "previous": 0.7123456789012345, "difference": 0.1000000000000001, "p_adjusted": 0.01,
        "difference_ci": [0.0100000000000001, 0.1900000000000001], "change": "better", "target": 0.85, "reach": "open",
        "reasons": [], "sentence": "x" * 320, "in_service": None, "series": points,
    }  # fmt: skip
    found = [{**base, "kpi": kpi, "title": TITLES[kpi], "unit": SCALES[kpi]} for kpi in get_args(Kpi)]
    levels = [{**found[0], "level": f"{n}{'w' * 300}"} for n in range(51)]
    stage = {
        "after": None, "count": 1_000, "of_first": 0.1234567890123456, "of_first_ci": [0.1, 0.2],
        "of_previous": 0.1234567890123456, "of_previous_ci": [0.1234567890123456, 0.2234567890123456],
        "median_hours": 12.34567890123456, "median_hours_ci": [1.0, 2.0], "sentence": "y" * 200,
    }  # fmt: skip
    told = answer_of(found, [{**stage, "stage": f"stage {n}"} for n in range(12)])
    html = rendered(told, answer_of(levels, []), by="channel", kpi="csat")
    assert len(html.encode()) <= 60_000, len(html.encode())


def answered(survey: str, score: int, visitor: str, day: int, **more: Any) -> dict[str, Any]:
    when = datetime.now(UTC) - timedelta(days=day)
    told = {"survey": survey, "score": score, **more}
    return {"type": "track", "event": "Survey Answered", "anonymousId": visitor, "timestamp": when.isoformat(),
            "properties": told}  # fmt: skip


FILES = {
    "banner.yaml": "key: banner\nstatus: running\nvariants: [control, b]\ngoal: purchase_rate\n",
    "segments.yaml": "loyal: {where: {country: SK}}\n",
    "shop.yaml": "targets: {csat: 40%, nps: 90, first_response: 4 hours}\n",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Before the last 30 days customers were angry, then content; two tickets; a channel with a hostile name."""
    with running(tmp_path_factory.mktemp("experienced"), FILES, RESONATE_WORKERS="1") as service:
        sent = [
            answered("csat", 1 + 3 * (day < 30) + n % 2, f"v-{day}-{n}", day) for day in range(59) for n in range(4)
        ]
        sent += [answered("nps", n % 11, f"n-{n}", 3, channel=HOSTILE if n % 2 else "chat") for n in range(60)]
        sent += [answered("nps", 99, "n-off", 3)]
        tickets: list[dict[str, Any]] = []
        for n in range(3):
            at = datetime.now(UTC) - timedelta(days=2 + n)
            for hours, name, more in ((0, "Opened", {}), (1 + n, "Answered", {"by": "agent"}), (9, "Resolved", {})):
                tickets.append({
                    "type": "track", "event": f"Ticket {name}", "anonymousId": f"t-{n}",
                    "timestamp": (at + timedelta(hours=hours)).isoformat(), "properties": {"ticket_id": n, **more},
                })  # fmt: skip
        with service.client(PUBLISHABLE_KEY) as page, service.client() as secret:
            assert page.post("/v1/batch", json={"batch": sent}).status_code == 200
            assert secret.post("/v1/batch", json={"batch": tickets}).json() == {"success": True}
            until(lambda: len(secret.get("/v1/events").json()["events"]) >= 4, "the events are in the log")
        yield service


@pytest.fixture
def viewer(shop: Service) -> Iterator[Visitor]:
    with signed_in_visitor(shop.url, shop.data, "viewer") as visitor:
        yield visitor


def days(first: int, last: int) -> dict[str, str]:
    today = datetime.now(UTC).date()
    return {"from": str(today - timedelta(days=first)), "to": str(today - timedelta(days=last))}


def asked(shop: Service, **query: str) -> dict[str, Any]:
    with shop.client() as client:
        answer = client.get("/v1/cx", params={"compare": "previous", **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_page_says_the_numbers_and_the_sentences_of_the_route(shop: Service, viewer: Visitor) -> None:
    told = asked(shop)
    page = viewer.get(HERE).text
    shown = {value for value, _ in VALUE.findall(page)}
    assert shown <= numbers_of(told)
    known = [each for each in told["kpis"] if each["value"] is not None]
    assert {"csat", "nps", "first_response"} <= {each["kpi"] for each in known}
    assert {msgspec.json.encode(each["value"]).decode() for each in known} <= shown
    assert "in no figure" in page  # the score of 99


def test_a_change_and_targets_are_said_in_words(shop: Service, viewer: Visitor) -> None:
    lately = viewer.get(HERE, params=days(29, 0)).text
    changed = {each["kpi"]: each["change"] for each in asked(shop, **days(29, 0))["kpis"]}
    assert changed["csat"] == "better"
    assert "✓ better than before" in lately
    assert "What changed" in lately
    assert "target met" in lately
    assert "target missed" in lately
    nothing = viewer.get(HERE, params=days(20, 14)).text
    assert "better than before" not in nothing.partition('id="journey"')[0].partition("What changed")[2]


def test_one_kpi_is_split_and_its_levels_are_those_of_the_route(shop: Service, viewer: Visitor) -> None:
    page = viewer.get(HERE, params={"kpi": "nps", "by": "channel"}).text
    told = asked(shop, kpi="nps", by="channel")
    levels = [each for each in told["kpis"] if each["level"] is not None]
    section = page.partition('id="split"')[2].partition("</section>")[0]
    values = {value for value, _ in VALUE.findall(section)}
    assert {msgspec.json.encode(each["value"]).decode() for each in levels} <= values <= numbers_of(told)
    assert "<img" not in page
    assert "&lt;img" in section


def test_what_cannot_be_asked_is_a_page_in_words(viewer: Visitor) -> None:
    for query, status, said in (
        ({"from": "yesterday"}, 400, "is no day"),
        ({"from": "2999-01-01"}, 400, "lies in the future"),
        ({"segment": "loyl"}, 404, "loyal"),
        ({"survey": "none-such"}, 404, "none-such"),
        ({"by": "weather"}, 400, "That cannot be read"),
        ({"window": "0"}, 400, "That cannot be read"),
    ):
        answer = viewer.get(HERE, params=query)
        assert (answer.status_code, said in answer.text) == (status, True), (query, answer.status_code)
    page = viewer.get(HERE, params={"kpi": "csatt"})
    assert (page.status_code, "There is no KPI" in page.text) == (200, True)
    assert "did you mean csat" in page.text


def test_days_without_anything_say_how_to_begin(viewer: Visitor) -> None:
    page = viewer.get(HERE, params=days(89, 80)).text
    assert "Nothing to show yet" in page
    assert "data-resonate-survey" in page


def test_the_form_keeps_what_was_asked(viewer: Visitor) -> None:
    query = {**days(20, 0), "by": "device", "kpi": "nps", "segment": "loyal", "window": "7"}
    page = viewer.get(HERE, params=query).text
    assert f'value="{query["from"]}"' in page
    for chosen in ("7", "device"):
        assert f'value="{chosen}" selected' in page
    assert "<option selected>loyal</option>" in page
    assert '<input type="hidden" name="kpi" value="nps">' in page
