"""Machines that say so are known by whole tokens; nobody is a machine by the name of an app or a phone."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds.user_agents import ANDROID, BROWSERS, IPHONE, KIT, LIBRARIES, MAC, MACHINES, PEOPLE, WINDOWS

from events.dialects.user_agents import FAMILIES, PRODUCTS, client

pieces = st.text("acdeghjkmqxz0123456789_", min_size=1, max_size=6)  # no piece and no two make a machine's name
places = st.sampled_from(
    [
        f"Mozilla/5.0 (Linux; Android 14; {{}}) {KIT} Chrome/125.0.0.0 Mobile Safari/537.36",
        f"Mozilla/5.0 (Linux; Android 14; wv; {{}} Build/UP1A) {KIT} Version/4.0 Chrome/125.0.0.0 Mobile Safari/537.36",
        f"{ANDROID} Chrome/125.0.0.0 Mobile Safari/537.36 [FBAN/FB4A;FBDV/{{}};]",
        f"{IPHONE} Mobile/15E148 Safari/604.1 {{}}/12.4",
        f"{IPHONE} Mobile/15E148 [{{}}/iOS]",
        f"{WINDOWS} {{}}/126.0.1 Chrome/126.0.0.0 Safari/537.36",
        f"{MAC} Chrome/126.0.0.0 Safari/537.36 {{}}",
        "{}/4.2.0 (iPhone; iOS 17.5.1; Scale/3.00)",
    ]
)


@pytest.mark.parametrize(("agent", "device", "browser"), BROWSERS)
def test_a_browser_is_a_visitor_with_its_families(agent: str, device: str, browser: str | None) -> None:
    seen = client(agent)
    assert (seen.bot, seen.device, seen.browser) == (False, device, browser)


def test_the_tables_are_as_wide_as_they_promise() -> None:
    assert min(len(PEOPLE), len(set(MACHINES))) >= 60
    assert len({name.rsplit(" ", 1)[0] for name in PEOPLE if re.search(" (iOS|Android)$", name)}) >= 15


@pytest.mark.parametrize("agent", PEOPLE.values(), ids=PEOPLE)
def test_people_are_never_machines(agent: str) -> None:
    assert not client(agent).bot


@pytest.mark.parametrize("agent", MACHINES)
def test_a_machine_that_says_so_is_a_machine(agent: str) -> None:
    assert client(agent).bot


@pytest.mark.parametrize("agent", LIBRARIES)
def test_a_plain_library_is_how_backends_call_for_visitors(agent: str) -> None:
    assert not client(agent).bot


@given(
    place=places, before=pieces, after=pieces, longer=st.sampled_from(["{0}{1}", "{1}{2}", "{0}{1}{2}", "{0}-{1}.{2}"])
)
def test_a_word_inside_a_longer_token_tells_nothing(place: str, before: str, after: str, longer: str) -> None:
    agents = {word: place.format(longer.format(before, word, after)) for word in PRODUCTS}
    assert [word for word, agent in agents.items() if client(agent).bot] == []


@given(place=places, before=pieces | st.just(""), after=pieces)
def test_the_end_of_a_machines_name_tells_nothing_within_a_name(place: str, before: str, after: str) -> None:
    agents = {word: place.format(before + word + after) for word in FAMILIES}
    assert [word for word, agent in agents.items() if client(agent).bot] == []


@pytest.mark.parametrize("word", PRODUCTS)
def test_the_word_alone_is_a_machine(word: str) -> None:
    assert client(word).bot
    assert client(f"{WINDOWS} Chrome/126.0.0.0 Safari/537.36 {word.upper()}/1.0").bot


@pytest.mark.parametrize("word", FAMILIES)
@given(before=pieces | st.just(""), version=st.integers(1, 99))
def test_a_phone_may_be_named_as_machines_are(word: str, before: str, version: int) -> None:
    assert not client(f"Mozilla/5.0 (Linux; Android 9; {before}{word} {version}) {KIT} Chrome/80.0 Safari/537.36").bot
    assert client(f"{WINDOWS} Chrome/126.0.0.0 Safari/537.36 {before}{word}/{version}.0").bot


@given(st.text(max_size=600))
def test_any_text_has_an_answer(text: str) -> None:
    assert isinstance(client(text).bot, bool)


def test_only_so_many_agents_are_remembered() -> None:
    most = client.cache_info().maxsize
    assert most is not None
    for number in range(most + 10):
        client(f"ExampleShop/{number}")
    assert client.cache_info().currsize == most
