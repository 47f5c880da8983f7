"""One call per page view: messages and product lists, with exposures only where something is shown."""

from pathlib import Path
from typing import Any

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
