"""The report on privacy says what holds and what the log has, and ends badly where the service breaks a condition."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from servers.people import TESTS, people_of
from servers.service import SECRET_KEY, write_definitions
from worlds.event_log import received, write_log

from app.analysis.calls import answer
from app.analysis.privacy import conditions_of, measure_is_offered
from app.analysis.queries import PrivacyQuery
from app.analysis.state import Analysis
from app.identity.consent import ConsentRules
from app.identity.cookies import CookieRules
from app.runtime.settings import Settings
from events.authority import Authority
from events.records import Record
from events.views.identifiers import IdSurvey
from experiments.catalog.publisher import CatalogKeeper
from experiments.definitions.shop import Privacy, Shop, Visitors
from kit.time import DAY_US, now_us

EXPERIMENT = "key: banner\nstatus: running\nvariants: [a, b]\ngoal: purchase_rate\n"
RANDOM = ("0f8fad5b-d9cb-469f-a165-70867728950e", "GA1.2.1041222912.1617634321", "k3v9xq7b1c2m")


async def reported(root: Path, records: list[Record], shop: str = "", **settings: Any) -> dict[str, Any]:
    definitions = write_definitions(root / "definitions", {"banner.yaml": EXPERIMENT, "shop.yaml": shop})
    data = root / "data"
    CatalogKeeper(definitions, data, lambda: datetime.now(UTC)).boot()
    write_log(data, received(records))
    analysis = await Analysis.open(Settings(data=data, secret_keys=(SECRET_KEY,), **settings))
    try:
        return json.loads((await answer(analysis, PrivacyQuery())).body)
    finally:
        await analysis.close()


def row(number: int, visitor: str, days_ago: float = 1, **fields: Any) -> Record:
    fields = {"type": "exposure", "experiment": "banner", "variant": "a", "phase": 0} | fields
    return Record(message_id=str(number), visitor_id=visitor, time=now_us() - round(days_ago * DAY_US), **fields)


@pytest.mark.anyio
async def test_ids_and_consents_of_the_log_are_counted(tmp_path: Path) -> None:
    visitors = [*RANDOM, "v-17", "1700000000000", "ann@shop.example", "u-known"]
    rows = [row(n, visitor, consent="measure" if n < 2 else "personal") for n, visitor in enumerate(visitors)]
    rows += [
        row(20, "v1.UTEApZgDZTUGOFWH_NBDUA.OjZvjBZvm8czgzj6", issued=True),
        row(21, RANDOM[0], type="identify", user_id="u-known", consent="personal"),
        row(22, RANDOM[1], type="identify", user_id="bob@shop.example"),
        row(23, "only-a-user", type="page", user_id="only-a-user"),
        row(24, "backends-own-1", authority=Authority.BACKEND),
        row(25, "long-ago", days_ago=31),
        row(26, "", type="refused", value=40.0, authority=Authority.BACKEND),
    ]
    people = people_of(tmp_path / "data")
    people.add("ada@shop.example", "admin", TESTS, 0)
    people.add("bob@shop.example", "publisher", TESTS, 0)
    found = await reported(tmp_path, rows)
    assert found["ids"]["users_that_look_like_emails"] == {"count": 1, "share": 1 / 3}
    assert found["ids"]["page_visitors"] == 9
    assert (found["ids"]["issued"]["count"], found["ids"]["guessable"]["count"]) == (1, 4)
    assert found["consent_of_30_days"]["answers"] == {"none": 40, "measure": 2, "personal": 6}
    assert found["consent_of_30_days"]["visitors"]["measure"] == 2
    assert {"visitor_ids_guessable", "user_ids_are_emails"} <= {point["code"] for point in found["open"]}
    assert len(found["who_may_read_people"]) == 2
    assert found["who_may_read_people"][1] == "ada@shop.example"
    assert SECRET_KEY not in json.dumps(found)


@pytest.mark.anyio
async def test_a_condition_that_the_service_breaks_is_told_first_and_by_the_exit_code(tmp_path: Path) -> None:
    measuring = "privacy: {default_consent: measure, backend_consent: measure}\n"
    good = await reported(tmp_path / "good", [row(1, RANDOM[0])], measuring, erasure_journal=tmp_path / "journal")
    long = await reported(tmp_path / "long", [row(1, RANDOM[0])], measuring, retention_days=761)
    personal = "privacy: {default_consent: personal, gpc: ignore, backend_consent: personal}\n"
    asked = await reported(tmp_path / "asked", [row(1, RANDOM[0])], personal, retention_days=761)
    assert (good["fails"], good["measure_is_offered"]) == (False, True)
    assert [point["code"] for point in good["open"]] == ["to_say", "to_say"]
    assert (long["fails"], long["open"][0]["of"]) == (True, "data_25_months")
    assert (asked["fails"], asked["measure_is_offered"]) == (False, False)
    assert {each["state"] for each in good["conditions"]} == {"met", "for the shop to say"}
    assert "no legal advice" in good["what_this_is"]


@pytest.mark.anyio
async def test_cookies_stand_in_it_with_their_attributes(tmp_path: Path) -> None:
    shop = "cookie_domain: .shop.example\nvisitors: {cookie: vid, http_only: true, days: 90}\n"
    found = await reported(tmp_path, [], shop, public_url="https://shop.example/r")
    cookie = found["cookies"][0]
    assert {name: cookie[name] for name in ("name", "domain", "days", "secure", "http_only", "same_site")} == {
        "name": "vid", "domain": "shop.example", "days": 90, "secure": True, "http_only": True, "same_site": "Lax"
    }  # fmt: skip
    assert "consent_not_chosen" in {point["code"] for point in found["open"]}
    assert found["consent"]["nothing_said"] == "measure"


@pytest.mark.parametrize(("days", "state"), [(760, "met"), (761, "not met"), (36_500, "not met")])
def test_data_may_be_kept_for_25_months(days: int, state: str) -> None:
    cookie = CookieRules.of(Shop(visitors=Visitors(days=395)))
    rules = ConsentRules(Privacy(backend_consent="measure"), public=True)
    states = {each.condition: each.state for each in conditions_of(rules, cookie, days)}
    assert (states["data_25_months"], states["cookie_13_months"], states["no_joining"]) == (state, "met", "met")


def test_joining_by_backends_breaks_a_condition() -> None:
    rules = ConsentRules(Privacy(backend_consent="personal"), public=True)
    states = {each.condition: each.state for each in conditions_of(rules, CookieRules.of(Shop()), 1)}
    assert states["no_joining"] == "not met"


@pytest.mark.parametrize(
    ("privacy", "public", "measured", "offered"),
    [
        (Privacy(), False, 0, False),
        (Privacy(), False, 1, True),
        (Privacy(), True, 0, True),
        (Privacy(default_consent="personal"), True, 0, True),  # browsers that object are measured
        (Privacy(default_consent="personal", gpc="none"), True, 0, False),
        (Privacy(default_consent="personal", gpc="ignore"), True, 0, False),
        (Privacy(default_consent="none"), True, 0, False),
        (Privacy(default_consent="measure"), False, 0, True),
    ],
)
def test_measuring_is_offered_where_somebody_is_measured(
    privacy: Privacy, public: bool, measured: int, offered: bool
) -> None:
    found = IdSurvey(0, 0, 0, 0, 0, {}, {"measure": measured, "personal": 0})
    assert measure_is_offered(ConsentRules(privacy, public=public), found, public=public) is offered
