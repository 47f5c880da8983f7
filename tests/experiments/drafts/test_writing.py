"""What is written into a file is read back as the same values, whatever they are."""

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from oracles.proving import examples

from experiments.drafts.writing import text_written, value_written
from kit.located import Problems
from kit.yaml import read_yaml

AWKWARD = "ab #:,-'\"{}[]$.01%e“”~&*!|>?@`\n\t\u00a0\u2028"
NUMBERS = st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text() | st.text(AWKWARD, max_size=8)
# A file refuses a field whose name begins with a space that is none.
NAMES = (st.text(max_size=6) | st.text(AWKWARD, max_size=4)).filter(lambda name: name[:1].isascii())
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=8
)


def read(text: str) -> Any:
    problems = Problems("x.yaml")
    root = read_yaml(text.encode(), problems)
    assert (problems.found, root is None) == ([], False), text
    assert root is not None
    return root.plain()


@given(VALUES)
@example("NO").via("what another YAML takes for a truth")
@example("1.10").via("a number that is not written the same again")
@example("1.1").via("a text that reads as a number")
@example("Gift #2 inside").via("what would be a comment")
@example("“quoted”").via("curly quotes")
@example(1e300).via("a large number")
@settings(max_examples=examples(400), deadline=None)
def test_a_value_is_read_back_as_it_was_beside_a_comment_and_another_field(value: Any) -> None:
    assert read(f"field: {value_written(value)}  # a comment\nother: x\n") == {"field": value, "other": "x"}


def test_what_needs_no_quotes_has_none() -> None:
    plain = ["Free shipping from 50 EUR", "it's here", "2026-01-05T12:00Z", "10%", "growth@shop.example", "Größe"]
    assert [text_written(text) for text in plain] == plain
    assert value_written({"device": {"$in": ["mobile", "desktop"]}}) == "{device: {$in: [mobile, desktop]}}"
