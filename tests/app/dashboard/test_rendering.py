"""A page is rendered as it is sent: others have a turn meanwhile, and of a page that fails nothing is sent."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from app.dashboard import rendering
from app.dashboard.rendering import PAGE_HEADERS, SlicedPage
from kit import tasks

pytestmark = pytest.mark.anyio
PIECES = 50


class Templates:
    """Templates of pieces, of which the last may fail."""

    def __init__(self, *, fails: bool) -> None:
        self.fails = fails

    def get_template(self, _: str) -> "Templates":
        return self

    def generate(self, told: dict[str, Any]) -> Iterator[str]:
        yield from (f"{told['name']}{number}," for number in range(PIECES))
        if self.fails:
            raise ValueError("no such member")


class Sent:
    """What a page was sent as, and how many turns another task had before."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.turns = 0

    async def __call__(self, message: Any) -> None:
        self.messages.append(message)

    async def count_turns(self) -> None:
        while not self.messages:
            self.turns += 1
            await asyncio.sleep(0)


async def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    monkeypatch.setattr(rendering, "_environment", lambda: Templates(fails=False))
    monkeypatch.setattr(tasks, "SLICE_SECONDS", -1.0)
    found = Sent()
    counting = asyncio.create_task(found.count_turns())
    try:
        await SlicedPage("some.html", {"name": "ž"}, 201)({"type": "http", "method": "GET"}, _nothing, found)
    finally:
        found.messages.append(None)
        await counting
    return found


async def _nothing() -> Any:
    raise AssertionError("a page reads nothing")


async def test_a_page_is_whole_and_others_had_a_turn_after_each_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    found = await sent(monkeypatch)
    start, body = found.messages[:2]
    assert start["status"] == 201
    assert body["body"].decode() == "".join(f"ž{number}," for number in range(PIECES))
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    assert int(headers["content-length"]) == len(body["body"])
    assert PAGE_HEADERS.items() <= headers.items()
    assert found.turns >= PIECES


async def test_of_a_page_that_fails_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Sent()
    monkeypatch.setattr(rendering, "_environment", lambda: Templates(fails=True))
    with pytest.raises(ValueError, match="no such member"):
        await SlicedPage("some.html", {"name": "a"}, 200)({"type": "http", "method": "GET"}, _nothing, told)
    assert told.messages == []
