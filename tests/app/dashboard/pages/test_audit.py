"""The audit as a page: the newest first, filtered, page by page, and as CSV."""

import csv
import html
import io
import re
from collections.abc import Callable

import pytest
from servers.one_worker import OneWorker
from servers.people import Visitor

from app.keys.audit import Actor, Audit, line_of
from app.keys.scopes import Role
from app.management.audit import subject_of

SignedInAs = Callable[[Role], Visitor]
AUDIT = "/dashboard/audit"
RUNNING, STOPPED = {"status": "running", "phase": 1}, {"status": "stopped", "phase": 1}
HOSTILE = '<img src=x onerror="alert(1)">'


@pytest.fixture(scope="module", autouse=True)
def written(worker: OneWorker) -> None:
    """The audit of this worker has 250 lines of `ops`, one of each kind of change, and one about a visitor."""
    audit = Audit(worker.settings.data)
    audit.write(*(line_of(Actor("key", "ops"), "pause", f"test-{number}") for number in range(250)))
    audit.write(
        line_of(Actor("cli", "jana"), "stop", "hero", (RUNNING, STOPPED), HOSTILE),
        line_of(Actor("key", "ops"), "access", subject_of("visitor", "v-1")),
        line_of(Actor("file", "=cmd.yaml"), "definition", "hero", (None, {"digest": "abc"})),
    )  # fmt: skip


def subjects(text: str) -> list[str]:
    rows = re.findall(r"<tr>\s*<td><time.*?</tr>", text, re.DOTALL)
    return [html.unescape(re.findall(r"<td>(.*?)</td>", row, re.DOTALL)[2]) for row in rows]


def test_the_newest_come_first_and_links_lead_to_all_of_them_once(signed_in_as: SignedInAs) -> None:
    reader, seen, address = signed_in_as("admin"), list[str](), f"{AUDIT}?actor=ops"
    for _ in range(3):
        text = reader.get(address).text
        seen += subjects(text)
        older = re.search(r'rel="next" href="([^"]+)"', text)
        address = html.unescape(older[1]) if older else ""
    assert address == ""
    tests = [subject for subject in seen if subject.startswith("test-")]
    assert tests == [f"test-{number}" for number in reversed(range(250))]


def test_a_line_says_who_when_what_from_what_to_what_and_why(signed_in_as: SignedInAs) -> None:
    text = signed_in_as("admin").get(AUDIT, params={"actor": "jana"}).text
    assert subjects(text) == ["hero"]
    assert "jana (cli)" in text
    assert "status: running → stopped" in text
    assert "phase: 1" not in text
    assert HOSTILE not in text
    assert html.escape(HOSTILE, quote=False) in text.replace("&#34;", '"')


def test_a_visitor_is_found_by_the_id_which_stands_nowhere(signed_in_as: SignedInAs) -> None:
    text = signed_in_as("admin").get(AUDIT, params={"subject": "visitor:v-1"}).text
    assert subjects(text) == [subject_of("visitor", "v-1")]
    assert "No line is like that" in signed_in_as("admin").get(AUDIT, params={"subject": "visitor:v-2"}).text


def test_the_file_has_what_the_filter_takes_and_no_formula(signed_in_as: SignedInAs) -> None:
    answer = signed_in_as("admin").get(f"{AUDIT}.csv", params={"subject": "hero"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["act"], row["actor"], row["reason"]) for row in rows] == [
        ("stop", "jana", HOSTILE), ("definition", "'=cmd.yaml", ""),
    ]  # fmt: skip


def test_what_is_no_place_in_it_is_refused(signed_in_as: SignedInAs) -> None:
    for cursor in ("x", "2027-01", "2027-01:-1", "2027-01:" + "9" * 20):
        assert signed_in_as("admin").get(AUDIT, params={"before": cursor}).status_code == 400, cursor
