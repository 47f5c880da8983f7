"""One door for the errors of the store's client: whatever it raises, at whichever call, leaves as StoreUnavailable."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from oracles.proving import examples
from oracles.writing import record
from redis import exceptions
from servers.faulty_store import Raise, classes_of_errors, failing, made
from servers.patience import HUNG_SECONDS, reached

from app.metrics.pipeline import StoreClock
from app.people.member import PeopleList, TeamMember, new_token
from app.people.sessions import Sessions
from app.processes.design_freeze import first_design
from app.runtime.board import Board
from app.surveys.question import SurveyLink
from app.surveys.recipient import note_answered, was_answered
from events.authority import Authority
from events.causes import STORE_CAUSES
from events.deletes.erased_rows import tombstone
from events.deletes.tombstones import add_tombstones, mirror_tombstones
from events.ingest.group_commit import forget_exposures
from events.ingest.history import History, HistoryUpdates, forget
from events.ingest.log_ins import LogIns, forget_log_ins
from events.ingest.network_digests import NetworkDigests
from events.ingest.stream import Stream
from events.store.availability import StoreUnavailable
from events.store.connection import Connection, connect
from events.store.memory import read_memory
from events.store.shared_reads import SharedReads
from events.writer.lease import Lease, Owner
from events.writer.rest import take_rest
from events.writer.resumption import resume_point
from events.writer.shard import ShardWriter, WriterOptions
from events.writer.watermark import Watermark, publish, read_progress, wait_until_written
from experiments.catalog.phases import FrozenDesign
from experiments.definitions.model import Experiment

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("door")]

REPOSITORY = Path(__file__).parents[3]
ASKS = {"ask", "ask_each", "ask_many", "call", "call_many", "keys", "transact"}
CLIENT = {"client", "answer"}  # what nobody outside events/store touches
MOST_CALLS = 200  # of one question; a number that no question reaches
PLAIN = (KeyError, RuntimeError, AssertionError, EOFError, OSError, asyncio.CancelledError)


@dataclass(frozen=True)
class Asking:
    """What a question needs: the connection whose client fails, and a data directory."""

    connection: Connection
    data: Path


Question = Callable[[Asking], Awaitable[object]]


async def appended(asking: Asking) -> None:
    stream = Stream(asking.connection)
    try:
        await stream.append([record("m-1"), record("m-2", "v-2", event="Order Completed", product_ids=["p"])])
    finally:
        await stream.close()


async def recent(asking: Asking) -> None:
    reads = SharedReads(asking.connection, wait_seconds=1)
    try:
        await History(reads).recent(["v:v-1"])
    finally:
        await reads.close()


async def logged_in(asking: Asking) -> None:
    reads = SharedReads(asking.connection)
    log_ins = LogIns(asking.connection, reads, asking.data / "log-ins", lambda *_: None)
    try:
        await log_ins.begin("v-1", "u-1", 60)
    finally:
        await reads.close()


async def signed_in(asking: Asking) -> None:
    sessions = Sessions(asking.connection)
    person = TeamMember(id="p", email="p@shop.example", role="owner", generation="1", added="2026-11-29")
    _, session = await sessions.begin(person, "browser", 1.0)
    await sessions.find(new_token(), PeopleList(), 2.0)
    await sessions.claim("form", 2.0)
    await sessions.answered("form", "/", 2.0)
    await sessions.forget("form")
    await sessions.listed(PeopleList(), 2.0)
    await sessions.end(session.id)


async def surveyed(asking: Asking) -> None:
    link = SurveyLink("l", "s", "csat", None, "personal", 2_000_000_000)
    worker: Any = SimpleNamespace(connection=asking.connection)
    await was_answered(link, worker)
    await note_answered(link, worker)


async def design_frozen(asking: Asking) -> None:
    experiment = Experiment(key="k", name="k", variants=(), goals=())
    design = FrozenDesign(
        key="k", phase=1, fingerprint="f", frozen_at=datetime(2026, 11, 29, tzinfo=UTC), planned_units=1,
        experiment=experiment, metrics={}, segments={}, holdouts={},
    )  # fmt: skip
    await first_design(asking.connection, design)


async def mirrored(asking: Asking) -> None:
    await asking.connection.ask("DEL", "resonate:tombstones")
    await asking.connection.ask("HSET", "{h:v:v-9}", "a", "b")
    add_tombstones(asking.data, [tombstone("visitor", "v-1", {0: 1}, 1)])
    await mirror_tombstones(asking.connection, asking.data, forgets=True)


async def network_known(asking: Asking) -> None:
    await NetworkDigests(asking.connection, lambda: UTC).look()


async def resumed(asking: Asking) -> None:
    await resume_point(asking.connection, asking.data / "log", 0)


async def taken(asking: Asking) -> None:
    (asking.data / "rest").unlink(missing_ok=True)
    await take_rest(asking.connection, 0, asking.data / "rest")


QUESTIONS: Mapping[str, tuple[Question, ...]] = {  # by the module that asks
    "app/metrics/pipeline.py": (lambda asking: StoreClock(asking.connection, Board.make(1).desk("worker")).look(),),
    "app/people/sessions.py": (signed_in,),
    "app/processes/design_freeze.py": (design_frozen,),
    "app/surveys/recipient.py": (surveyed,),
    "events/deletes/tombstones.py": (mirrored,),
    "events/ingest/group_commit.py": (
        appended,
        lambda asking: forget_exposures(asking.connection, [("v-1", Authority.PAGE, "m")]),
    ),
    "events/ingest/history.py": (
        lambda asking: HistoryUpdates(asking.connection, lambda *_: None).apply(
            [record("m", event="Order Completed", order_id="o", product_ids=["p"], authority=Authority.BACKEND)]
        ),
        lambda asking: forget(asking.connection, ["v:v-1", "u:u-1"]),
    ),
    "events/ingest/log_ins.py": (logged_in, lambda asking: forget_log_ins(asking.connection, ["v-1", "v-2"])),
    "events/ingest/network_digests.py": (network_known,),
    "events/store/memory.py": (lambda asking: read_memory(asking.connection),),
    "events/store/shared_reads.py": (recent,),
    "events/store/connection.py": (
        lambda asking: asking.connection.check(),
        lambda asking: asking.connection.probe(),
        lambda asking: asking.connection.rewrite_file(),
    ),
    "events/writer/lease.py": (lambda asking: Lease(asking.connection, Owner("log", "data", "host", 1)).claim(),),
    "events/writer/rest.py": (taken,),
    "events/writer/resumption.py": (resumed,),
    "events/writer/shard.py": (
        lambda asking: ShardWriter(asking.connection, asking.data / "log", 0, WriterOptions())._read(),
    ),
    "events/writer/watermark.py": (
        lambda asking: read_progress(asking.connection),
        lambda asking: wait_until_written(asking.connection, 0),
        lambda asking: publish(asking.connection, 0, Watermark()),
    ),
}


@asynccontextmanager
async def opened(address: Any, data: Path) -> AsyncIterator[Asking]:
    (data / "log").mkdir(parents=True)
    connection = await connect(address.url, address.socket_path)
    await reached(lambda: is_prepared(connection), "the store is prepared")  # many at once may take their time
    yield Asking(connection, data)
    await connection.close()


async def is_prepared(connection: Connection) -> bool:
    with contextlib.suppress(StoreUnavailable):
        await connection.prepare()
        return True
    return False


@pytest.fixture(params=["embedded", "cluster"])
def address(request: pytest.FixtureRequest) -> Any:
    """A store for each kind of client that the library has."""
    return request.getfixturevalue(f"{request.param}_store")


@pytest.fixture
async def asking(address: Any, tmp_path: Path) -> AsyncIterator[Asking]:
    async with opened(address, tmp_path / "data") as asking:
        yield asking


async def outcome(question: Question, asking: Asking, at: int, error: Raise | None) -> tuple[int, str]:
    """How often the client was asked, and the cause of the refusal, if any. Fails with whatever else comes out."""
    cause = ""
    with failing(asking.connection, at, error) as faults:
        try:
            async with asyncio.timeout(HUNG_SECONDS):
                await question(asking)
        except StoreUnavailable as unavailable:
            cause = unavailable.cause
    assert cause in {"", *STORE_CAUSES}
    return faults.calls, cause


@pytest.mark.drawn(8)
@pytest.mark.parametrize("module", QUESTIONS)
async def test_every_class_of_error_at_every_call_leaves_as_a_refusal_with_a_cause(module: str, asking: Asking) -> None:
    classes, stride = [*PLAIN, *classes_of_errors()], 1 if examples(1) > 1 else 8
    refused: dict[str, int] = {}
    for question in QUESTIONS[module]:
        await question(asking)
        calls, cause = await outcome(question, asking, MOST_CALLS, None)
        assert 0 < calls < MOST_CALLS, cause
        for at in range(1, calls + 1):
            for kind in classes if at == 1 else classes[at % stride :: stride]:
                _, cause = await outcome(question, asking, at, made(kind))
                refused[cause] = refused.get(cause, 0) + 1
        await question(asking)  # and it goes on
    assert sum(refused.values()) >= 50


async def test_a_call_that_never_returns_is_given_up_in_time(address: Any, tmp_path: Path) -> None:
    """By a deadline of the call's own: whoever waits for it has none."""

    async def given_up(number: int, question: Question) -> int:
        async with opened(address, tmp_path / str(number)) as asking:
            return (await outcome(question, asking, 1, None))[0]

    questions = [question for each in QUESTIONS.values() for question in each]
    asked = await asyncio.gather(*[given_up(*each) for each in enumerate(questions)])
    assert min(asked) >= 1


def test_classes_of_errors_are_those_that_the_library_has() -> None:
    found = classes_of_errors()
    assert {exceptions.RedisClusterException, exceptions.SlotNotCoveredError, exceptions.ConnectionError} < {*found}
    assert len(found) >= 40
    assert all(isinstance(made(kind)(), kind) for kind in found)


def test_nobody_but_the_store_touches_its_client_and_every_module_that_asks_is_questioned() -> None:
    asks: set[str] = set()
    for folder in ("app", "events", "experiments", "recommender"):
        for path in (REPOSITORY / folder).rglob("*.py"):
            module = str(path.relative_to(REPOSITORY))
            for touched in re.findall(r"connection\.(\w+)", path.read_text()):
                assert touched not in CLIENT or module.startswith("events/store/"), module
                if touched in ASKS:
                    asks.add(module)
    assert asks == {*QUESTIONS} - {"events/store/connection.py"}
