"""A cookie says what the service has stored of what a page left by a beacon: of a success, for pages that may know."""

from pathlib import Path

import pytest
from servers.one_worker import PUBLISHABLE, OneWorker

from app.intake.tracking import LEFT_SECONDS


def batch(visitor: str = "v-1", **more: str) -> dict:
    return {"batch": [{"type": "track", "event": "Left", "anonymousId": visitor, **more}]}


def receipts(worker: OneWorker, body: dict, left: str = "&left=b7", **headers: str) -> list[str]:
    with worker.client(None) as page:
        answer = page.post(f"/v1/batch?key={PUBLISHABLE}{left}", json=body, headers=headers)
    return answer.headers.get_list("set-cookie")


def test_of_what_is_stored_a_cookie_has_the_name_that_the_page_gave(worker: OneWorker) -> None:
    assert receipts(worker, batch()) == [f"resonate_left=b7; Path=/; SameSite=Lax; Max-Age={LEFT_SECONDS}"]
    assert receipts(worker, {"batch": []}) == [f"resonate_left=b7; Path=/; SameSite=Lax; Max-Age={LEFT_SECONDS}"]


@pytest.mark.parametrize("left", ["", "&left=", "&left=a%0d%0ab", "&left=" + "a" * 65, "&left=A-1", "&wasleft=b7"])
def test_a_name_that_is_none_gets_no_cookie(worker: OneWorker, left: str) -> None:
    assert receipts(worker, batch(), left) == []


def test_what_is_refused_or_another_sites_gets_no_cookie(worker: OneWorker) -> None:
    assert receipts(worker, {"no": "batch"}) == []
    assert receipts(worker, batch(), origin="https://elsewhere.example") == []
    assert receipts(worker, {**batch(), "consent": "none"}) == []
    assert not any("b7" in each for each in receipts(worker, batch(), cookie="resonate_consent=none"))


def test_what_a_store_that_is_away_did_not_take_gets_no_cookie(tmp_path: Path) -> None:
    with OneWorker(tmp_path) as worker:
        worker.store.stop()
        assert receipts(worker, batch("unlucky")) == []
