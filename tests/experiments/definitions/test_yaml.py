"""What a marketer wrote stays what it was, and nothing in a file can hang, crash or bloat the reader."""

import json
import random
import re
import string
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles.journeys import of_this_thread

from kit.located import Problems
from kit.yaml import plain_scalar, read_yaml


def read(text: str | bytes) -> tuple[Any, list[str]]:
    problems = Problems("file.yaml")
    node = read_yaml(text if isinstance(text, bytes) else text.encode(), problems)
    return (node.plain() if node else None), [str(error) for error in problems.found]


TEXTS = (
    "NO on yes Yes 12:30 0123 1.10 ~ True NULL 1e3 0x1F 1_000 .5 5. +1 -0 nan .inf 2026-01-05 10% = << "
    "12345678901234567890"
)


@pytest.mark.parametrize("word", TEXTS.split())
def test_a_word_stays_what_the_marketer_wrote(word: str) -> None:
    assert read(f"field: {word}\n") == ({"field": word}, [])


@pytest.mark.parametrize(
    ("word", "value"),
    [("null", None), ("true", True), ("false", False), ("0", 0), ("-7", -7), ("50", 50), ("9.0", 9.0), ("0.25", 0.25),
     ("-1.5", -1.5), ("9223372036854775807", 2**63 - 1)],
)  # fmt: skip
def test_a_word_that_is_written_the_same_again_is_a_value(word: str, value: object) -> None:
    read_value = read(f"field: {word}\n")[0]["field"]
    assert (read_value, type(read_value)) == (value, type(value))


def test_quotes_make_a_text() -> None:
    assert read("a: '50'\nb: \"true\"\nc: |\n  null\n") == ({"a": "50", "b": "true", "c": "null\n"}, [])


@given(st.text(alphabet=string.ascii_letters + string.digits + ".-+eE_", max_size=40))
def test_a_plain_scalar_that_is_a_number_writes_itself_again(text: str) -> None:
    value = plain_scalar(text)
    if not isinstance(value, str) and value is not None:
        assert json.dumps(value) == text


def test_names_of_fields_are_always_text() -> None:
    assert read("true: 1\nnull: 2\n7: 3\n")[0] == {"true": 1, "null": 2, "7": 3}


BOMBS = {
    "billion laughs": "a: &a [x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n",
    "an alias of itself": "a: &a [*a]\n",
    "an undefined alias": "a: *b\n",
    "deep lists": "[" * 200_000,
    "deep mappings": "{a: " * 100_000,
    "deep blocks": "".join(" " * depth + "a:\n" for depth in range(600)),
    "deep dashes": "- " * 100_000 + "a",
    "a python object": "a: !!python/object/apply:os.system [ls]\n",
    "a tag of its own": "a: !bomb x\n",
    "a merge": "base: &base {a: 1}\nother:\n  <<: *base\n",
    "a mapping as a name": "? {a: 1}\n: b\n",
    "a control character": "a: \x00\n",
    "another control character": "a: \x07\n",
    "half a character": 'a: "\\ud800"\n',
    "too large": "a: " + "x" * 256_001,
    "many documents": "---\na: 1\n" * 1000,
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_is_refused_at_once_and_by_its_line(text: str) -> None:
    with of_this_thread() as journey:
        value, errors = read(text)
    assert len(journey.calls) < 1_000
    assert errors
    assert all(error.startswith("file.yaml:") for error in errors)
    assert value is None or "twice" in errors[0]


def test_twenty_levels_are_allowed_and_one_more_is_not() -> None:
    assert read("[" * 20 + "]" * 20)[1] == []
    assert read("[" * 21 + "]" * 21)[1] == ["file.yaml:1: nested deeper than 20 levels"]


def test_bytes_that_are_no_utf8_are_named_by_their_line() -> None:
    assert read(b"a: 1\nb: \xe9\n")[1] == ["file.yaml:2: holds bytes that are not UTF-8, save the file as UTF-8"]


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm() -> None:
    assert read(b"\xef\xbb\xbfa: 1\r\nb: caf\xc3\xa9\r\n") == ({"a": 1, "b": "café"}, [])


def test_whatever_bytes_come_the_reader_answers() -> None:
    noise = random.Random(7)
    sample = b'key: banner\nvariants: [a, {key: b, payload: {x: "y"}}]\ntests:\n  - {split: 100}\n'
    for _ in range(2000):
        content = bytearray(sample[: noise.randrange(1, len(sample))])
        for _ in range(noise.randrange(4)):
            content.insert(noise.randrange(len(content)), noise.randrange(256))
        read(bytes(content))


ONE_LINE = st.text(
    st.characters(exclude_categories=("C", "Zl", "Zp")) | st.sampled_from("#:,{}[]'\"%@&*!|>- "), max_size=30
)


WORDS = st.lists(st.sampled_from(("Gift", "#2", "#", "a:b", ":", "- x", "50%", "[1]")) | ONE_LINE, max_size=6).map(
    " ".join
)


@given(WORDS.map(str.strip))
def test_a_text_that_is_written_as_it_is_reads_as_it_is_or_is_refused(text: str) -> None:
    """A comment begins with `# `, and quotes, brackets and block signs are the writer's own wish."""
    assume(text and text[0] not in "'\"|>[{" and not re.search(r"(^|\s)#(\s|$)", text))
    problems = Problems("file.yaml")
    node = read_yaml(f"note: {text}\nlast: 1\n".encode(), problems)
    assert problems.found or (node is not None and node.at(("note",)).text == text), text


@given(ONE_LINE)
def test_a_text_in_quotes_reads_as_it_is(text: str) -> None:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    assert read(f'note: "{escaped}"  # said\n') == ({"note": text}, [])
