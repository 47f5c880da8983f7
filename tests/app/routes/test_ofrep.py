"""OpenFeature's remote evaluation against a real worker, each answer held against the published description."""

from pathlib import Path
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import httpx
import jsonschema
import pytest
import yaml
from servers.one_worker import PUBLISHABLE, SECRET, OneWorker, records

from events.authority import Authority

SINGLE = "/ofrep/v1/evaluate/flags/banner"
BULK = "/ofrep/v1/evaluate/flags"


@pytest.fixture(scope="session")
def published(shared: Path) -> dict[str, Any]:
    """The published description; `oneOf` is read as `anyOf`, because a code default matches every other value too."""
    text = (shared / "vectors" / "ofrep-openapi.yaml").read_text().replace("oneOf:", "anyOf:")
    return yaml.safe_load(text)


def valid(published: dict[str, Any], name: str, answer: Any) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": published["components"]}
    jsonschema.Draft202012Validator(schema).validate(answer)


def ask(worker: OneWorker, path: str = SINGLE, key: str = PUBLISHABLE, **context: Any) -> httpx.Response:
    with worker.client(key) as client:
        return client.post(path, json={"context": {"targetingKey": "v-1", **context}})


def test_a_single_evaluation_answers_the_variant_and_logs_one_exposure(worker: OneWorker, published: Any) -> None:
    answer = ask(worker, targetingKey="ofrep-1", device="mobile", country="SK", user_id="u-1").json()
    valid(published, "serverEvaluationSuccess", answer)
    assert answer["reason"] == "SPLIT"
    assert answer["metadata"]["exposure"] == "logged"
    (exposure,) = records(worker, visitor_id="ofrep-1")
    assert exposure["message_id"] == answer["metadata"]["exposure_id"]
    assert (exposure["experiment"], exposure["variant"]) == ("banner", answer["variant"])
    assert exposure["properties"] == {"device": "mobile", "country": "SK"}
    assert (exposure["user_id"], exposure["propensity"], exposure["exposure_source"]) == ("u-1", 0.5, "ofrep")


def test_an_evaluation_that_says_so_exposes_nobody(worker: OneWorker) -> None:
    answer = ask(worker, targetingKey="ofrep-2", **{"resonate.expose": False}).json()
    assert "exposure" not in answer["metadata"]
    assert records(worker, visitor_id="ofrep-2") == []


def test_floats_stay_floats(worker: OneWorker) -> None:
    assert b'"price":9.0' in ask(worker, SINGLE + "?resonate_force=banner:control").content


def test_a_forced_variant_is_named_and_never_an_exposure(worker: OneWorker) -> None:
    answer = ask(worker, SINGLE + "?resonate_force=banner:control", targetingKey="ofrep-3").json()
    assert (answer["variant"], answer["reason"], answer["metadata"]["forced"]) == ("control", "TARGETING_MATCH", True)
    assert records(worker, visitor_id="ofrep-3") == []


def test_who_is_not_in_the_experiment_gets_control_and_the_reason_why(worker: OneWorker, published: Any) -> None:
    answer = ask(worker, "/ofrep/v1/evaluate/flags/mobile-only", targetingKey="ofrep-4", device="desktop").json()
    valid(published, "serverEvaluationSuccess", answer)
    assert (answer["variant"], answer["reason"]) == ("a", "UNKNOWN")
    assert answer["metadata"] == {"in_experiment": False, "phase": 0, "because": "audience", "user": "absent"}
    assert records(worker, visitor_id="ofrep-4") == []


def test_a_paused_experiment_is_disabled_and_a_draft_is_not_found(worker: OneWorker, published: Any) -> None:
    assert ask(worker, "/ofrep/v1/evaluate/flags/paused").json()["reason"] == "DISABLED"
    draft = ask(worker, "/ofrep/v1/evaluate/flags/draft")
    assert draft.status_code == 404
    valid(published, "flagNotFound", draft.json())


def test_a_flag_that_is_not_there_is_answered_with_the_one_that_was_meant(worker: OneWorker, published: Any) -> None:
    answers = [ask(worker, "/ofrep/v1/evaluate/flags/baner") for _ in range(2)]
    valid(published, "flagNotFound", answers[0].json())
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[1].json()["errorDetails"] == "no experiment 'baner' is served here; did you mean 'banner'?"


@pytest.mark.parametrize("text", ["\\ud800", "\\udc00 and more", "ab\\ud83d\\u0041"])
def test_half_a_surrogate_pair_is_called_that(worker: OneWorker, text: str) -> None:
    with worker.client() as client:
        answer = client.post(SINGLE, content=f'{{"context": {{"targetingKey": "{text}"}}}}')
    assert answer.json()["errorCode"] == "PARSE_ERROR"
    assert "half of a surrogate pair" in answer.json()["errorDetails"]


def test_bulk_evaluation_answers_all_flags_and_never_enrols(worker: OneWorker, published: Any) -> None:
    answer = ask(worker, BULK, targetingKey="ofrep-5", device="mobile")
    valid(published, "bulkEvaluationSuccess", answer.json())
    assert [flag["key"] for flag in answer.json()["flags"]] == ["banner", "members", "mobile-only", "paused"]
    assert records(worker, visitor_id="ofrep-5") == []


def test_an_unchanged_bulk_answer_is_304_with_the_same_etag(worker: OneWorker) -> None:
    body = {"context": {"targetingKey": "ofrep-6"}}
    with worker.client() as client:
        first = client.post(BULK, json=body)
        again = client.post(BULK, json=body, headers={"if-none-match": first.headers["etag"]})
        other = client.post(
            BULK,
            json={"context": {"targetingKey": "ofrep-6", "device": "mobile"}},
            headers={"if-none-match": first.headers["etag"]},
        )
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert not first.headers["etag"].startswith("W/")
    assert other.status_code == 200  # the context is part of what the ETag stands for


BAD_CONTEXTS: list[tuple[bytes, str]] = [
    (b"", "PARSE_ERROR"),
    (b"{", "PARSE_ERROR"),
    (b"[]", "PARSE_ERROR"),
    (b'{"context": 1}', "INVALID_CONTEXT"),
    (b"{}", "INVALID_CONTEXT"),
    (b'{"context": {}}', "TARGETING_KEY_MISSING"),
    (b'{"context": {"targetingKey": null}}', "TARGETING_KEY_MISSING"),
    (b'{"context": {"targetingKey": ""}}', "TARGETING_KEY_MISSING"),
    (b'{"context": {"targetingKey": 7.5}}', "INVALID_CONTEXT"),
    (b'{"context": {"targetingKey": "undefined"}}', "INVALID_CONTEXT"),
    (b'{"context": {"targetingKey": "a\\u0000b"}}', "INVALID_CONTEXT"),
    (b'{"context": {"targetingKey": [], "user_id": "null"}}', "INVALID_CONTEXT"),
    (b'{"context": {"targetingKey": "v", "n": 9223372036854775808}}', "INVALID_CONTEXT"),
    (b'{"context": {"targetingKey": "v", "n": 1e999}}', "PARSE_ERROR"),
    (b'{"context": {"targetingKey": "v", "n": NaN}}', "PARSE_ERROR"),
]


@pytest.mark.parametrize("path", [SINGLE, BULK])
@pytest.mark.parametrize(("body", "code"), BAD_CONTEXTS)
def test_a_bad_context_is_400_in_the_words_of_openfeature(
    worker: OneWorker, published: Any, path: str, body: bytes, code: str
) -> None:
    with worker.client() as client:
        answer = client.post(path, content=body)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, code)
    assert answer.json()["errorDetails"]
    valid(published, "bulkEvaluationFailure" if path == BULK else "evaluationFailure", answer.json())


@pytest.mark.parametrize("path", [SINGLE, BULK])
@pytest.mark.parametrize("user", ["null", [], 1.5, {"id": 1}])
def test_a_user_who_can_be_none_is_left_out_and_named(worker: OneWorker, published: Any, path: str, user: Any) -> None:
    visitor = f"ofrep-{uuid4().hex}"
    with worker.client() as client:
        answer = client.post(path, json={"context": {"targetingKey": visitor, "user_id": user}})
        plain = client.post(path, json={"context": {"targetingKey": visitor}})
    assert answer.status_code == 200
    valid(published, "bulkEvaluationSuccess" if path == BULK else "serverEvaluationSuccess", answer.json())
    told, expected = answer.json(), plain.json()
    assert told["metadata"].pop("repaired").startswith("context.user_id: ")
    assert told == expected
    assert [row for row in records(worker, visitor_id=visitor) if "user_id" in row] == []


def test_of_a_visitor_and_a_user_who_can_be_none_both_are_named(worker: OneWorker) -> None:
    for visitor in (None, [], "null"):
        with worker.client() as client:
            answer = client.post(SINGLE, json={"context": {"targetingKey": visitor, "user_id": {}}})
        assert answer.status_code == 400
        assert all(name in answer.json()["errorDetails"] for name in ("context.targetingKey", "context.user_id: "))


def test_a_bot_is_served_and_marked(worker: OneWorker) -> None:
    agent = {"user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}
    with worker.client(headers=agent) as client:
        answer = client.post(SINGLE, json={"context": {"targetingKey": "ofrep-bot"}})
    assert answer.json()["metadata"]["exposure"] == "logged"
    assert records(worker, visitor_id="ofrep-bot")[0]["bot"] is True


def test_the_user_agent_of_a_backend_says_nothing_about_its_visitor(worker: OneWorker) -> None:
    with worker.client(SECRET, headers={"user-agent": "HeadlessChrome/1"}) as client:
        client.post(SINGLE, json={"context": {"targetingKey": "ofrep-backend"}})
        client.post(SINGLE, json={"context": {"targetingKey": "ofrep-told", "userAgent": "HeadlessChrome/1"}})
    (backend,) = records(worker, visitor_id="ofrep-backend")
    assert (backend.get("bot"), backend["authority"]) == (None, Authority.BACKEND)
    assert records(worker, visitor_id="ofrep-told")[0]["bot"] is True


def test_a_unit_of_users_follows_the_user_and_not_the_visitor(worker: OneWorker) -> None:
    path = "/ofrep/v1/evaluate/flags/members"
    assert ask(worker, path, targetingKey="x1").json()["metadata"]["because"] == "unit"
    variants = {ask(worker, path, targetingKey=f"x{number}", user_id="u-7").json()["variant"] for number in range(8)}
    assert len(variants) == 1


@pytest.mark.parametrize("key", ["nothing", "a%2Fb", "a/b", "%2e%2e%2fbanner"])
def test_an_unknown_key_is_not_found_however_it_is_written(worker: OneWorker, key: str) -> None:
    with worker.client() as client:
        answer = client.post(f"/ofrep/v1/evaluate/flags/{key}", json={"context": {"targetingKey": "v-1"}})
    assert (answer.status_code, answer.json()["errorCode"]) == (404, "FLAG_NOT_FOUND")
    assert answer.json()["key"] == unquote(key)
