"""A slip of the pen is told from a name that is not there at all."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit import suggestions
from kit.suggestions import did_you_mean, nearest

KNOWN = ("start", "audience", "variants", "goal", "guardrails", "split", "exposure", "holdouts")
known_names = st.sampled_from(KNOWN)


@given(name=known_names, place=st.integers(0, 4), letter=st.sampled_from("abcxyz"))
def test_a_name_with_one_wrong_letter_is_recognised(name: str, place: int, letter: str) -> None:
    place %= len(name)
    assert nearest(name[:place] + letter + name[place + 1 :], KNOWN) == (name,)


@given(name=known_names, place=st.integers(0, 4))
def test_a_name_with_a_letter_too_few_or_twice_is_recognised_in_any_case(name: str, place: int) -> None:
    place %= len(name)
    assert nearest((name[:place] + name[place + 1 :]).upper(), KNOWN) == (name,)
    assert nearest(name[:place] + name[place] + name[place:], KNOWN) == (name,)


@given(name=st.text(max_size=300), most=st.integers(1, 4))
def test_only_known_names_are_suggested_each_once_and_no_more_than_asked(name: str, most: int) -> None:
    found = nearest(name, KNOWN, most)
    assert len(set(found)) == len(found) <= most
    assert set(found) <= set(KNOWN)


def test_the_likeliest_comes_first() -> None:
    assert nearest("purchase_rat", ["purchase_value", "purchase_rate", "refunds"], 3) == (
        "purchase_rate",
        "purchase_value",
    )


def test_the_first_words_of_a_name_suggest_it_after_what_is_near() -> None:
    known = ["revenues", "revenue_per_visitor", "revenue-per-user", "refunds"]
    assert nearest("Revenue", known, 3) == ("revenues", "revenue_per_visitor", "revenue-per-user")


def test_a_name_of_any_length_is_compared_by_its_beginning() -> None:
    assert nearest("x" * 1_000_000, ["x" * 100, "y"]) == ("x" * 100,)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (did_you_mean("strat", KNOWN), ", did you mean start?"),
        (did_you_mean("strat", KNOWN, "; it takes none"), ", did you mean start?"),
        (did_you_mean("strat", KNOWN, lead="; ", quote="'"), "; did you mean 'start'?"),
        (did_you_mean("zzz", KNOWN, "; it takes none"), "; it takes none"),
        (did_you_mean("zzz", KNOWN), ""),
        (did_you_mean("zzz", []), ""),
    ],
)
def test_the_end_of_the_sentence_asks_or_says_what_is_right(said: str, told: str) -> None:
    assert said == told


MANY = [sha256(bytes([number // 256, number % 256])).hexdigest()[:12] for number in range(1000)]


@given(name=st.sampled_from(MANY), place=st.integers(0, 11), letter=st.sampled_from("xyz"))
def test_among_many_names_that_with_one_wrong_letter_is_recognised(name: str, place: int, letter: str) -> None:
    assert nearest(name[:place] + letter + name[place + 1 :], MANY) == (name,)


def test_at_most_twenty_of_many_names_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = list[str]()
    monkeypatch.setattr(suggestions, "get_close_matches", lambda _, words, *__: compared.extend(words) or [])
    assert nearest("abcx", MANY) == ()
    assert 0 < len(compared) <= 20
