"""Events that name a user and no visitor, where the consent is measure: who runs the service is told, nobody else."""

import json
from typing import Any

import httpx
import pytest
from conftest import StartService
from servers.service import PUBLISHABLE_KEY, Service

CALLS: dict[str, tuple[str, Any]] = {
    "segment": ("/v1/batch", {"batch": [{"type": "track", "event": "x", "userId": "alone-user"}]}),
    "growthbook": ("/track", [{"event_name": "x", "user_id": "alone-user"}]),
    "ga4": ("/mp/collect?debug=1", {"user_id": "alone-user", "events": [{"name": "x"}]}),
}
FIELDS = {"segment": "anonymousId", "growthbook": "device_id", "ga4": "client_id"}
KNOWN = {"type": "identify", "anonymousId": "v-1", "userId": "alone-user"}
BESIDE = {"type": "track", "event": "x", "anonymousId": "v-1", "userId": "alone-user"}


@pytest.fixture
def service(start_service: StartService) -> Service:
    return start_service({"shop.yaml": "privacy: {default_consent: measure}\n"}, RESONATE_WORKERS="1")


def test_the_page_is_told_of_success_and_the_operator_what_to_set(service: Service) -> None:
    with httpx.Client(base_url=service.url, headers={"authorization": f"Bearer {PUBLISHABLE_KEY}"}) as page:
        answers = [page.post(path, json=body).json() for path, body in CALLS.values()]
        answers.append(page.post("/v1/batch", json={"batch": [KNOWN, BESIDE]}).json())
        metrics = page.get("/metrics").text
    with service.client() as client:
        found = client.get("/v1/events/rejected").json()
        lines = client.get("/v1/doctor").raise_for_status().json()["lines"]
    assert answers == [{"success": True}] * 4
    assert 'resonate_events_total{outcome="dropped"} 3' in metrics
    told = {each["dialect"]: (each["code"], each["field"], each["count"], each["last"]) for each in found["dropped"]}
    assert told == {dialect: ("user_alone", field, 1, []) for dialect, field in FIELDS.items()}
    [line] = [line for line in lines if line["check"] == "consent"]
    assert line["found"].startswith("3 events in 7 days named a user only")
    assert "default_consent: personal" in line["remedy"]
    assert "alone-user" not in json.dumps([found, lines]) + (service.data / "refused-events.json").read_text()
