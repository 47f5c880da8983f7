"""Whatever stands in `changes` is told of or made: reading and checking it never fails."""

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st
from oracles.proving import examples

from experiments.definitions.folder import read_sources
from experiments.page.check import page_mistakes
from experiments.page.css import property_mistake, selector_mistake
from experiments.page.markup import attribute_mistake, html_mistakes
from experiments.page.redirects import address_mistake_of, known_at

FIELDS = (
    "selector",
    "text",
    "html",
    "attribute",
    "class",
    "style",
    "hide",
    "insert",
    "redirect",
    "where",
    "add",
    "remove",
)
texts = st.text(st.sampled_from("ab.#:>~+*[]()=\"'<>/\\!{};,- \t&%@1é"), max_size=20) | st.sampled_from(
    [".hero h1", "h1", "/new", "https://shop.example/x", "after", "<b>x</b>", "color", "red", "a:has(> b)", "body"]
)
values: st.SearchStrategy[Any] = st.recursive(
    texts | st.none() | st.booleans() | st.integers(-9, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS) | texts, inner, max_size=4),
    max_leaves=12,
)
SOUND: list[dict[str, Any]] = [
    {"selector": ".hero h1", "text": "Tea"},
    {"selector": ".hero", "html": "<b>Tea</b>"},
    {"selector": "a", "attribute": {"href": "/sale"}, "class": {"add": ["wide"]}},
    {"selector": ".foot", "hide": True, "style": {"color": "red"}},
    {"selector": ".foot", "insert": {"where": "after", "html": "<p>Tea</p>"}},
    {"redirect": "/new"},
]
one = st.sampled_from(SOUND) | st.fixed_dictionaries(
    {}, optional={name: values if name in FIELDS[3:] else texts for name in FIELDS[:9]}
)


def folder(changes: list[Any], other: list[Any]) -> Mapping[str, bytes]:
    """Two experiments of which one variant each has these changes."""
    both = {"banner": changes, "other": other}
    return {
        f"{key}.yaml": json.dumps(
            {
                "key": key, "status": "running", "goal": "purchase_rate",
                "variants": ["control", {"key": "b", "payload": {"changes": changes}}],
            }
        ).encode()
        for key, changes in both.items()
    }  # fmt: skip


@settings(max_examples=examples(150))
@given(
    changes=st.lists(one, max_size=4) | st.lists(values, max_size=3), other=st.lists(st.sampled_from(SOUND), max_size=3)
)
def test_changes_are_read_and_checked_to_their_end(changes: list[Any], other: list[Any]) -> None:
    reading = read_sources(folder(changes, other))
    told = [*reading.errors, *page_mistakes(reading)]
    event("sound" if not told else "told in check" if reading.content else "told in reading")
    assert all(error.file in ("banner.yaml", "other.yaml") and error.line == 1 for error in told)


@settings(max_examples=examples(300))
@given(text=texts, value=texts)
def test_no_text_is_too_odd_to_be_judged(text: str, value: str) -> None:
    judged = [
        selector_mistake(text), property_mistake(text, value), property_mistake("color", value),
        attribute_mistake(text, value), attribute_mistake("href", value), address_mistake_of(text, [".shop.example"]),
        *html_mistakes(text),
    ]  # fmt: skip
    assert all(mistake is None or mistake for mistake in judged)
    assert isinstance(known_at(text), Mapping)
