"""The answer of customers' experience: what is asked, what is refused, what has changed, and the journey."""

from pathlib import Path
from typing import Any

import pytest
from worlds.readout_studies import DAY, HOUR, START, Shop, readouts

from events.authority import Authority
from experiments.cx.asked import ExperienceQuery, UnknownKpi, UnknownSegment, UnknownSurvey
from experiments.cx.report import customer_experience
from experiments.readout.study import InvalidDate

FILES = {
    "shop.yaml": "timezone: Europe/Bratislava\ntargets: {csat: 60%, resolution_rate: 99%, first_response: 3 hours}\n",
    "segments.yaml": "phones: {where: {device: mobile}}\n",
    "metrics.yaml": "chat: {type: csat, where: {survey: after-chat}}\n",
}
LAST = "2026-03-06"  # the 61st day


def asked(data: Path, shop: Shop, files: dict[str, str] | None = None, **query: Any) -> dict[Any, Any]:
    """The answer as of the 61st day of the shop, by KPI and level, beside the rest of it."""
    reader = readouts(data, shop.records, 61, FILES if files is None else files)
    found = customer_experience(reader, reader.archive.latest(), ExperienceQuery(**query))
    return {**found, **{(tile["kpi"], tile["level"]): tile for tile in found["kpis"]}}


def answer(shop: Shop, visitor: str, day: float, score: float | None, survey: str = "csat", **properties: Any) -> None:
    """An answer to a survey."""
    told = {"survey": survey, **properties}
    shop.add("track", visitor, START + round(day * DAY), event="Survey Answered", value=score, properties=told)


def tell(shop: Shop, event: str, ticket: str, hours: float, **properties: Any) -> None:
    """What a backend tells of a ticket of the visitor of its name."""
    told = {"ticket_id": ticket, **properties}
    time = START + 30 * DAY + round(hours * HOUR)
    shop.add("track", f"v-{ticket}", time, event=event, authority=Authority.BACKEND, properties=told)


def test_without_parameters_the_last_ninety_days_are_shown(tmp_path: Path) -> None:
    found = asked(tmp_path, Shop())
    assert (found["from"], found["to"], found["window"]) == ("2025-12-08", "2026-03-07", 28)
    assert (found["previous_from"], found["timezone"]) == (None, "Europe/Bratislava")
    assert {len(tile["series"]) for tile in found["kpis"]} == {90}
    assert {tuple(tile["reasons"]) for tile in found["kpis"]} == {("nothing_yet",)}


@pytest.mark.parametrize(
    ("query", "error", "said"),
    [
        ({"since": "2026-02-30"}, InvalidDate, "from: '2026-02-30' is no day; write 2026-01-31"),
        ({"until": "2026-03-08"}, InvalidDate, "to: 2026-03-08 lies in the future; in the shop it is 2026-03-07"),
        ({"since": "2026-02-02", "until": "2026-02-01"}, InvalidDate, "from: 2026-02-02 lies after to: 2026-02-01"),
        ({"since": "2024-02-02"}, InvalidDate, "at most 366 are shown"),
        ({"since": "0001-01-01"}, InvalidDate, "from: 0001-01-01 lies before 2000-01-01"),
        ({"until": "1999-12-31"}, InvalidDate, "to: 1999-12-31 lies before 2000-01-01, and before every log"),
        ({"kpi": "cast"}, UnknownKpi, "there is no kpi 'cast'; did you mean csat?"),
        ({"kpi": "zzzz"}, UnknownKpi, "tickets_per_100_orders"),  # the last of them
        ({"survey": "csat", "kpi": "reopen_rate"}, UnknownKpi, "reopen_rate"),
        ({"segment": "phone"}, UnknownSegment, "did you mean phones?"),
        ({"survey": "npss"}, UnknownSurvey, "did you mean nps?"),
    ],
    ids=str,
)
def test_what_cannot_be_answered_says_what_would_be_right(
    tmp_path: Path, query: dict[str, str], error: type[Exception], said: str
) -> None:
    shop = Shop()
    answer(shop, "v", 3, 9.0, "nps")
    with pytest.raises(error, match=said.replace("?", r"\?")):
        asked(tmp_path, shop, **query)


@pytest.mark.parametrize("name", ["Maßnahme", "ΟΔΟΣ", "İstanbul", "After Chat"])
def test_a_survey_is_found_by_its_name_in_whichever_letters(tmp_path: Path, name: str) -> None:
    shop = Shop()
    for visitor in range(3):
        answer(shop, f"v{visitor}", 40, 5.0, name)
    files = {"metrics.yaml": f"chat: {{type: csat, where: {{survey: {name}}}}}\n"}
    assert asked(tmp_path, shop, files, survey=name)["csat", None]["answers"] == 3


def test_the_first_day_that_may_be_asked_for_has_days_before_it(tmp_path: Path) -> None:
    found = asked(tmp_path, Shop(), until="2000-01-01", window=366, compare="previous")
    assert (found["from"], found["to"], found["previous_from"]) == ("1999-10-04", "2000-01-01", "1999-07-06")


def test_the_last_answer_of_a_visitor_counts_and_a_survey_of_another_name_by_its_kind(tmp_path: Path) -> None:
    shop = Shop()
    answer(shop, "a", 40, 1.0)
    answer(shop, "a", 41, 5.0)
    answer(shop, "b", 41, 3.0)
    answer(shop, "c", 42, 4.0, "After-Chat")  # which a metric knows
    answer(shop, "d", 42, 5.0, "delivery", kind="csat")
    answer(shop, "e", 42, 5.0, "whatever")  # of which nobody knows the kind
    answer(shop, "f", 42, 9.0)
    answer(shop, "f", 43, None)
    found = asked(tmp_path, shop, by="survey")
    told = found["csat", None]
    assert (told["value"], told["answers"], told["unusable"], found["unusable"]) == (0.75, 4, 2, 3)
    assert (found["csat", "few"]["answers"], found["csat", "few"]["survey"]) == (4, None)
    alone = asked(tmp_path / "again", shop, survey="AFTER-chat")
    assert (alone["csat", None]["answers"], alone["csat", None]["survey"]) == (1, "after-chat")
    assert [tile["kpi"] for tile in alone["kpis"]] == ["csat", "nps", "ces"]


def test_a_survey_that_was_shown_is_of_the_kind_that_its_answers_have(tmp_path: Path) -> None:
    shop = Shop()
    for number in range(4):
        shop.add("track", f"v{number}", START + 40 * DAY, event="Survey Shown", properties={"survey": "delivery"})
    answer(shop, "v1", 41, 5.0, "delivery", kind="csat")
    told = asked(tmp_path, shop)["csat", None]
    assert (told["asked"], told["response_rate"]) == (4, 0.25)


def test_open_tickets_make_a_median_longer_and_a_reopened_one_is_open(tmp_path: Path) -> None:
    shop = Shop()
    for ticket, hours in (("a", 1), ("b", 2), ("c", 3), ("d", None), ("e", None), ("f", None), ("g", 30)):
        tell(shop, "Ticket Opened", ticket, 0)
        if hours is not None:
            tell(shop, "Ticket Answered", ticket, hours, by="agent")
            tell(shop, "Ticket Resolved", ticket, hours + 1)
    tell(shop, "Ticket Reopened", "a", 5)
    tell(shop, "Ticket Answered", "d", 1, by="bot")
    tell(shop, "Ticket Resolved", "unknown", 1)
    shop.add("track", "v-d", START + 31 * DAY, event="Ticket Resolved", properties={"ticket_id": "d"})  # as a page says
    found = asked(tmp_path, shop)
    first, whole = found["first_response", None], found["resolution_time", None]
    assert (first["value"], first["immature"], first["unusable"]) == (pytest.approx(30.0), 3, 1)
    assert (whole["value"], whole["reasons"], whole["immature"]) == (None, ["mostly_open"], 4)
    assert found["resolution_rate", None]["value"] == pytest.approx(3 / 7)
    assert found["reopen_rate", None]["value"] == 0.25
    assert first["sentence"].startswith("Half of the tickets get their first answer within 1 day 6 h (")
    assert (found["resolution_rate", None]["reach"], first["reach"]) == ("missed", "open")


def test_who_is_too_young_is_immature_and_no_zero(tmp_path: Path) -> None:
    shop = Shop()
    shop.add("page", "new", START + 55 * DAY)
    shop.buy("new", START + 55 * DAY)
    tell(shop, "Ticket Opened", "old", 0)
    tell(shop, "Ticket Opened", "young", 29 * 24)
    tell(shop, "Ticket Resolved", "young", 29 * 24 + 1)
    found = asked(tmp_path, shop)
    for kpi in ("retention_d7", "retention_d28", "repeat_purchase"):
        told = found[kpi, None]
        assert (told["value"], told["immature"], told["reasons"]) == (None, 1, ["all_too_young"])
        assert "still too young" in told["sentence"]
    rate = found["resolution_rate", None]
    assert (rate["value"], rate["answers"], rate["immature"]) == (0.0, 1, 1)


def test_of_a_segment_its_visitors_alone_count(tmp_path: Path) -> None:
    shop = Shop()
    for visitor, device, score in (("a", "mobile", 5.0), ("b", "desktop", 1.0), ("c", "mobile", 4.0)):
        shop.add("page", visitor, START + 20 * DAY, device=device)
        answer(shop, visitor, 21, score)
    found = asked(tmp_path, shop, segment="phones")
    assert (found["csat", None]["value"], found["csat", None]["answers"], found["segment"]) == (1.0, 2, "phones")
    assert (found["retention_d7", None]["answers"], found["journey"]["stages"][0]["count"]) == (2, 2)


def test_a_change_is_called_one_only_once_all_kpis_are_considered(tmp_path: Path) -> None:
    """17 of 40 against 27 of 40 excludes 0 alone, and not among thirteen."""
    shop = Shop()
    for number in range(40):
        answer(shop, f"old{number}", 20, 5.0 if number < 27 else 1.0)
        answer(shop, f"new{number}", 45, 5.0 if number < 17 else 1.0)
        answer(shop, f"old{number}", 20, 10.0 if number < 35 else 0.0, "nps")
        answer(shop, f"new{number}", 45, 10.0 if number < 5 else 0.0, "nps")
    query = {"since": "2026-02-09", "until": LAST, "compare": "previous"}
    found = asked(tmp_path, shop, **query)
    told, nps = found["csat", None], found["nps", None]
    assert told["difference_ci"][1] < 0.0
    assert (told["change"], nps["change"]) == ("unclear", "worse")
    assert told["p_adjusted"] > 0.05 > nps["p_adjusted"]
    assert (found["previous_from"], found["previous_to"]) == ("2026-01-14", "2026-02-08")
    assert "lower than in the time before, that may still be chance" in told["sentence"]
    assert "150 points lower than in the time before: worse" in nps["sentence"]
    alone = asked(tmp_path / "alone", shop, kpi="csat", **query)["csat", None]
    assert (alone["change"], alone["reach"]) == ("worse", "missed")
    assert found["ces", None]["reasons"] == ["nothing_yet", "nothing_before"]


STAGES = ["awareness", "consideration", "intent", "purchase", "loyalty", "advocacy"]


def test_the_journey_is_walked_in_order_and_advocates_need_no_second_order(tmp_path: Path) -> None:
    shop = Shop()
    for number in range(6):
        who = f"v{number}"
        shop.add("page", who, START + DAY)
        shop.add("track", who, START + DAY if number else START, event="Product Viewed", properties={})  # v0 before it
        if number > 1:
            shop.add("track", who, START + 2 * DAY, event="Checkout Started", properties={})
        if number > 2:
            shop.buy(who, START + 2 * DAY + 2 * HOUR * number, order_id=f"first{number}")
            shop.buy(who, START + 9 * DAY, order_id=f"first{number}", authority=Authority.PAGE)  # a copy
        if number == 4:
            shop.buy(who, START + 20 * DAY, order_id="second")
        answer(shop, who, 30, 9.0 if number in (1, 5) else 5.0, "nps")
    journey = asked(tmp_path, shop, since="2026-01-06", until="2026-01-20")["journey"]
    stages = journey["stages"]
    assert [stage["stage"] for stage in stages] == STAGES
    assert [stage["count"] for stage in stages] == [6, 5, 4, 3, 1, 1]
    assert [stage["after"] for stage in stages] == [None, *STAGES[:4], "purchase"]
    assert (journey["days"], journey["immature"]) == (90, 6)
    assert stages[3]["median_hours"] == pytest.approx(8.0)
    assert (stages[3]["of_first"], stages[3]["of_previous"]) == (0.5, 0.75)
    assert stages[5]["sentence"].startswith("Advocacy: 1 visitor, 33 % of purchase (plausible: ")


def test_a_journey_may_have_stages_of_its_own(tmp_path: Path) -> None:
    own = "journey:\n- {name: basket, event: Product Added, where: {size: L}}\n"
    own += "- {name: big, event: Order Completed, where: {value: {$gte: 50}}}\n"
    shop = Shop()
    for number, size in enumerate("LLM"):
        shop.add("track", f"v{number}", START + DAY, event="Product Added", properties={"size": size})
        shop.buy(f"v{number}", START + 2 * DAY, 60.0 if number else 40.0)
    stages = asked(tmp_path, shop, {"shop.yaml": own})["journey"]["stages"]
    assert [(stage["stage"], stage["count"]) for stage in stages] == [("basket", 2), ("big", 1)]
