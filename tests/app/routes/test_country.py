"""The country of a page is what a trusted proxy says of its request, where an audience asks it."""

import json
from typing import Any

import pytest
from servers.one_worker import PUBLISHABLE, SECRET, OneWorker, records
from servers.service import Service

from app.runtime.settings import SettingsError, load_settings

SLOVAK = "key: slovak\nstatus: running\nvariants: [a, b]\ngoal: purchase_rate\naudience: {where: {country: SK}}\n"
ALL = "key: all\nstatus: running\nvariants: [a, b]\ngoal: purchase_rate\n"
FILES = {"slovak.yaml": SLOVAK}
TOLD: dict[str, Any] = {"trusted_proxies": ("127.0.0.0/8",), "country_header": "CF-IPCountry"}
HEADER = "cf-ipcountry"
ROUTES = ("ofrep", "personalize", "eval")


@pytest.fixture(scope="module")
def behind_a_proxy(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with OneWorker(tmp_path_factory.mktemp("proxied"), FILES, **TOLD) as running:
        yield running


def takes_part(
    worker: OneWorker, route: str, from_where: str | None, key: str = PUBLISHABLE, visitor: str = "v-1", **told: Any
) -> bool:
    """Whether somebody whose request says this country is in, whatever client of ours they have."""
    headers = {} if from_where is None else {HEADER: from_where}
    with worker.client(key, headers=headers) as client:
        match route:
            case "ofrep":
                body = {"context": {"targetingKey": visitor, **told}}
                answer = client.post("/ofrep/v1/evaluate/flags/slovak", json=body).raise_for_status()
                return answer.json()["metadata"]["in_experiment"]
            case "personalize":
                body = {"visitor_id": visitor, "attributes": told, "experiments": ["slovak"]}
                answer = client.post("/v1/personalize", json=body).raise_for_status()
                return answer.json()["experiments"]["slovak"]["in_experiment"]
            case _:
                body = {"attributes": {"id": visitor, **told}}
                answer = client.post(f"/api/eval/{PUBLISHABLE}", json=body).raise_for_status()
                return bool(answer.json()["features"]["slovak"]["rules"])


@pytest.mark.parametrize("route", ROUTES)
def test_a_page_is_where_the_proxy_says_unless_it_says_so_itself(behind_a_proxy: OneWorker, route: str) -> None:
    assert [takes_part(behind_a_proxy, route, each) for each in ("SK", "sk", "CZ", None)] == [True, True, False, False]
    assert [takes_part(behind_a_proxy, route, each) for each in ("XX", "T1", "SVK", "", "S K")] == [False] * 5
    assert takes_part(behind_a_proxy, route, "CZ", country="SK") is True
    assert takes_part(behind_a_proxy, route, "SK", country="CZ") is False


@pytest.mark.parametrize("route", ["ofrep", "personalize"])
def test_the_country_of_a_backend_is_nobodys(behind_a_proxy: OneWorker, route: str) -> None:
    assert takes_part(behind_a_proxy, route, "SK", SECRET) is False
    assert takes_part(behind_a_proxy, route, "CZ", SECRET, country="SK") is True


def test_what_the_proxy_told_is_not_stored(behind_a_proxy: OneWorker) -> None:
    assert takes_part(behind_a_proxy, "personalize", "SK", visitor="v-fine", mood="fine")
    kept = [record.get("properties") for record in records(behind_a_proxy, experiment="slovak")]
    assert {"mood": "fine"} in kept
    assert "cf-ipcountry" not in repr(kept)
    assert "resonate.country" not in repr(kept)


@pytest.mark.parametrize("settings", [{**TOLD, "trusted_proxies": ()}, {**TOLD, "country_header": None}])
def test_a_header_that_nobody_vouches_for_says_nothing(settings: dict[str, Any], tmp_path) -> None:
    with OneWorker(tmp_path, FILES, **settings) as worker:
        assert [takes_part(worker, route, "SK") for route in ROUTES] == [False] * 3
        assert "attributes" not in script(worker, "SK")[1]


def script(worker: OneWorker, country: str | None, **headers: str) -> tuple[dict[str, str], dict[str, Any], int]:
    """The headers of the tag, what it is told, and the status."""
    told = headers if country is None else {HEADER: country, **headers}
    with worker.client(None) as client:
        answer = client.get(f"/resonate.js?key={PUBLISHABLE}", headers=told)
    line = answer.text.partition(";\n")[0].removeprefix("window.__resonate=")
    return dict(answer.headers), json.loads(line) if line else {}, answer.status_code


def test_the_script_of_an_audience_by_country_is_for_one_caller(behind_a_proxy: OneWorker) -> None:
    found = {country: script(behind_a_proxy, country) for country in ("SK", "cz", None, "XX")}
    assert [told.get("attributes") for _, told, _ in found.values()] == [
        {"country": "SK"},
        {"country": "CZ"},
        None,
        None,
    ]
    for headers, _, _ in found.values():
        assert headers["cache-control"] == "private, max-age=30, stale-while-revalidate=3600, stale-if-error=36000"
        assert HEADER in headers["vary"]
    tags = {country: headers["etag"] for country, (headers, _, _) in found.items()}
    assert len({tags["SK"], tags["cz"], tags[None]}) == 3
    assert script(behind_a_proxy, "SK", **{"if-none-match": tags["SK"]})[2] == 304
    assert script(behind_a_proxy, "CZ", **{"if-none-match": tags["SK"]})[2] == 200


def test_no_more_scripts_are_kept_than_there_may_be_countries(behind_a_proxy: OneWorker) -> None:
    letters = "ABCDEFGHIJ"
    for country in [one + other for one in letters for other in letters]:
        assert script(behind_a_proxy, country)[1]["attributes"] == {"country": country}


@pytest.mark.parametrize(("files", "settings"), [({"all.yaml": ALL}, TOLD), (FILES, {})])
def test_the_script_is_everybodys_where_nobody_asks_or_tells(files: Any, settings: Any, tmp_path) -> None:
    with OneWorker(tmp_path, files, **settings) as worker:
        headers, told, _ = script(worker, "SK")
        assert headers["cache-control"].startswith("public, ")
        assert HEADER not in headers["vary"]
        assert "attributes" not in told
        assert script(worker, "CZ")[0]["etag"] == headers["etag"]


def test_a_secret_country_is_told_as_conditions_name_it(tmp_path) -> None:
    secure = {"shop.yaml": "secure_attributes: [country]\nsecure_salt: some-long-salt-of-ours\n"}
    with OneWorker(tmp_path, {**FILES, **secure}, **TOLD) as worker:
        told = script(worker, "SK")[1]
        condition = told["features"]["slovak"]["rules"][0]["condition"]
        assert condition["country"] == told["attributes"]["country"] != "SK"
        assert takes_part(worker, "personalize", "SK") is True


def test_the_doctor_says_whether_an_audience_can_be_told(start_service) -> None:
    told = {"RESONATE_TRUSTED_PROXIES": "127.0.0.0/8", "RESONATE_COUNTRY_HEADER": "CF-IPCountry"}
    site = start_service(FILES, **told)
    assert doctor(site, "SK") == (True, "cf-ipcountry of this request says SK", None)
    assert doctor(site, "XX")[0] is False
    assert "RESONATE_COUNTRY_HEADER" in (doctor(start_service(FILES), "SK")[2] or "")
    untrusted = start_service(FILES, RESONATE_COUNTRY_HEADER="CF-IPCountry")
    assert doctor(untrusted, "SK")[2] == "set RESONATE_TRUSTED_PROXIES"


def doctor(site: Service, country: str) -> tuple[bool, str, str | None]:
    """What it says of the country."""
    with site.client(headers={HEADER: country}) as client:
        lines = client.get("/v1/doctor").raise_for_status().json()["lines"]
    [line] = [line for line in lines if line["check"] == "country"]
    return line["ok"], line["found"], line["remedy"]


@pytest.mark.parametrize("name", ["CF IPCountry", "country:", "země"])
def test_a_name_that_no_header_has_is_refused_at_the_start(name: str) -> None:
    with pytest.raises(SettingsError, match="RESONATE_COUNTRY_HEADER: it must be the name of a header"):
        load_settings({"RESONATE_COUNTRY_HEADER": name})
