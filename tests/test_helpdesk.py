"""The recipe of help desks is true: its payloads, through its functions, are tickets that count."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from servers.one_worker import DEFINITIONS, SECRET, OneWorker, records

GUIDE = (Path(__file__).parents[1] / "docs/recipes/helpdesk.md").read_text(encoding="utf-8")
ZENDESK = [
    ("Ticket Opened", "2026-11-20T08:15:00Z", None), ("Ticket Answered", "2026-11-20T09:45:00Z", "agent"),
    ("Ticket Resolved", "2026-11-20T16:00:00Z", None), ("Ticket Reopened", "2026-11-21T07:00:00Z", None),
    ("Ticket Resolved", "2026-11-21T10:30:00Z", None),
]  # fmt: skip
INTERCOM = [
    ("Ticket Opened", "2026-11-26T08:00:00Z", None), ("Ticket Answered", "2026-11-26T08:00:30Z", "bot"),
    ("Ticket Answered", "2026-11-26T09:00:00Z", "agent"), ("Ticket Resolved", "2026-11-26T11:00:00Z", None),
    ("Ticket Reopened", "2026-11-26T12:00:00Z", None),
]  # fmt: skip


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def functions() -> dict[str, Any]:
    names: dict[str, Any] = {}
    for block in blocks("python"):
        exec(block, names)
    return names


def events() -> dict[str, list[dict[str, Any]]]:
    found, (ticket, notifications) = functions(), [json.loads(block) for block in blocks("json")]
    intercom = [each for told in notifications for each in found["from_intercom"](told)]
    return {"zendesk": list(found["from_zendesk"](ticket)), "intercom": intercom}


def stored(worker: OneWorker, sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = [records(worker, message_id=each["messageId"]) for each in sent]
    assert all(len(each) == 1 for each in rows)
    return sorted([row for [row] in rows], key=lambda row: row["time"])


@pytest.mark.parametrize(("desk", "life"), [("zendesk", ZENDESK), ("intercom", INTERCOM)])
@pytest.mark.parametrize("consent", ["measure", "personal"])
def test_the_payloads_of_the_guide_are_tickets_that_count(
    tmp_path: Path, desk: str, life: list[tuple[str, str, str | None]], consent: str
) -> None:
    sent = events()[desk]
    shop = {"shop.yaml": f"privacy: {{backend_consent: {consent}}}\n"}
    with OneWorker(tmp_path, {**DEFINITIONS, **shop}) as worker:
        assert functions()["send"](sent[::-1], worker.url, SECRET) == {"success": True}  # in whichever order
        assert functions()["send"](sent, worker.url, SECRET) == {"success": True}  # and once more
        rows = stored(worker, sent)
    assert [(row["event"], row["properties"].get("by")) for row in rows] == [(name, by) for name, _, by in life]
    moments = [row["time"] // 1_000_000 for row in rows]
    told = [int(datetime.fromisoformat(at).timestamp()) for _, at, _ in life]
    assert moments == told
    assert {row["properties"]["ticket_id"] for row in rows} == {"zendesk-35436" if desk == "zendesk" else "intercom-63"}
    assert {row["authority"] for row in rows} == {2}
    assert {row.get("user_id") for row in rows} == {"u-1042" if consent == "personal" else None}
    assert {row["visitor_id"].partition("-")[0] for row in rows} == {desk}
    assert rows[0]["properties"]["channel"] in ("email", "conversation")


def test_a_lost_webhook_of_the_first_answer_is_made_good_by_the_statistics() -> None:
    _, notifications = [json.loads(block) for block in blocks("json")]
    closed = [each for each in functions()["from_intercom"](notifications[2])]
    assert [(each["event"], each["properties"].get("by")) for each in closed] == [
        ("Ticket Resolved", None), ("Ticket Answered", "agent"),
    ]  # fmt: skip
