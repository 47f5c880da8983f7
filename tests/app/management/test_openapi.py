"""The OpenAPI document describes every route that answers, hot ones included, and nothing else."""

import re
from typing import Any

import pytest
from openapi_spec_validator import validate
from servers.one_worker import PUBLISHABLE, SECRET, OneWorker

from app.main import cold_routes
from app.management import documentation

UNLISTED = {"/docs", "/docs.css", "/openapi.json"}


@pytest.fixture(scope="module")
def document(worker: OneWorker) -> dict[str, Any]:
    with worker.client(None) as client:
        return client.get("/openapi.json").json()


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    validate(document)


def test_hot_routes_and_their_description_are_the_same_set(worker: OneWorker, document: dict[str, Any]) -> None:
    table = worker.app.table
    hot = {(route.name, route.method.lower()) for route in (*table.exact.values(), *table.below.values())}
    cold = {
        (re.sub(r":\w+", "", path), method.lower())
        for method, path in cold_routes()
        if path not in UNLISTED and not path.startswith("/dashboard")
    }  # pages are for people
    described = {(path, method) for path, operations in document["paths"].items() for method in operations}
    assert described == hot | cold


STEERING = {f"/v1/experiments/{{key}}/{action}" for action in ("pause", "resume", "stop")}


def test_every_operation_has_a_summary_answers_and_every_body_an_example(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (method, path)
            assert "422" not in operation["responses"], (method, path)
            bodies = operation.get("requestBody", {}).get("content", {})
            assert not bodies or any("example" in content for content in bodies.values()), (method, path)


def test_the_examples_of_the_hot_routes_are_accepted(worker: OneWorker, document: dict[str, Any]) -> None:
    with worker.client(SECRET) as client:
        for path, operations in document["paths"].items():
            example = operations.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {})
            if "example" in example:
                key = PUBLISHABLE if path.startswith("/api/") else "banner"
                answer = client.post(path.replace("{key}", key), json=example["example"])
                told = {int(status) for status in operations["post"]["responses"] if status.startswith("2")}
                assert told == {answer.status_code}, (path, answer.text)
                assert "rejected" not in answer.text, path


def test_the_page_of_the_documentation_is_self_contained(worker: OneWorker, document: dict[str, Any]) -> None:
    with worker.client(None) as client:
        page = client.get("/docs")
        style = client.get("/docs.css")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "<script" not in page.text
    assert 'src="http' not in page.text
    assert style.headers["content-type"].startswith("text/css")
    assert all(path in page.text for path in document["paths"])


def test_what_anyone_may_ask_for_is_rendered_once(worker: OneWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    with worker.client(None) as client:
        first = [client.get(path).content for path in ("/docs", "/openapi.json")]
        monkeypatch.setattr(documentation, "document", None)
        monkeypatch.setattr(worker.app.cold, "openapi", None)
        again = [client.get(path).content for path in ("/docs", "/openapi.json")]
    assert again == first
    assert all(first)
