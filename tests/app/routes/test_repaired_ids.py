"""An id that can be none costs nobody their answer: beside one that can it is left out, and named."""

from typing import Any
from uuid import uuid4

import pytest
from servers.one_worker import OneWorker, records

UNUSABLE = ["null", " ", 1.5, True, [], {"id": 1}, "v" * 300, 2**63]
ROUTES = {"/v1/personalize": {"experiments": ["banner"]}, "/v1/recommendations": {"limit": 3}}


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("wrong", UNUSABLE)
def test_a_user_who_can_be_none_is_left_out_and_named(worker: OneWorker, path: str, wrong: Any) -> None:
    visitor = uuid4().hex
    with worker.client() as client:
        answer = client.post(path, json={"visitor_id": visitor, "user_id": wrong, **ROUTES[path]})
        plain = client.post(path, json={"visitor_id": visitor, **ROUTES[path]})
    assert answer.status_code == 200
    told = answer.json()
    [repair] = told.pop("repaired")
    assert (repair["field"], repair["message"].startswith("user_id: ")) == ("user_id", True)
    assert {**told, "recommendation_id": None} == {**plain.json(), "recommendation_id": None}
    assert [row for row in records(worker, visitor_id=visitor) if "user_id" in row] == []


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("wrong", UNUSABLE)
def test_a_visitor_who_can_be_none_is_left_out_and_gets_an_id(worker: OneWorker, path: str, wrong: Any) -> None:
    with worker.client() as client:
        told = client.post(path, json={"visitor_id": wrong, "user_id": "u-1", **ROUTES[path]}).json()
    assert [each["field"] for each in told["repaired"]] == ["visitor_id"]
    assert told["visitor_id"].startswith("v1.")


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("wrong", UNUSABLE)
def test_where_no_id_can_be_one_each_is_named_with_why(worker: OneWorker, path: str, wrong: Any) -> None:
    with worker.client() as client:
        both = client.post(path, json={"visitor_id": wrong, "user_id": wrong, **ROUTES[path]})
        alone = client.post(path, json={"user_id": wrong, **ROUTES[path]})
    assert [(each.status_code, each.json()["code"]) for each in (both, alone)] == [(400, "invalid_id")] * 2
    assert all(f"{name}: " in both.json()["detail"] for name in ("visitor_id", "user_id"))
    assert "visitor_id" not in alone.json()["detail"]
