"""What templates make of texts: a number and its % are one word wherever they are read, and nothing else is changed."""

import re
from html import unescape

from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples

from app.dashboard.environment import environment
from app.dashboard.saying import GLUE, unbroken

SOURCE = (
    '<p title="{{ said }}">{{ said }}</p><form><input value="{{ said }}"><textarea>{{ said }}</textarea></form>'
    "<pre><code>{{ said }}</code></pre><code>{{ said }}</code><p>95 % of {{ number(0.5, said) }}<b>5</b> %</p>"
)
TEXTS = st.lists(st.sampled_from(["9.3 %", " %", "5", "%", "a", "<b>", '"', "&", ">", "\n", "100 %", " "]), max_size=8)


def rendered(said: str) -> str:
    return unbroken(environment().from_string(SOURCE).render(said=said))


def test_a_number_is_not_parted_from_its_percent() -> None:
    page = rendered("it is 9.3 % against 8 %")
    assert f'<p title="it is 9.3 % against 8 %">it is 9.3{GLUE}% against 8{GLUE}%</p>' in page
    assert f'<p>95{GLUE}% of <data value="0.5">it is 9.3{GLUE}% against 8{GLUE}%</data>' in page


@settings(max_examples=examples(100))
@given(TEXTS.map("".join))
def test_what_is_typed_copied_or_an_attribute_stays_as_it_is(said: str) -> None:
    page = rendered(said)
    kept = [*re.findall(r'(?:title|value)="([^"]*)"', page)[:2], *re.findall(r"<(?:code|textarea)>([^<]*)<", page)]
    assert [unescape(each) for each in kept] == [said] * 5
    assert not re.search(r"[0-9] %", re.sub(r"<(code|textarea)>[^<]*</\1>|<[^>]*>", "|", page))
