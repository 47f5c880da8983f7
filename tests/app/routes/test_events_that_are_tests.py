"""An event that was sent to see whether it arrives is exported as it came, and counts for nothing."""

from typing import Any

import pytest
from servers.one_worker import PUBLISHABLE, SECRET, OneWorker, records

CONTEXT = {"resonate_test": True}
EXPOSURE = {"experiment_id": "banner", "variation_id": "control"}
TESTS: dict[str, tuple[str, Any]] = {
    "segment": ("/v1/track", {"event": "Order Completed", "anonymousId": "t-1", "context": CONTEXT,
                              "properties": {"order_id": "o-segment", "revenue": 5}}),
    "growthbook": ("/track", [{"event_name": "Clicked", "device_id": "t-1",
                               "properties_json": {"resonate_test": True}}]),
    "exposures of segment": ("/v1/track", {"event": "Experiment Viewed", "anonymousId": "t-1", "messageId": "t-viewed",
                                           "properties": {**EXPOSURE, "resonate_test": True}}),
    "exposures of growthbook": ("/track", [{"event_name": "Experiment Viewed", "device_id": "t-1", "uuid": "t-seen",
                                            "properties_json": {**EXPOSURE, "resonate_test": True}}]),
    "ga4": ("/mp/collect", {"client_id": "t-1", "events": [{"name": "sign_up", "params": {"resonate_test": True}}]}),
}  # fmt: skip


@pytest.mark.parametrize("dialect", TESTS)
@pytest.mark.parametrize("key", [PUBLISHABLE, SECRET])
@pytest.mark.parametrize("consent", ["personal", "measure"])
def test_a_test_event_is_stored_apart(worker: OneWorker, dialect: str, key: str, consent: str) -> None:
    path, body = TESTS[dialect]
    before = len(records(worker))
    with worker.client(key) as client:
        assert client.post(path, json=body, params={"consent": consent}).is_success
    [record] = records(worker)[before:] or records(worker)[-1:]
    assert record["quarantined"] is True


def test_what_only_looks_like_a_test_counts(worker: OneWorker) -> None:
    with worker.client() as client:
        for number, said in enumerate((False, "true", 1)):
            event = {
                "event": "Seen",
                "anonymousId": "t-2",
                "messageId": f"looks-{number}",
                "context": {"resonate_test": said},
            }
            client.post("/v1/track", json=event)
    assert [record.get("quarantined", False) for record in records(worker, visitor_id="t-2")] == [False] * 3
