"""The OpenAPI document describes every route that answers, hot ones included, and nothing else."""

import re
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from servers.one_worker import PUBLISHABLE, SECRET, OneWorker

from app.glossary import entries
from app.main import cold_routes
from app.management import documentation
from app.management.openapi import PRINTABLE
from kit.values import names_something

FOREIGN = ("GrowthBook", "Segment", "RudderStack")  # whose members their own protocols explain
UNLISTED = {"/docs", "/docs.css", "/openapi.json", "/llms.txt", "/guides/{name:path}.md"}


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
    short = {(path, "post") for path in documentation.SHORT_NAMES}  # served, and the same as the names in full
    pages = {(path, method) for path, method in cold if path.startswith("/dashboard")}
    assert short < hot
    assert described == (hot | cold) - short - pages


STEERING = {f"/v1/experiments/{{key}}/{action}" for action in ("pause", "resume", "stop")}


def test_every_operation_has_a_summary_answers_and_every_body_an_example(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (method, path)
            assert "422" not in operation["responses"], (method, path)
            bodies = operation.get("requestBody", {}).get("content", {})
            assert not bodies or any("example" in content for content in bodies.values()), (method, path)


def test_every_operation_has_a_name_of_its_own_a_tag_and_says_which_key_it_takes(document: dict[str, Any]) -> None:
    operations = [each for methods in document["paths"].values() for each in methods.values()]
    names = [each["operationId"] for each in operations]
    assert len(names) == len(set(names))
    assert [name for name in names if not re.fullmatch(r"[a-z][A-Za-z]+", name)] == []
    assert [each["operationId"] for each in operations if not each["tags"] or "security" not in each] == []


def media(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every JSON answer: the operation's name with its status, the status, what is said of the answer."""
    for methods in document["paths"].values():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                for kind, told in response.get("content", {}).items():
                    if kind in ("application/json", "application/problem+json"):
                        yield f"{operation['operationId']} {status}", status, told


def test_every_answer_of_json_has_a_type_and_every_success_an_example_of_it(document: dict[str, Any]) -> None:
    assert [name for name, _, told in media(document) if not {"$ref", "anyOf"} & set(told["schema"])] == []
    successes = [(name, told) for name, status, told in media(document) if status.startswith("2")]
    assert len(successes) > 50
    assert [name for name, told in successes if "example" not in told] == []
    for name, told in successes:
        rules = Draft202012Validator({"components": document["components"], **told["schema"]})
        assert [f"{name}: {fault.message[:200]}" for fault in rules.iter_errors(told["example"])] == []


def test_the_examples_of_answers_hold_nothing_that_looks_secret_or_of_a_test_service(document: dict[str, Any]) -> None:
    shown = [(name, msgspec.json.encode(told.get("example")).decode()) for name, _, told in media(document)]
    telling = r"eyJ[\w-]+|/share/[\w-]{43}|v1\.[\w-]{22}\.|127\.0\.0\.1|localhost"
    assert [(name, found) for name, text in shown for found in re.findall(telling, text)] == []


def test_the_schemas_of_answers_are_closed_and_each_of_their_members_is_explained(document: dict[str, Any]) -> None:
    named = dict(entries.schemas())
    assert {name: document["components"]["schemas"][name] for name in named} == named
    objects = {name: schema for name, schema in named.items() if schema.get("type") == "object"}
    assert [name for name, schema in objects.items() if schema.get("additionalProperties") is not False] == []
    assert [name for name, schema in named.items() if "{}" in msgspec.json.encode(schema).decode()] == []
    assert [
        f"{name}.{member}"
        for name, schema in objects.items()
        for member, told in schema["properties"].items()
        if "description" not in told and not name.startswith(FOREIGN)
    ] == []


def lists_and_booleans(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema below one that may be a list, or that has but one boolean."""
    if isinstance(schema, dict):
        kinds = schema.get("type")
        if "array" in (kinds if isinstance(kinds, list) else [kinds]) or True in schema.get("enum", ()):
            yield schema
    for each in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from lists_and_booleans(each)


def test_every_list_says_what_it_holds_or_generators_of_clients_leave_its_answer_out(document: dict[str, Any]) -> None:
    found = list(lists_and_booleans(document["components"]["schemas"]))
    assert len(found) > 100
    assert [schema for schema in found if "items" not in schema] == []


def test_files_are_named_as_such_and_as_bytes(document: dict[str, Any]) -> None:
    sent = document["paths"]["/v1/products"]["put"]["requestBody"]["content"]
    files = {"application/x-ndjson", "text/csv", "application/vnd.apache.parquet", "application/octet-stream"}
    assert set(sent) == files
    given = document["paths"]["/v1/export/events"]["get"]["responses"]["200"]["content"]
    assert set(given) == {"application/x-ndjson", "application/octet-stream"}


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


def test_every_operation_has_an_anchor_that_the_contents_lead_to_and_nothing_is_folded_away(
    worker: OneWorker, document: dict[str, Any]
) -> None:
    with worker.client(None) as client:
        page = client.get("/docs").text
    names = {each["operationId"] for methods in document["paths"].values() for each in methods.values()}
    anchors = re.findall(r' id="([\w-]+)"', page)
    assert names < set(anchors)
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r'href="#([\w-]+)"', page)) == set(anchors)
    assert "<details" not in page


def test_what_anyone_may_ask_for_is_rendered_once(worker: OneWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    with worker.client(None) as client:
        first = [client.get(path).content for path in ("/docs", "/openapi.json")]
        monkeypatch.setattr(documentation, "document", None)
        monkeypatch.setattr(worker.app.cold, "openapi", None)
        again = [client.get(path).content for path in ("/docs", "/openapi.json")]
    assert again == first
    assert all(first)


def test_whatever_an_id_may_begin_with_by_the_schema_names_somebody() -> None:
    """Each letter that there is: what the schema promises is taken."""
    promised = [letter for letter in map(chr, range(sys.maxunicode + 1)) if re.search(PRINTABLE, letter)]
    assert len(promised) > 30_000
    assert [letter for letter in promised if not names_something(letter)] == []
