"""The mode of a request: the strictest of what is said, else what the shop lets hold."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples

from app.identity.consent import ConsentRules
from events.authority import Authority
from events.consent import OF_WORD, Consent, Stated, UnknownConsent
from experiments.definitions.shop import ConsentCategories, Privacy

WORDS = ("none", "measure", "personal")


def request(
    header: str | None = None, cookie: str | None = None, query: str | None = None, gpc: str | None = None
) -> tuple[dict[str, Any], dict[bytes, bytes]]:
    lines = [(b"host", b"shop.example")]
    lines += [] if header is None else [(b"x-resonate-consent", header.encode())]
    lines += [] if cookie is None else [(b"cookie", cookie.encode())]
    lines += [] if gpc is None else [(b"sec-gpc", gpc.encode())]
    return {"headers": lines, "query_string": (query or "").encode()}, dict(lines)


def rules(public: bool = True, **privacy: Any) -> ConsentRules:
    return ConsentRules(Privacy(**privacy), public=public)


said = st.sampled_from((None, *WORDS))


@given(header=said, cookie=said, query=said, body=said, gpc=st.sampled_from((None, "1", "0")), default=said)
@settings(max_examples=examples(200))
def test_the_strictest_of_what_is_said_holds_and_else_what_the_shop_chose(
    header: str | None, cookie: str | None, query: str | None, body: str | None, gpc: str | None, default: str | None
) -> None:
    scope, headers = request(
        header,
        None if cookie is None else f"a=b; resonate_consent={cookie}; c=d",
        None if query is None else f"x=1&consent={query}",
        gpc,
    )
    found = rules(default_consent=default, gpc="none").of_request(scope, headers, body)
    told = [OF_WORD[word] for word in (header, cookie, query, body) if word is not None]
    unsaid = Consent.MEASURE if default is None else OF_WORD[default]
    assert found is (min(told) if told else Consent.NONE if gpc == "1" else unsaid)


def test_a_service_on_its_own_machine_stores_all_until_somebody_chooses_and_a_public_one_counts() -> None:
    scope, headers = request()
    assert rules(public=False).of_request(scope, headers) is Consent.PERSONAL
    assert rules(public=True).of_request(scope, headers) is Consent.MEASURE
    assert rules(public=False).chosen
    assert not rules(public=True).chosen
    assert rules(public=True, default_consent="personal").chosen


def test_what_a_backend_says_nothing_about_is_counted_and_no_more_once_the_shop_has_chosen() -> None:
    scope, headers = request()
    chosen = rules(default_consent="personal")
    assert chosen.of_events(scope, headers, Authority.BACKEND).unsaid is Consent.MEASURE
    assert chosen.of_events(scope, headers, Authority.PAGE).unsaid is Consent.PERSONAL
    known = rules(default_consent="measure", backend_consent="personal")
    assert known.of_events(scope, headers, Authority.BACKEND).unsaid is Consent.PERSONAL


@pytest.mark.parametrize(("gpc", "default", "holds"), [
    ("measure", "personal", Consent.MEASURE), ("ignore", "personal", Consent.PERSONAL),
    ("none", "measure", Consent.NONE), ("measure", "none", Consent.NONE),
])  # fmt: skip
def test_an_objection_never_allows_more_than_silence(gpc: str, default: str, holds: Consent) -> None:
    scope, headers = request(gpc="1")
    assert rules(default_consent=default, gpc=gpc).of_request(scope, headers) is holds


@pytest.mark.parametrize(
    "told",
    [
        {"header": "all"}, {"header": ""}, {"header": "NONE"}, {"header": "personal, yes"}, {"query": "consent="},
        {"query": "consent=personal&consent=1"}, {"cookie": "resonate_consent=granted"}, {"query": "%63onsent=x"},
    ],
)  # fmt: skip
def test_another_word_is_refused_by_the_name_of_its_place_and_never_echoed(told: dict[str, str]) -> None:
    scope, headers = request(**told)
    with pytest.raises(UnknownConsent, match="it must be none, measure or personal") as refused:
        rules().of_request(scope, headers)
    assert not {"all", "yes", "granted"} & set(str(refused.value).replace(",", " ").split())


@pytest.mark.parametrize("told", [True, 1, ["none"], {"resonate": "none"}, "", "nothing"])
def test_a_body_says_one_of_three_words(told: Any) -> None:
    scope, headers = request()
    with pytest.raises(UnknownConsent, match="consent: it must be none, measure or personal"):
        rules().of_request(scope, headers, told)


def test_an_object_without_members_says_nothing_as_php_writes_it_too() -> None:
    found = [Stated(None, Consent.MEASURE).of_event({"consent": told}) for told in ({}, [], None)]
    assert found == [Consent.MEASURE] * 3
    with pytest.raises(UnknownConsent):
        Stated().of_event({"consent": ["personal"]})


def test_lines_and_lists_of_a_header_are_all_heard() -> None:
    lines = [(b"x-resonate-consent", b"none"), (b"x-resonate-consent", b"personal")]
    for order in itertools.permutations(lines):
        scope = {"headers": list(order), "query_string": b""}
        assert rules().of_request(scope, dict(order)) is Consent.NONE
    scope, headers = request(header="personal, measure")
    assert rules().of_request(scope, headers) is Consent.MEASURE
    cookies = [(b"cookie", b"resonate_consent=none"), (b"cookie", b"resonate_consent=personal")]
    assert rules().of_request({"headers": cookies, "query_string": b""}, dict(cookies)) is Consent.NONE


@pytest.mark.parametrize(
    ("context", "holds"),
    [
        (None, Consent.PERSONAL),
        ({"consent": None}, Consent.PERSONAL),
        ({"consent": {"resonate": "measure"}}, Consent.MEASURE),
        ({"consent": {"categoryPreferences": {"Advertising": False}}}, Consent.PERSONAL),  # nothing about ours
        ({"consent": {"categoryPreferences": {"Analytics": True, "Personal": True}}}, Consent.PERSONAL),
        ({"consent": {"categoryPreferences": {"Analytics": True, "Personal": False}}}, Consent.MEASURE),
        ({"consent": {"categoryPreferences": {"Analytics": True}}}, Consent.MEASURE),
        ({"consent": {"categoryPreferences": {"Analytics": False, "Personal": True}}}, Consent.NONE),
        ({"consent": {"categoryPreferences": {"Personal": True}}}, Consent.NONE),
        (
            {"consent": {"resonate": "personal", "categoryPreferences": {"Analytics": True, "Personal": False}}},
            Consent.MEASURE,
        ),
    ],
)
def test_an_event_says_it_by_our_word_or_by_segments_categories(context: Any, holds: Consent) -> None:
    categories = ConsentCategories(measure="Analytics", personal="Personal")
    scope, headers = request()
    stated = rules(default_consent="personal", consent_categories=categories).of_events(scope, headers, Authority.PAGE)
    assert stated.of_event(context) is holds
    scope, headers = request(header="measure")
    stated = rules(default_consent="personal", consent_categories=categories).of_events(scope, headers, Authority.PAGE)
    assert stated.of_event(context) is min(holds, Consent.MEASURE)


@pytest.mark.parametrize("told", ["none", {"resonate": 1}, {"categoryPreferences": {"Analytics": "yes"}}, ["none"]])
def test_an_event_that_says_it_in_other_words_is_refused(told: Any) -> None:
    categories = ConsentCategories(measure="Analytics", personal="Personal")
    scope, headers = request()
    stated = rules(consent_categories=categories).of_events(scope, headers, Authority.PAGE)
    with pytest.raises(UnknownConsent):
        stated.of_event({"consent": told})
