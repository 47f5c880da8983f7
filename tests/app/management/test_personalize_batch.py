"""`POST /v1/personalize/batch`: many recipients, the answers of one, nobody exposed."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from servers.one_worker import DEFINITIONS, PUBLISHABLE, SECRET, OneWorker, records
from worlds.shop_worlds import publish_trained, taste_world

PATH = "/v1/personalize/batch"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneWorker]:
    """A worker that knows products too."""
    root = tmp_path_factory.mktemp("batch")
    publish_trained(root / "data" / "models", taste_world())
    with OneWorker(root, DEFINITIONS) as running:
        yield running


def sent(shop: OneWorker, *lines: Any, key: str = SECRET, **options: Any) -> httpx.Response:
    body = b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    with shop.client(key) as client:
        return client.post(PATH, content=options.pop("content", body), **options)


def answers(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    return [json.loads(line) for line in response.text.splitlines()]


def test_each_recipient_is_told_what_a_page_of_theirs_would_be_and_nobody_is_exposed(shop: OneWorker) -> None:
    asked = [
        {"visitor_id": f"b-{number}", "user_id": number, "attributes": {"device": "mobile"},
         "recommendations": [{"slot": "mail", "limit": 3}]}
        for number in range(70)
    ]  # fmt: skip
    found = answers(sent(shop, *asked))
    assert [(each["index"], each["visitor_id"], each["user_id"]) for each in found] == [
        (number, f"b-{number}", number) for number in range(70)
    ]
    with shop.client(SECRET) as client:
        for each, body in zip(found[:10], asked, strict=False):
            alone = client.post("/v1/personalize", json={**body, "expose": False}).json()
            assert each["experiments"] == alone["experiments"]
            lists = [list_["recommendations"]["mail"]["items"] for list_ in (each, alone)]
            assert lists[0] == lists[1] != []
    assert {each["experiments"]["banner"]["variant"] for each in found} == {"control", "threshold"}
    assert records(shop) == []


def test_experiments_that_are_named_are_not_exposed_either(shop: OneWorker) -> None:
    [found] = answers(sent(shop, {"visitor_id": "b-named", "experiments": ["banner", "nope"]}))
    assert list(found["experiments"]) == ["banner"]
    assert found["errors"]["nope"]["code"] == "unknown_experiment"
    [refused] = answers(sent(shop, {"visitor_id": "b-named", "experiments": ["banner"], "expose": True}))
    assert refused["error"]["code"] == "never_exposes"
    assert records(shop) == []


def test_what_is_wrong_with_one_recipient_concerns_no_other(shop: OneWorker) -> None:
    found = answers(sent(shop, {"user_id": "u-1"}, {}, b"{", {"visitor_id": "v", "recommendations": [{}]}, b"  ",
                         {"visitor_id": "b-1", "consent": "perhaps"}, {"visitor_id": "b-2"}))  # fmt: skip
    assert [each.get("error", {}).get("code") for each in found] == [
        None, "missing_id", "unreadable_body", "unreadable_body", "unknown_consent", None,
    ]  # fmt: skip
    assert [each["index"] for each in found] == list(range(6))
    assert found[0]["experiments"]["members"]["reason"] == "SPLIT"


def test_an_id_that_can_be_none_is_left_out_and_named_beside_one_that_can(shop: OneWorker) -> None:
    found = answers(sent(shop, {"visitor_id": "v", "user_id": []}, {"visitor_id": {}, "user_id": 7}, {"user_id": {}}))
    assert [each.get("repaired", [{}])[0].get("field") for each in found] == ["user_id", "visitor_id", None]
    assert found[0]["visitor_id"] == "v"
    assert found[1]["user_id"] == 7
    assert found[2]["error"]["code"] == "invalid_id"


def test_who_refuses_is_written_to_as_control(shop: OneWorker) -> None:
    found = answers(sent(shop, *({"visitor_id": f"b-{number}", "consent": "none"} for number in range(20))))
    assert {each["experiments"]["banner"]["variant"] for each in found} == {"control"}


def test_a_batch_may_be_packed_and_has_an_end(shop: OneWorker) -> None:
    line = b'{"visitor_id":"b-1"}\n'
    packed = sent(shop, content=gzip.compress(line * 10_000), headers={"content-encoding": "gzip"})
    assert [each["index"] for each in answers(packed)] == list(range(10_000))
    assert sent(shop, content=line * 10_001).json()["code"] == "batch_too_large"
    assert sent(shop, content=b"").text == ""


def test_pages_may_not(shop: OneWorker) -> None:
    assert sent(shop, {"visitor_id": "b-1"}, key=PUBLISHABLE).status_code == 403


def test_an_id_is_read_as_everywhere_and_one_that_is_none_ends_no_batch(shop: OneWorker) -> None:
    lines = [{"visitor_id": wrong, "user_id": wrong} for wrong in ([1], {"a": 1}, True, 1.5, "null")]
    *found, number, text = answers(sent(shop, *lines, {"visitor_id": 12345}, {"visitor_id": "12345"}))
    assert [each["error"]["code"] for each in found] == ["invalid_id"] * len(lines)
    assert number["experiments"] == text["experiments"]
    assert number["experiments"]["banner"]["in_experiment"]
