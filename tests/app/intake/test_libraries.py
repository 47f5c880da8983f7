"""What is stored and what is refused of one library is told under one name, whatever its dialect and its consent."""

from typing import Any

import pytest
from servers.one_worker import SECRET, OneWorker, records

NODE = {"library": {"name": "@segment/analytics-node", "version": "3.1.0"}}
BEAT = {"type": "engagement", "seq": 1, "context": NODE}
# By dialect: where it is sent, an event that is stored, one that is refused, and the name of its library.
SENT: dict[str, tuple[str, Any, Any, str]] = {
    "segment": ("/v1/batch", {"type": "track", "event": "Seen", "context": NODE}, {"type": "?", "context": NODE},
                "analytics-node"),
    "beats": ("/v1/batch", {**BEAT, "engagedMs": 5}, {**BEAT, "engagedMs": -5}, "analytics-node"),
    "growthbook": ("/track", {"event_name": "Seen"}, {"event_name": ""}, "growthbook"),
    "exposures": ("/track", {"event_name": "Experiment Viewed", "properties_json": {
                   "experimentId": "elsewhere", "variationId": 1}}, {"event_name": "Experiment Viewed"}, "growthbook"),
    "ga4": ("/mp/collect", {"name": "sign_up"}, {"name": ""}, "ga4"),
}  # fmt: skip


def whole(dialect: str, visitor: str, *events: dict[str, Any]) -> Any:
    """The body of a request with these events."""
    if dialect == "ga4":
        return {"client_id": visitor, "events": events}
    if dialect in ("growthbook", "exposures"):
        return [{"device_id": visitor, **event} for event in events]
    return {"batch": [{"anonymousId": visitor, "pageViewId": visitor, **event} for event in events]}


@pytest.mark.parametrize("consent", ["personal", "measure"])
@pytest.mark.parametrize("dialect", SENT)
def test_a_row_and_a_refusal_name_the_same_library(worker: OneWorker, dialect: str, consent: str) -> None:
    path, good, bad, library = SENT[dialect]
    visitor = f"library-{dialect}-{consent}"
    with worker.client() as client:
        before = refusals(worker)
        answer = client.post(path, json=whole(dialect, visitor, good, bad), params={"consent": consent})
        assert answer.is_success
    [row] = records(worker, visitor_id=visitor)
    assert {name for name, count in refusals(worker).items() if count != before.get(name)} == {library}
    assert row["context"]["library"]["name"] in (library, NODE["library"]["name"])
    if consent == "measure":
        assert row["context"] == {"library": {"name": library}}


def refusals(worker: OneWorker) -> dict[str, int]:
    """How many events were refused so far, by library."""
    with worker.client(SECRET) as client:
        found: dict[str, int] = {}
        for cause in client.get("/v1/events/rejected").json()["rejected"]:
            found[cause["library"]] = found.get(cause["library"], 0) + cause["count"]
        return found
