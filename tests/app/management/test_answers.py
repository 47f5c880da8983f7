"""Every JSON answer of a service of which everything is asked holds what its closed schema promises, and no more."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from servers.service import Service
from worlds.answered_shop import answered_shop

RESULTS = "/v1/experiments/banner/results"
JSON = ("application/json", "application/problem+json")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, list[tuple[str, int, Any]]]]:
    with answered_shop(tmp_path_factory.mktemp("answered")) as (service, given):
        yield service, given


@pytest.fixture(scope="module")
def asked(shop: tuple[Service, list[tuple[str, int, Any]]]) -> tuple[dict[str, Any], list[tuple[str, int, Any]]]:
    service, given = shop
    with service.client() as client:
        return client.get("/openapi.json").json(), given


def schema_of(document: Mapping[str, Any], name: str, status: int) -> dict[str, Any]:
    method, path = name.split(" ", 1)
    response = document["paths"][path][method.lower()]["responses"][str(status)]
    [schema] = [kind["schema"] for name, kind in response["content"].items() if name in JSON]
    return schema


def test_every_answer_holds_what_its_schema_promises_and_no_more(asked: Any) -> None:
    document, given = asked
    assert len({(name, status) for name, status, _ in given}) > 60
    wrong: list[str] = []
    for name, status, answer in given:
        rules = {"components": document["components"], **schema_of(document, name, status)}
        for fault in Draft202012Validator(rules).iter_errors(answer):
            leaf = fault if not fault.context else max(fault.context, key=lambda each: len(each.absolute_path))
            wrong.append(f"{name} {status} at {list(leaf.absolute_path)}: {leaf.message[:300]}")
    assert sorted(set(wrong)) == []


def test_a_readout_in_brief_is_a_form_of_its_own_with_its_own_closed_schema(
    shop: tuple[Service, list[tuple[str, int, Any]]],
) -> None:
    with shop[0].client() as client:
        document = client.get("/openapi.json").json()
        whole, told = (client.get(RESULTS, params={"detail": each}) for each in ("full", "brief"))
        refused = client.get(RESULTS, params={"detail": "brief", "format": "csv"})
    media = document["paths"]["/v1/experiments/{key}/results"]["get"]["responses"]["200"]["content"]
    kept = media[told.headers["content-type"]]
    for answer in (told.json(), kept["example"]):
        assert [
            *Draft202012Validator({"components": document["components"], **kept["schema"]}).iter_errors(answer)
        ] == []
    for name in ("experiment", "phase", "sentence"):
        assert told.json()[name] == whole.json()[name]
    assert told.json()["decision"].items() <= whole.json()["decision"].items()
    assert len(told.content) < 3_000
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")
    assert "detail=brief" in refused.json()["detail"]


def test_a_member_that_no_type_has_is_a_fault(asked: Any) -> None:
    document, _ = asked
    rules = {"components": document["components"], "$ref": "#/components/schemas/Check"}
    check = {"code": "paused", "detail": "It was paused.", "metric": None, "variant": None, "withholds_ship": False}
    assert Draft202012Validator(rules).is_valid(check)
    assert not Draft202012Validator(rules).is_valid({**check, "level": 1})
