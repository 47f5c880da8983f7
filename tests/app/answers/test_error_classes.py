"""A client's mistake is never answered with 5xx, a fault of ours always with 503 and when to ask again."""

import ast
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from oracles.refusal_codes import ROOT

from app.analysis.server import _REFUSALS
from app.http.errors import Problem, retry_later
from app.intake.tracking import not_stored
from app.runtime.ailments import WORDS
from events.causes import STORE_CAUSES, StoreCause
from events.store.availability import StoreUnavailable

REFUSING = ("Problem", "retry_later", "AnalysisError", "HttpAnswer", "refuse")  # whose first argument is the status
BY_NAME = ("JSONResponse", "Response", "PlainTextResponse", "HTMLResponse")


def statuses() -> Iterator[tuple[str, str, int, str]]:
    """(place, what is called, status, code) of every answer whose status stands in the source."""
    for path in sorted((ROOT / "app").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            named = [each.value for each in node.keywords if each.arg == "status_code" and called in BY_NAME]
            for told in [*(node.args[:1] if called in REFUSING else []), *named]:
                for status in [each.value for each in ast.walk(told) if isinstance(each, ast.Constant)]:
                    if type(status) is int and status >= 100:
                        code = node.args[1] if len(node.args) > 1 else None
                        text = code.value if isinstance(code, ast.Constant) else ""
                        yield f"{path.relative_to(ROOT)}:{node.lineno}", called, status, str(text)


def test_every_status_of_a_fault_of_ours_is_503() -> None:
    found = [*statuses()]
    assert len(found) > 100
    assert [each for each in found if each[2] >= 500 and each[2] != 503] == []


def test_no_code_is_both_a_mistake_of_a_client_and_a_fault_of_ours() -> None:
    of_clients = {code for _, called, status, code in statuses() if status < 500 and called != "HttpAnswer" and code}
    ours = {code for _, called, status, code in statuses() if status >= 500 and called != "HttpAnswer" and code}
    assert of_clients & ours == set()
    assert {"unexpected_error", "overloaded"} <= ours


def test_what_the_analysis_refuses_says_when_to_ask_again_where_the_fault_is_ours() -> None:
    assert {status for status, _, _ in _REFUSALS.values()} == {400, 503}
    for kind, (status, _, seconds) in _REFUSALS.items():
        assert (seconds is not None and seconds >= 1) is (status == 503), kind


@pytest.mark.parametrize("cause", STORE_CAUSES)
def test_every_cause_of_the_store_refuses_events_with_503_and_has_words(cause: StoreCause) -> None:
    resources: Any = SimpleNamespace(telemetry=SimpleNamespace(went_wrong=lambda _: None))
    problem = not_stored(resources, StoreUnavailable(cause))
    assert (problem.status, problem.code) == (503, cause)
    assert int(dict(problem.headers)[b"retry-after"]) >= 1
    assert len(WORDS[cause]) == 2


def test_a_problem_says_when_to_ask_again_where_the_fault_is_ours_and_only_there() -> None:
    assert dict(Problem(503, "c", "d").headers)[b"retry-after"] == b"5"
    assert dict(retry_later(503, "c", "d", 60).headers)[b"retry-after"] == b"60"
    assert Problem(404, "c", "d").headers == []
