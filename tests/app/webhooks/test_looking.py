"""Who tells of changes looks for them: often at what is known, every ten minutes by reading all results."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from app.analysis.client import AnalysisAnswer, AnalysisError
from app.analysis.queries import ExperimentsQuery
from app.analysis.server import AnalysisServer
from app.runtime.data_directory import DataDirectory
from app.runtime.settings import Settings
from app.serving.sockets import listen_unix
from app.webhooks.telling import LARGEST_SHARE, READ_SECONDS, Teller

HOOK = "http://127.0.0.1:9/hook"
HERO = {
    "key": "hero", "name": "The hero", "phase": 0, "state": "enrolling", "action": "keep_running", "variant": None,
    "alarm": False, "checks": [], "sentence": "How it is.", "decision": {"outcome": None, "variant": None},
}  # fmt: skip


class Watch:
    """A teller that asks an analysis of the test's own; the clock is the test's."""

    def __init__(self, data: Path) -> None:
        directory = DataDirectory(data)
        directory.make(group_reads=False)
        self.now = 1_795_000_000.0
        self.teller = Teller(Settings(data=data, webhook_url=(HOOK,)), "1", lambda: self.now, lambda: self.now)
        self.listener = listen_unix(directory.analysis_socket)
        self.asked: list[str] = []
        self.action = "keep_running"
        self.takes_seconds = 0.0
        self.refuses = False

    async def answer(self, query: ExperimentsQuery) -> AnalysisAnswer:
        if self.refuses:
            raise AnalysisError(503, "analysis_timeout", "no answer")
        self.asked.append(query.read)
        self.now += self.takes_seconds if query.read == "now" else 0.0
        body = msgspec.json.encode({"experiments": [HERO | {"action": self.action, "variant": "b"}]})
        return AnalysisAnswer(200, "application/json", body)

    def run(self, work: Callable[[], Awaitable[None]]) -> None:
        async def whole() -> None:
            stop = asyncio.Event()
            served = asyncio.ensure_future(AnalysisServer(self.answer).serve(self.listener, lambda: None, stop))
            await work()
            stop.set()
            await served

        asyncio.run(whole())

    async def look_after(self, seconds: float) -> list[str]:
        """What was asked at a look after so long."""
        self.now += seconds
        self.asked.clear()
        await self.teller.look()
        return list(self.asked)

    def waiting(self) -> list[str]:
        [post] = self.teller.outbox.posts.values()
        return [each.message.kind for each in post.waiting]


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    return Watch(tmp_path)


def test_results_are_read_anew_every_ten_minutes_and_what_is_known_in_between(watch: Watch) -> None:
    async def work() -> None:
        assert await watch.look_after(0) == ["now"]
        assert await watch.look_after(5) == ["known"]
        assert await watch.look_after(READ_SECONDS - 6) == ["known"]
        watch.action = "ship"
        assert await watch.look_after(1) == ["now"]
        assert await watch.look_after(1) == ["known"]
        assert watch.waiting() == ["action_changed"]

    watch.run(work)


def test_what_takes_long_to_read_is_read_less_often(watch: Watch) -> None:
    watch.takes_seconds = 60.0

    async def work() -> None:
        assert await watch.look_after(0) == ["now"]
        assert await watch.look_after(60 / LARGEST_SHARE - 1) == ["known"]
        assert await watch.look_after(1) == ["now"]

    watch.run(work)


def test_while_nothing_is_answered_nothing_has_changed_and_it_is_read_again(watch: Watch) -> None:
    async def work() -> None:
        watch.refuses = True
        assert await watch.look_after(0) == []
        assert watch.teller.outbox.seen is None
        watch.refuses = False
        assert await watch.look_after(5) == ["now"]
        watch.refuses, watch.action = True, "ship"
        assert await watch.look_after(READ_SECONDS) == []
        assert watch.waiting() == []
        watch.refuses = False
        assert await watch.look_after(5) == ["now"]
        assert watch.waiting() == ["action_changed"]

    watch.run(work)


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({"public_url": "https://shop.example/r"}, "https://shop.example/r/dashboard/experiments/a%2Fb"),
        (
            {"public_url": "https://shop.example", "dashboard": "off"},
            "https://shop.example/v1/experiments/a%2Fb/results",
        ),
        ({}, "http://127.0.0.1:8000/dashboard/experiments/a%2Fb"),
    ],
)
def test_an_address_leads_to_the_page_or_to_the_results_where_there_are_none(
    given: dict[str, str], address: str, tmp_path: Path
) -> None:
    teller = Teller(Settings(data=tmp_path, **given), "1")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "address").write_text('{"url": "http://127.0.0.1:8000"}')
    assert teller.address_of("a/b") == address
