"""Names in other spellings, surveys, and the hints of what nothing reads."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from servers.one_worker import DEFINITIONS, PUBLISHABLE, SECRET, OneWorker, records

from app.intake import hints as hints_module
from app.intake.hints import MOST_SEARCHED, Unread
from experiments.catalog.heard import Heard


def track(worker: OneWorker, event: str, key: str = PUBLISHABLE, query: str = "", **properties: Any) -> dict[str, Any]:
    body = {"anonymousId": "v", "event": event, "messageId": uuid4().hex, "properties": properties}
    with worker.client(key) as client:
        answer = client.post(f"/v1/track{query}", json=body).json()
    [answer["row"]] = records(worker, message_id=body["messageId"])
    return answer


def hints(answer: dict[str, Any]) -> list[str]:
    return [each["code"] for each in answer.get("hints", [])]


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("order_completed", "Order Completed"), ("orderCompleted", "Order Completed"),
        ("ORDER COMPLETED", "Order Completed"), ("Completed Order", "Order Completed"),
        ("purchase", "Order Completed"), ("Refund", "Order Refunded"), ("product-viewed", "Product Viewed"),
    ],
)  # fmt: skip
def test_an_event_of_the_vocabulary_is_known_by_its_letters(worker: OneWorker, told: str, meant: str) -> None:
    row = track(worker, told, order_id="o-1", revenue=5)["row"]
    assert (row["event"], row["context"]["event_name"], row["value"], row["order_id"]) == (meant, told, 5.0, "o-1")


@pytest.mark.parametrize("told", ["Order  Complete", "order-completed!x", "Bestellung", "clicked", "Clicked"])
def test_every_other_name_is_kept_letter_by_letter(worker: OneWorker, told: str) -> None:
    row = track(worker, told, order_id="o-1")["row"]
    assert (row["event"], "event_name" in row.get("context", {})) == (told, False)


def test_an_event_that_is_not_what_its_name_needs_stays_under_its_own_and_is_hinted(worker: OneWorker) -> None:
    answer = track(worker, "purchase", revenue="12.5", query="?debug=1")
    assert (answer["row"]["event"], answer["row"]["value"]) == ("purchase", 12.5)
    [hint] = answer["hints"]
    assert (hint["index"], hint["code"]) == (0, "near_name")
    assert "as Order Completed it would need properties.order_id" in hint["message"]


@pytest.mark.parametrize("name", ["score", "value", "rating", "answer"])
@pytest.mark.parametrize("score", [9, "9", "9.0"])
def test_a_survey_is_worth_its_score_by_every_name(worker: OneWorker, name: str, score: Any) -> None:
    assert track(worker, "Survey Answered", survey="NPS", **{name: score})["row"]["value"] == 9.0


def test_a_score_off_its_scale_is_stored_and_hinted(worker: OneWorker) -> None:
    answer = track(worker, "Survey Answered", SECRET, survey="NPS", score=11)
    assert (answer["row"]["value"], hints(answer)) == (11.0, ["score_off_scale"])
    assert hints(track(worker, "Survey Answered", SECRET, survey="nps", score=10)) == []
    assert hints(track(worker, "Survey Answered", SECRET, score=10)) == ["survey_unnamed"]


def test_the_scale_of_a_survey_is_that_of_the_metric_that_reads_it(tmp_path: Path) -> None:
    metrics = {"metrics.yaml": "support: {type: csat, where: {survey: Support}}\n"}
    with OneWorker(tmp_path, {**DEFINITIONS, **metrics}) as shop:
        assert hints(track(shop, "Survey Answered", SECRET, survey="SUPPORT", score=5)) == []
        assert hints(track(shop, "Survey Answered", SECRET, survey="SUPPORT", score=6)) == ["score_off_scale"]


def test_an_order_that_is_worth_nothing_is_hinted(worker: OneWorker) -> None:
    assert hints(track(worker, "Order Completed", SECRET, order_id="o")) == ["order_without_value"]


def test_a_name_that_no_metric_reads_is_hinted_to_who_may_know(tmp_path: Path) -> None:
    metrics = {"metrics.yaml": "hidden: {type: proportion, event: Secret Launch}\n"}
    with OneWorker(tmp_path, {**DEFINITIONS, **metrics}) as shop:
        assert "hints" not in track(shop, "Order Complete")
        [hint] = track(shop, "Order Complete", query="?debug=1")["hints"]
        assert hint["code"] == "no_metric_reads"
        assert hint["message"] == "no metric reads 'Order Complete'; did you mean Order Completed?"
        assert "hints" not in track(shop, "Secret Launch", SECRET)
        assert "Secret Launch" in track(shop, "Secret Lunch", SECRET)["hints"][0]["message"]
        assert "Secret Launch" not in track(shop, "Secret Lunch", query="?debug=1")["hints"][0]["message"]


def test_strangers_who_make_up_names_have_few_of_them_searched_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, searched, compare = [7.25], list[str](), hints_module.did_you_mean

    def noted(name: str, *known: Any, **told: Any) -> str:
        searched.append(name)
        return compare(name, *known, **told)

    monkeypatch.setattr(hints_module, "monotonic", lambda: clock[0])
    monkeypatch.setattr(hints_module, "did_you_mean", noted)
    unread, made_up = Unread(Heard.by([])), [f"Product Viewd {number}" for number in range(50)]
    for second in (7.25, 8.0):
        clock[0] = second
        searched.clear()
        told = [unread.told(name, secret=False) for name in made_up]
        assert len(searched) == MOST_SEARCHED
        assert [
            sentence[: len(f"no metric reads {name!r}")] for name, (_, sentence) in zip(made_up, told, strict=True)
        ] == [f"no metric reads {name!r}" for name in made_up]
    assert sum("did you mean Product Viewed?" in sentence for _, sentence in told) == 2 * MOST_SEARCHED


def test_a_hint_names_its_event_by_where_it_stood(worker: OneWorker) -> None:
    refused, page = {"type": "track", "event": "E"}, {"type": "page", "anonymousId": "v"}
    unread = {"type": "track", "event": "Nobody Reads This", "anonymousId": "v"}
    with worker.client(SECRET) as client:
        answer = client.post("/v1/batch", json={"batch": [page, refused, unread]}).json()
    assert [each["index"] for each in answer["rejected"]] == [1]
    assert [each["index"] for each in answer["hints"]] == [2]
