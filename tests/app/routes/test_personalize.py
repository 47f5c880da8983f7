"""One call per page view: messages and product lists, with exposures only where something is shown."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples
from servers.one_worker import OneWorker, records


def personalize(worker: OneWorker, **body: Any) -> dict[str, Any]:
    with worker.client() as client:
        answer = client.post("/v1/personalize", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_named_experiments_are_exposed_by_default(worker: OneWorker) -> None:
    answer = personalize(worker, visitor_id="p-1", experiments=["banner"])["experiments"]["banner"]
    assert (answer["in_experiment"], answer["reason"], answer["exposure"]) == (True, "SPLIT", "logged")
    assert [record["message_id"] for record in records(worker, visitor_id="p-1")] == [answer["exposure_id"]]


def test_all_running_experiments_are_evaluated_without_exposing_anyone(worker: OneWorker) -> None:
    answer = personalize(worker, visitor_id="p-2", attributes={"device": "mobile"})["experiments"]
    assert sorted(answer) == ["banner", "members", "mobile-only"]
    assert records(worker, visitor_id="p-2") == []


def test_a_shipped_variant_stays_on_pages_that_name_no_experiment(tmp_path: Path) -> None:
    shipped = """
key: banner
status: stopped
variants: [{key: control, payload: plain}, {key: threshold, payload: free shipping}]
goal: purchase_rate
decision: {outcome: shipped, variant: threshold}
"""
    with OneWorker(tmp_path, {"banner.yaml": shipped}) as worker:
        answer = personalize(worker, visitor_id="p-9", expose=True)["experiments"]["banner"]
        assert (answer["payload"], answer["reason"], answer["in_experiment"]) == ("free shipping", "STATIC", False)
        assert records(worker, visitor_id="p-9") == []


def test_the_caller_may_decide_on_exposure(worker: OneWorker) -> None:
    personalize(worker, visitor_id="p-3", experiments=["banner"], expose=False)
    personalize(worker, visitor_id="p-4", attributes={"device": "mobile"}, user_id="u-4", expose=True)
    assert records(worker, visitor_id="p-3") == []
    assert {record["experiment"] for record in records(worker, visitor_id="p-4")} == {
        "banner",
        "members",
        "mobile-only",
    }


def test_every_dialect_gives_a_visitor_the_same_variant(worker: OneWorker) -> None:
    with worker.client() as client:
        for number in range(50):
            visitor = f"same-{number}"
            ours = personalize(worker, visitor_id=visitor, experiments=["banner"], expose=False)
            context = {"targetingKey": visitor, "resonate.expose": False}
            theirs = client.post("/ofrep/v1/evaluate/flags/banner", json={"context": context}).json()
            assert ours["experiments"]["banner"]["variant"] == theirs["variant"]


def test_an_unknown_experiment_is_named_with_the_one_that_was_meant(worker: OneWorker) -> None:
    answer = personalize(worker, visitor_id="p-5", experiments=["baner", "banner"], expose=False)
    assert list(answer["experiments"]) == ["banner"]
    assert "did you mean 'banner'" in answer["errors"]["baner"]["message"]


def test_a_slot_is_answered_by_the_named_fallback_before_any_model_exists(worker: OneWorker) -> None:
    lists = personalize(worker, visitor_id="p-6", recommendations=[{"slot": "cart", "items": ["sku-1"], "limit": 3}])
    cart = lists["recommendations"]["cart"]
    assert (cart["fallback"], cart["items"]) == ("popular", [])


def test_null_members_are_the_same_as_absent_ones(worker: OneWorker) -> None:
    nothing = {"user_id": None, "attributes": None, "experiments": None, "recommendations": None, "expose": None}
    assert "banner" in personalize(worker, visitor_id="p-7", **nothing)["experiments"]


@pytest.mark.parametrize("twice", [("cart", "cart"), ("front", "cart", "front"), ("", "")])
def test_a_slot_that_is_asked_for_twice_is_refused_and_enrols_nobody(worker: OneWorker, twice: tuple[str, ...]) -> None:
    body = {"visitor_id": "p-twice", "experiments": ["banner"], "recommendations": [{"slot": name} for name in twice]}
    with worker.client() as client:
        answer = client.post("/v1/personalize", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "duplicate_slot")
    assert answer.json()["detail"].startswith(f"recommendations[{len(twice) - 1}].slot: {twice[-1]!r}")
    assert records(worker, visitor_id="p-twice") == []


SLOTS = st.lists(
    st.fixed_dictionaries(
        {"slot": st.sampled_from("abcdefghij")},
        optional={"items": st.lists(st.text(max_size=9), max_size=9), "limit": st.integers(1, 100)},
    ),
    min_size=1, max_size=5, unique_by=lambda slot: slot["slot"],
)  # fmt: skip
PAGES = st.fixed_dictionaries(
    {"experiments": st.just(["banner"]), "recommendations": SLOTS},
    optional={"user_id": st.integers(0, 99), "attributes": st.just({"device": "mobile"}), "expose": st.just(True)},
)
SPOILT = {
    "visitor_id": [" ", "null", "v" * 300, 7.5],
    "attributes": [[], {"deep": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}],
    "experiments": ["banner", ["banner"] * 201, [1]],
    "expose": ["yes", 1],
    "recommendations": [{}, [{}], ["a"], [{"slot": str(number)} for number in range(21)]],
}
SPOILT_SLOTS = {
    "slot": [None, 1, "s" * 101],
    "items": ["a", {}, ["a"] * 101],
    "limit": [0, -1, 101, 2.5, 1e300, "3"],
}


@settings(max_examples=examples(120), deadline=None)
@given(
    page=PAGES,
    at=st.sampled_from([(name, value) for name, values in SPOILT.items() for value in values]),
    in_slot=st.none() | st.sampled_from([(name, value) for name, values in SPOILT_SLOTS.items() for value in values]),
    place=st.integers(0, 4),
)
def test_a_page_view_that_is_refused_anywhere_leaves_no_event(
    worker: OneWorker, page: dict[str, Any], at: tuple[str, Any], in_slot: tuple[str, Any] | None, place: int
) -> None:
    body = {"visitor_id": "p-spoilt", **page}
    if in_slot is None:
        body[at[0]] = at[1]
        if at[0] == "visitor_id":  # beside a user it would be left out
            body["user_id"] = at[1]
    else:
        slot = body["recommendations"][place % len(body["recommendations"])]
        slot[in_slot[0]] = in_slot[1]
    before = len(records(worker))
    with worker.client() as client:
        answer = client.post("/v1/personalize", json=body)
    assert 400 <= answer.status_code < 500, (body, answer.text)
    assert len(records(worker)) == before
