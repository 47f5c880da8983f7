"""Any text in any parameter of any route of /openapi.json is answered, or refused as a mistake: never a fault."""

from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples
from servers.one_worker import DEFINITIONS
from servers.service import Service, running

TEXTS = (
    "", " ", "0", "-1", "1", "99999999999999999999", "9223372036854775808", "1e9", "1e400", "NaN", "Infinity", "null",
    "true", "0001-01-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999Z", "2026-13-01", "2026-11-29",
    "2026-11-29T00:00:00-23:59", "0000-00-00", "a.b", "properties.device", "context.device", 'purchase_rate"', "';--",
    '"; DROP TABLE events; --', "$1", "{}", "[]", "a,b", "../../etc/passwd", "..", "%00", "a\x00b", "a\nb",
    "\r\nX-A: 1", "\u0663", "\u00b2", "\uff11", "\u202e", "x" * 300, "banner", "draft", "purchase_rate", "device",
    "csv", "parquet", "json", "full", "0-0", "1-1", "MToxOjE", "eyJ9", "aGVsbG8=", "v1", "*", "?", "%", "\U0001f600",
)  # fmt: skip
ANY = st.sampled_from(TEXTS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
ENDLESS = ("/sub/{key}", "/ofrep/v1/stream")
PLAIN = {"key": "banner", "identifier": "v-1", "product_id": "sku-17"}  # of the parameters that are not in question
# As asked, or as the service says it is refused. A method that is none has no parameters of its own.
RIGHT = {200, 201, 202, 204, 303, 304, 400, 401, 403, 404, 405, 409, 413, 414, 415, 422}


class Parameter(NamedTuple):
    """One of a route's parameters; `others` are those of its path."""

    method: str
    path: str
    name: str
    place: str
    others: tuple[str, ...]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("service"), DEFINITIONS, RESONATE_WORKERS="1") as service:
        with service.client() as client:
            for number in range(20):
                shown = {"visitor_id": f"v-{number}", "experiments": ["banner"]}
                assert client.post("/v1/personalize", json=shown).status_code == 200
                order = {"order_id": f"o-{number}", "revenue": 3}
                event = {"anonymousId": f"v-{number}", "event": "Order Completed", "properties": order}
                assert client.post("/v1/track", json=event).status_code == 200
        yield service


@pytest.fixture(scope="module")
def parameters(service: Service) -> list[Parameter]:
    with service.client() as client:
        paths: dict[str, Any] = client.get("/openapi.json").json()["paths"]
    found: list[Parameter] = []
    for path, operations in paths.items():
        for method, operation in operations.items() if path not in ENDLESS else ():
            told = operation.get("parameters", [])
            in_path = tuple(each["name"] for each in told if each["in"] == "path")
            found += [
                Parameter(method.upper(), path, each["name"], each["in"], in_path)
                for each in told
                if each["in"] in ("path", "query", "header")
            ]
    return found


def asked(client: httpx.Client, parameter: Parameter, text: str) -> httpx.Response:
    path = parameter.path
    for name in parameter.others:
        told = text if (name, parameter.place) == (parameter.name, "path") else PLAIN.get(name, "banner")
        path = path.replace(f"{{{name}}}", quote(told, safe=""))
    query = {parameter.name: text} if parameter.place == "query" else {}
    headers = {parameter.name: quote(text, safe="*/=;")} if parameter.place == "header" else {}
    body = {} if parameter.method == "GET" else {"json": {}}
    return client.request(parameter.method, path, params=query, headers=headers, **body)


def judged(service: Service, client: httpx.Client, parameter: Parameter, text: str) -> None:
    answer = asked(client, parameter, text)
    assert answer.status_code in RIGHT, (parameter, text, answer.status_code, answer.text[:300])


def test_every_route_has_parameters_that_are_asked_for(parameters: list[Parameter]) -> None:
    assert len(parameters) > 60
    assert {"metric", "dimension", "phase", "at", "cursor", "limit", "format", "key"} <= {
        each.name for each in parameters
    }


def test_any_text_in_any_parameter_is_no_fault_of_ours(service: Service, parameters: list[Parameter]) -> None:
    with service.client() as client:

        @settings(max_examples=examples(150))
        @given(st.sampled_from(parameters), ANY)
        def is_answered(parameter: Parameter, text: str) -> None:
            judged(service, client, parameter, text)

        is_answered()
    assert "Traceback" not in service.log_text()


@pytest.mark.parametrize("name", ["metric", "dimension", "phase", "at", "cursor", "limit", "format"])
def test_what_reaches_sql_a_path_or_a_file_is_parsed_first(
    service: Service, parameters: list[Parameter], name: str
) -> None:
    texts = TEXTS if examples(1) > 1 else TEXTS[::7]
    with service.client() as client:
        for parameter in [each for each in parameters if each.name == name][: examples(2)]:
            for text in texts:
                judged(service, client, parameter, text)
    assert "Traceback" not in service.log_text()


def test_a_malformed_name_is_400_and_an_unknown_one_404_with_what_there_is(service: Service) -> None:
    results = "/v1/experiments/banner/results"
    cases = {
        "at=0001-01-01": (400, "before every log"),
        "at=yesterday": (400, "2026-01-20T09:00:00Z"),
        "phase=x": (400, "phase"),
        "phase=7": (404, "phase"),
        "metric=purchase_rat": (404, "purchase_rate"),
        "dimension=a.b": (404, "device"),
        "dimension=*": (404, "device"),
        "format=xml": (400, "csv"),
    }
    with service.client() as client:
        for query, (status, said) in cases.items():
            answer = client.get(f"{results}?{query}")
            assert (answer.status_code, said in answer.text) == (status, True), (query, answer.text)
        unknown = client.get("/v1/experiments/baner/results")
        assert (unknown.status_code, "banner" in unknown.text) == (404, True)
        assert client.get("/v1/export/events?cursor=../x").status_code == 400
