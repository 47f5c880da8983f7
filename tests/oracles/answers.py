"""What an answer of JSON holds, for pages to be held against."""

from typing import Any

import msgspec


def numbers_of(answer: Any) -> set[str]:
    """Every number of an answer, as its JSON writes it."""
    match answer:
        case dict():
            return {each for value in answer.values() for each in numbers_of(value)}
        case list():
            return {each for value in answer for each in numbers_of(value)}
        case bool() | None | str():
            return set()
        case _:
            return {msgspec.json.encode(answer).decode()}
