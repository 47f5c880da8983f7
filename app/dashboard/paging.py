"""Long lists page by page: links alone lead through them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query

PageNumber = Annotated[int, Query(alias="page", ge=1, le=100_000)]
Find = Annotated[str, Query(max_length=200)]


@dataclass(frozen=True, slots=True)
class Paged:
    """What stands on one page of a list, and which of how many pages it is; `whole` is how many there are in all."""

    items: Sequence[Any]
    page: int
    pages: int
    whole: int


def one_page(items: Sequence[Any], page: int, size: int) -> Paged:
    """A page of a list, the last one where there are fewer."""
    pages = max(1, -(-len(items) // size))
    page = min(page, pages)
    return Paged(items[(page - 1) * size : page * size], page, pages, len(items))


def found(text: str, *places: str) -> bool:
    """Whether a text stands somewhere in these, in whichever case."""
    wanted = text.strip().lower()
    return any(wanted in place.lower() for place in places)
