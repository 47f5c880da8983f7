"""Values as a person would write them into a definition file, such that reading them gives the same values again."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from kit.yaml import plain_scalar

# What a text may hold without quotes anywhere, also between brackets: nothing that YAML gives a meaning to.
_WORD: Final = r"[^\W_]"
_PLAIN: Final = re.compile(rf"{_WORD}(?:[\w ./%€£+*$@()!?=;-]|(?<=\w)['’]|(?<=\d):(?=\d))*\Z")
_NAME: Final = re.compile(r"[$\w][\w.$-]*\Z")  # of a field: `$in` needs no quotes


def value_written(value: Any) -> str:
    """A value of JSON on one line: texts without quotes where they stay themselves, lists and mappings in brackets."""
    match value:
        case str():
            return text_written(value)
        case Mapping():
            fields: Mapping[str, Any] = value
            return (
                "{" + ", ".join(f"{name_written(name)}: {value_written(each)}" for name, each in fields.items()) + "}"
            )
        case list() | tuple():
            items: Sequence[Any] = value
            return "[" + ", ".join(value_written(each) for each in items) + "]"
        case None | bool():
            return msgspec.json.encode(value).decode()
        case float():
            return float_written(value)
        case _:
            return str(value)


def text_written(text: str) -> str:
    """A text: in quotes wherever it would otherwise be a number, a truth, nothing, or more than itself."""
    plain = _PLAIN.match(text) is not None and text.isprintable() and text == text.strip()
    if plain and isinstance(plain_scalar(text), str):
        return text
    return '"' + "".join(_escaped(letter) for letter in text) + '"'


def name_written(name: str) -> str:
    """The name of a field."""
    return name if _NAME.match(name) and name.isprintable() else text_written(name)


def float_written(number: float) -> str:
    """A number with a fraction, such that it is read as this number; in quotes where no plain one would be."""
    text = repr(number)
    return text if plain_scalar(text) == number else text_written(text)


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    if letter.isprintable():
        return letter
    code = ord(letter)
    short = {"\n": "\\n", "\t": "\\t"}.get(letter)
    return short or (f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
