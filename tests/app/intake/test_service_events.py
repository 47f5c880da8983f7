"""What customers say of service: whoever sends what counts nowhere is told, and the operator sees it by cause."""

from pathlib import Path
from typing import Any
from uuid import uuid4

from servers.one_worker import DEFINITIONS, PUBLISHABLE, SECRET, OneWorker


def track(worker: OneWorker, key: str, **properties: Any) -> dict[str, Any]:
    body = {"anonymousId": "v", "event": "Survey Answered", "messageId": uuid4().hex, "properties": properties}
    with worker.client(key) as client:
        answer: dict[str, Any] = client.post("/v1/track", json=body).json()
    return answer


def test_seven_wordings_of_an_answer_are_counted_or_named_to_whoever_sends_them(tmp_path: Path) -> None:
    wordings: list[dict[str, Any]] = [
        {"survey": "nps", "score": 9}, {"survey": "NPS", "score": 9}, {"survey": "nps", "value": 9},
        {"survey": "nps", "rating": "9"}, {"Survey": "nps", "Score": 9}, {"survey": "nps", "score": 90},
        {"name": "nps", "score": 9},
    ]  # fmt: skip
    with OneWorker(tmp_path, DEFINITIONS) as worker:
        answers = [track(worker, PUBLISHABLE, **each) for each in wordings]
    assert all(answer["success"] for answer in answers)
    assert [set(answer) - {"success"} for answer in answers] == [
        set(), {"repaired"}, {"repaired"}, {"repaired"}, {"repaired"}, {"hints"}, {"hints"},
    ]  # fmt: skip
    assert [answer["hints"][0]["code"] for answer in answers[5:]] == ["score_off_scale", "survey_unnamed"]


def test_what_counts_nowhere_is_summed_by_its_cause_and_in_metrics(tmp_path: Path) -> None:
    with OneWorker(tmp_path, DEFINITIONS) as worker, worker.client(SECRET) as client:
        track(worker, SECRET, survey="nps", score=90)
        track(worker, PUBLISHABLE, survey="nps", score=91)
        track(worker, PUBLISHABLE, survey="nps", score=10)
        [cause] = client.get("/v1/events/rejected").json()["unusable"]
        metrics = client.get("/metrics").text
    assert (cause["code"], cause["field"], cause["count"]) == ("score_off_scale", "properties.score", 2)
    assert "from 0 to 10" in cause["remedy"]
    assert "91" not in cause["last"][0]["message"]
    assert 'resonate_events_total{outcome="unusable"} 2' in metrics
