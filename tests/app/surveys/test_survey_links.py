"""Links of surveys: GET shows and stores nothing, the button stores one answer, in whichever worker, for good."""

import re
import time
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import StartService
from servers.one_worker import DEFINITIONS, PUBLISHABLE, SECRET, OneWorker, records
from servers.service import Service

from app.surveys import routes
from app.surveys.links import SurveyLinks
from events.records import SURVEY_ANSWERED, SURVEY_SHOWN
from kit.time import DAY_SECONDS

WANTED = {"survey": "after delivery", "kind": "nps", "user_id": "u-1042", "consent": "personal"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneWorker]:
    with OneWorker(tmp_path_factory.mktemp("surveys"), DEFINITIONS) as worker:
        yield worker


def made(worker: OneWorker, **wanted: Any) -> dict[str, str]:
    with worker.client(SECRET) as client:
        answer = client.post("/v1/surveys/links", json=WANTED | wanted)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


def answers(worker: OneWorker, link: dict[str, str]) -> list[dict[str, Any]]:
    return records(worker, message_id=f"{SURVEY_ANSWERED}:{link['id']}")


def press(link: dict[str, str], score: Any) -> httpx.Response:
    return httpx.post(link["url"], data={"score": score})


def test_the_button_stores_the_answer_of_the_user_who_was_asked(shop: OneWorker) -> None:
    link = made(shop)
    assert httpx.get(link["url"]).status_code == 200
    assert "Thank you" in press(link, 9).text
    [answer] = answers(shop, link)
    [shown] = records(shop, message_id=f"{SURVEY_SHOWN}:{link['id']}")
    assert (answer["event"], answer["value"], answer["user_id"]) == ("Survey Answered", 9.0, "u-1042")
    assert answer["properties"] == {"survey": "after delivery", "kind": "nps", "channel": "email", "score": 9}
    assert (shown["event"], shown["user_id"]) == ("Survey Shown", "u-1042")
    assert (answer["authority"], shown["authority"]) == (1, 2)  # proven by the link; told by the backend


def test_programs_that_open_every_link_of_a_mail_vote_for_nothing(shop: OneWorker) -> None:
    link = made(shop)
    for address in (link["url"], f"{link['url']}?score=0", f"{link['url']}?score=10"):
        for _ in range(3):
            assert httpx.get(address).status_code == 200
    assert answers(shop, link) == []
    assert press(link, 7).status_code == 200
    assert [each["value"] for each in answers(shop, link)] == [7.0]


def test_the_number_of_the_address_is_chosen_and_not_sent(shop: OneWorker) -> None:
    link = made(shop)
    page = httpx.get(f"{link['url']}?score=9").text
    assert re.findall(r'value="(\d+)" required checked', page) == ["9"]
    for odd in ("11", "-1", "x", "", "9" * 9, "٣"):
        assert "required checked" not in httpx.get(link["url"], params={"score": odd}).text


def test_a_link_is_answered_once_and_says_so(shop: OneWorker) -> None:
    link = made(shop)
    assert press(link, 3).status_code == 200
    for answer in (press(link, 10), httpx.get(link["url"])):
        assert (answer.status_code, "answered already" in answer.text) == (410, True)
    assert [each["value"] for each in answers(shop, link)] == [3.0]


def test_one_answer_is_stored_though_nobody_noted_the_first(shop: OneWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    async def forgets(*_: object) -> None: ...

    monkeypatch.setattr(routes, "note_answered", forgets)
    link = made(shop)
    assert [press(link, score).status_code for score in (3, 10)] == [200, 410]
    assert [each["value"] for each in answers(shop, link)] == [3.0]


def test_a_link_that_is_over_says_so(shop: OneWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    link, now = made(shop, days=2), time.time()
    monkeypatch.setattr(routes, "now_seconds", lambda: now + 2 * DAY_SECONDS + 1)
    for answer in (httpx.get(link["url"]), press(link, 3)):
        assert (answer.status_code, "This link is over" in answer.text) == (410, True)
        assert link["expires_at"][:10] in answer.text
    assert answers(shop, link) == []


@pytest.mark.parametrize("score", [None, "", "11", "-1", "4.5", "ten"])
def test_what_is_no_answer_asks_once_more_and_stores_nothing(shop: OneWorker, score: Any) -> None:
    link = made(shop)
    answer = httpx.post(link["url"], data={"other": "field"} if score is None else {"score": score})
    assert (answer.status_code, "Choose one of the numbers first" in answer.text) == (400, True)
    assert answers(shop, link) == []


def test_a_link_that_was_not_made_here_asks_nothing(shop: OneWorker, tmp_path: Path) -> None:
    _, foreign = SurveyLinks(tmp_path / "secrets" / "surveys.key").make(
        3, survey="nps", kind="nps", user_id="u", consent="personal"
    )
    link = made(shop)
    for token in (foreign, "x", "%00", link["url"].rpartition("/")[2][:-4], "a" * 5_000, "é"):
        for answer in (httpx.get(f"{shop.url}/survey/{token}"), press({"url": f"{shop.url}/survey/{token}"}, 9)):
            assert (answer.status_code, "There is no question" in answer.text) == (404, True), token


def test_no_address_tells_whom_it_asks_or_what(shop: OneWorker) -> None:
    link = made(shop, user_id="anna@shop.example", question="Wie war die Lieferung?")
    assert "anna" not in link["url"]
    page = httpx.get(link["url"])
    assert "anna" not in page.text
    assert "Wie war die Lieferung?" in page.text
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "noindex" in page.headers["x-robots-tag"]
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy


def test_a_hostile_question_is_text(shop: OneWorker) -> None:
    hostile = '"><script>alert(1)</script><img src=x onerror=alert(2)>\u202e'
    page = httpx.get(made(shop, question=hostile, survey=hostile)["url"]).text
    assert "<script>" not in page
    assert "<img" not in page
    assert escape(hostile[2:10]) in page


def test_who_may_not_be_known_answers_as_nobody(shop: OneWorker) -> None:
    link = made(shop, consent="measure")
    assert press(link, 9).status_code == 200
    [answer] = answers(shop, link)
    [shown] = records(shop, message_id=f"{SURVEY_SHOWN}:{link['id']}")
    assert (answer.get("user_id"), answer["consent"], answer["value"]) == (None, "measure", 9.0)
    assert answer["visitor_id"] == shown["visitor_id"] == f"survey-{link['id']}"
    assert "u-1042" not in str([answer, shown])


@pytest.mark.parametrize(
    ("wanted", "status", "code"),
    [
        ({"kind": None, "survey": "delivery"}, 400, "survey_of_no_kind"),
        ({"kind": "stars"}, 400, "unreadable_body"),
        ({"survey": " \t"}, 400, "unreadable_body"),
        ({"user_id": "null"}, 400, "invalid_id"),
        ({"user_id": None}, 400, "invalid_id"),
        ({"days": 91}, 400, "unreadable_body"),
        ({"question": "x" * 301}, 400, "unreadable_body"),
        ({"score": 9}, 400, "unreadable_body"),
        ({"consent": "none"}, 409, "consent_none"),
    ],
)
def test_what_nobody_can_be_asked_is_refused(shop: OneWorker, wanted: dict[str, Any], status: int, code: str) -> None:
    with shop.client(SECRET) as client:
        answer = client.post("/v1/surveys/links", json=WANTED | wanted)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


def test_a_survey_that_is_called_as_its_kind_needs_none(shop: OneWorker) -> None:
    link = made(shop, survey="CSAT", kind=None)
    assert press(link, 5).status_code == 200
    [answer] = answers(shop, link)
    assert (answer["properties"]["kind"], answer["value"]) == ("csat", 5.0)


def test_a_publishable_key_makes_no_links(shop: OneWorker) -> None:
    with shop.client(PUBLISHABLE) as client:
        assert client.post("/v1/surveys/links", json=WANTED).status_code == 403


def test_while_the_store_is_away_it_is_said_in_words(tmp_path: Path) -> None:
    with OneWorker(tmp_path, DEFINITIONS) as worker:
        link = made(worker)
        worker.store.stop()
        for answer in (httpx.get(link["url"]), press(link, 9)):
            assert (answer.status_code, answer.headers["content-type"][:9]) == (503, "text/html")
            assert int(answer.headers["retry-after"]) > 0


def test_a_link_holds_in_every_worker_and_after_a_restart(start_service: StartService) -> None:
    service: Service = start_service(
        {"a.yaml": "key: a\nvariants: [x, y]\ngoal: nps\nstatus: running\n"}, RESONATE_WORKERS="2"
    )
    with service.client() as client:
        links = [client.post("/v1/surveys/links", json=WANTED | {"user_id": f"u-{n}"}).json() for n in range(6)]
    first = [press(link, 9).status_code for link in links[:3]]
    service.stop()
    service.start()
    place = [link["url"].partition("/survey/")[2] for link in links]
    again = [httpx.post(f"{service.url}/survey/{token}", data={"score": 2}) for token in place]
    assert (first, [each.status_code for each in again]) == ([200] * 3, [410] * 3 + [200] * 3)
