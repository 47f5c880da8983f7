"""Each code that is refused with has a text where it is raised, and in the glossary one sentence that says what is
wrong and what ends it; of events also a remedy.
"""

import re
from typing import Final

import pytest
from oracles.refusal_codes import RaisedCode, raised

from app.analysis.server import _REFUSALS  # pyright: ignore[reportPrivateUsage]
from app.answers.refusals import REFUSAL_CODES
from app.glossary.entries import sentences_in
from app.steering.orders import _REFUSED  # pyright: ignore[reportPrivateUsage]
from events.causes import STORE_CAUSES
from events.tallies.remedies import OTHERWISE, REMEDIES, remedy_of
from experiments.cx.asked import UnknownKpi
from experiments.program.holdout import UnknownHoldout
from experiments.readout.study import NotFound

# Places whose code is only known at run time, and what it may be there; what is raised again is of another place.
AT_RUN_TIME: Final = {
    "app/analysis/client.py": set[str](),
    "app/analysis/server.py": {code for _, code, _ in _REFUSALS.values()},
    "app/http/errors.py": set[str](),
    "app/intake/tracking.py": set(STORE_CAUSES),
    "app/main.py": {"not_found", "invalid_request"},
    "app/management/visitors.py": set(STORE_CAUSES),
    "app/routes/dependencies.py": set[str](),
    "app/routes/ofrep.py": {"invalid_context", "targeting_key_missing"},
    "app/routes/personalize.py": set[str](),
    "app/routes/recommendations.py": {"too_many_items", "too_many_exclude"},
    "app/serving/bounded.py": {"address_too_long", "headers_too_large"},
    "app/serving/protocol.py": set[str](),
    "app/steering/orders.py": {code for _, code in _REFUSED.values()},
    "events/dialects/commerce.py": set[str](),
    "events/dialects/fields.py": set[str](),
    "events/dialects/growthbook.py": set[str](),
    "events/dialects/validation.py": {"too_deep", "too_many_keys"},
}
"""By file."""
INTAKE: Final = ("events/dialects/", "app/intake/")


def every_code() -> dict[str, list[RaisedCode]]:
    found: dict[str, list[RaisedCode]] = {}
    for each in raised():
        codes = {each.code} if each.code is not None else AT_RUN_TIME[each.place.partition(":")[0]]
        for code in codes:
            found.setdefault(code, []).append(each)
    for kind in {*NotFound.__subclasses__(), UnknownHoldout, UnknownKpi}:
        found.setdefault(f"unknown_{kind.what}", [])
    return found


def test_each_code_that_is_raised_is_explained_and_each_that_is_explained_is_raised() -> None:
    assert set(every_code()) - set(STORE_CAUSES) == set(REFUSAL_CODES)


@pytest.mark.parametrize("code", [*REFUSAL_CODES, *STORE_CAUSES])
def test_a_refusal_says_what_is_wrong_and_what_ends_it(code: str) -> None:
    said = {**sentences_in("RefusalCode"), **sentences_in("StoreCause")}[code]
    wrong, _, ends = said.partition(": ")
    assert len(wrong.split()) >= 3, said
    assert len(ends.split()) >= 3, said
    assert said.endswith(".")
    assert wrong[0].isupper()
    assert not re.search(rf"\b{code}\b", said)


def test_each_place_that_refuses_says_in_words_what_is_wrong() -> None:
    places = [each for each in raised() if each.code is not None or each.place.startswith("app/")]
    assert len(places) > 150
    assert [each for each in places if not each.told] == []


def test_each_code_that_is_told_of_events_has_a_remedy() -> None:
    of_intake = {
        code for code, places in every_code().items() if any(each.place.startswith(INTAKE) for each in places)
    } - set(STORE_CAUSES)  # nothing was wrong with the event
    assert {"missing_id", "unknown_path", "user_alone", "too_deep", "invalid_currency"} <= of_intake
    assert {code for code in of_intake if remedy_of(code) == OTHERWISE} == set()
    assert REMEDIES.keys() <= set(REFUSAL_CODES)
