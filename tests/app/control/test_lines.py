"""The lines between a supervisor and its processes: told at once, the newest alone, and nobody holds anybody up."""

import asyncio
import errno
import os
import selectors
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.control.frames import ANSWER, FAILED, HEAD, LARGEST_QUESTION, ORDER, Frame, FrameTooLarge, Incoming
from app.control.line import MOST_ORDERS, Line, LineSilent, TooManyOrders
from app.control.orders import OrderAsked, OrderDone, OrderRefused, asked_of_service, carried_out
from app.control.switchboard import MOST_COMMANDS, Switchboard
from app.control.switchboard import MOST_ORDERS as MOST_TOGETHER
from app.keys.audit import Actor, Audit, AuditLine, Wanted, line_of
from app.serving.sockets import forget_unix, listen_unix
from experiments.catalog.overrides import ExperimentStopped, Order, Override, OverrideRefused, Telling
from kit.private import elsewhere

TOPICS = ("state", "catalogue")
DONE = OrderDone("paused", datetime(2026, 11, 29, tzinfo=UTC))


class Exchange:
    """A supervisor's switchboard in a selector that turns when it is told to."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.asked: list[bytes] = []
        self.board = Switchboard(self.selector, self.answer)

    def answer(self, asked: Sequence[bytes]) -> list[bytes]:
        self.asked += asked
        if b"fail" in asked:
            raise RuntimeError("nobody foresaw it")
        return [msgspec.json.encode(DONE) for _ in asked]

    def turn(self) -> None:
        for key, _ in self.selector.select(0):
            key.data()
        self.board.carry_out()

    def connect(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        self.board.connect(ours, TOPICS)
        return theirs


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    made = Exchange()
    yield made
    made.board.close()
    assert not made.selector.get_map()
    made.selector.close()


def heard(end: socket.socket, exchange: Exchange) -> list[Frame]:
    """All that is on its way to this end by now."""
    incoming, found = Incoming(), list[Frame]()
    end.setblocking(False)
    while True:
        exchange.turn()
        try:
            received = end.recv(1 << 20)
        except BlockingIOError:
            return found
        if not received:
            return [*found, Frame(b"", 0, b"gone")]
        found += incoming.feed(received)


def line() -> AuditLine:
    return line_of(Actor("system", "test"), "pause", "banner")


def test_who_comes_later_hears_what_holds_and_topics_of_others_are_not_told(exchange: Exchange) -> None:
    exchange.board.tell("catalogue", b"old")
    exchange.board.tell("phases", b"designs")
    exchange.board.tell("catalogue", b"new")
    exchange.board.tell("state", b"good")
    with exchange.connect() as end:
        assert heard(end, exchange) == [Frame(b"S", 0, b"good"), Frame(b"C", 0, b"new")]


def test_who_stands_still_holds_nobody_up_and_hears_the_newest_alone(exchange: Exchange) -> None:
    with exchange.connect() as still, exchange.connect() as quick:
        for number in range(50):
            exchange.board.tell("catalogue", bytes([number]) * 1_000_000)
            assert heard(quick, exchange)[-1].content[:1] == bytes([number])
        waited = [frame.content[:1] for frame in heard(still, exchange)]
        assert waited == [bytes([0]), bytes([49])]


def test_an_order_is_answered_behind_what_it_changed(exchange: Exchange) -> None:
    exchange.answer = lambda asked: exchange.board.tell("catalogue", b"paused") or [b"done"]  # type: ignore[method-assign]
    exchange.board = Switchboard(exchange.selector, exchange.answer)
    with exchange.connect() as end:
        end.sendall(Frame(ORDER, 7, b"pause").packed())
        assert heard(end, exchange) == [Frame(b"C", 0, b"paused"), Frame(ANSWER, 7, b"done")]


@pytest.mark.parametrize(
    "sent",
    [Frame(b"X", 1, b"").packed(), HEAD.pack(ORDER, 1, LARGEST_QUESTION + 1)],
    ids=["no question", "too long"],
)
def test_what_is_no_order_ends_its_own_line_alone(exchange: Exchange, sent: bytes) -> None:
    with exchange.connect() as end, exchange.connect() as other:
        end.sendall(sent)
        assert heard(end, exchange)[-1].content == b"gone"
        exchange.board.tell("catalogue", b"new")
        assert [frame.content for frame in heard(other, exchange)] == [b"new"]


def test_an_order_at_which_the_service_failed_is_answered_and_who_asked_goes_on_hearing(exchange: Exchange) -> None:
    with exchange.connect() as end:
        end.sendall(Frame(ORDER, 3, b"fail").packed())
        assert heard(end, exchange) == [Frame(ANSWER, 3, FAILED)]
        exchange.board.tell("catalogue", b"new")
        assert heard(end, exchange) == [Frame(b"C", 0, b"new")]


def test_frames_come_whole_however_they_are_cut() -> None:
    frames = [Frame(b"C", 0, b"x" * size) for size in (0, 1, 100)] + [Frame(ANSWER, 9, b"y")]
    sent, incoming = b"".join(frame.packed() for frame in frames), Incoming()
    assert [frame for place in range(len(sent)) for frame in incoming.feed(sent[place : place + 1])] == frames
    with pytest.raises(FrameTooLarge):
        list(Incoming(10).feed(Frame(ORDER, 1, bytes(11)).packed()))


async def turning(exchange: Exchange) -> None:
    while True:
        exchange.turn()
        await asyncio.sleep(0)


def test_a_process_hears_what_holds_at_its_start_and_from_then_on_and_asks(exchange: Exchange) -> None:
    exchange.board.tell("state", b"good")
    exchange.board.tell("catalogue", b"first")
    told: list[tuple[str, bytes]] = []

    async def live() -> OrderDone:
        process = Line(exchange.connect().detach())
        exchange.turn()
        assert process.first() == {"state": b"good", "catalogue": b"first"}
        with process.follow(lambda topic, content: told.append((topic, content))):
            supervising = asyncio.create_task(turning(exchange))
            exchange.board.tell("catalogue", b"second")
            done = await process.order(OrderAsked("banner", "pause", line()))
            supervising.cancel()
            exchange.board.close()
            with pytest.raises(LineSilent):
                await process.order(OrderAsked("banner", "pause", line()))
            return done

    assert asyncio.run(live()) == DONE
    assert told == [("catalogue", b"second")]
    assert msgspec.json.decode(exchange.asked[0])["key"] == "banner"


def test_a_process_is_told_that_the_service_failed_at_its_order(exchange: Exchange) -> None:
    exchange.board = Switchboard(exchange.selector, lambda asked: exchange.answer([b"fail"]))

    async def live() -> None:
        process = Line(exchange.connect().detach())
        with process.follow(lambda topic, content: None):
            supervising = asyncio.create_task(turning(exchange))
            with pytest.raises(LineSilent, match="failed at the order"):
                await process.order(OrderAsked("banner", "pause", line()))
            supervising.cancel()

    asyncio.run(live())


def test_an_order_behind_one_that_nobody_waits_for_any_more_comes_whole(exchange: Exchange) -> None:
    async def live() -> OrderDone:
        end = exchange.connect()
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)  # so that a long order goes in pieces
        process, long = Line(end.detach()), OrderAsked("banner", "pause", line(), ignored="x" * 50_000)
        with process.follow(lambda topic, content: None):
            given_up = asyncio.create_task(process.order(long))
            await asyncio.sleep(0)
            given_up.cancel()
            asked = asyncio.create_task(process.order(OrderAsked("banner", "stop", line())))
            await asyncio.wait([given_up])
            supervising = asyncio.create_task(turning(exchange))
            done = await asked
            supervising.cancel()
            return done

    assert asyncio.run(live()) == DONE
    assert [msgspec.json.decode(each)["action"] for each in exchange.asked] == ["pause", "stop"]


def test_an_order_that_nobody_would_hear_is_refused_before_it_is_sent(exchange: Exchange) -> None:
    async def live() -> None:
        process = Line(exchange.connect().detach())
        with process.follow(lambda topic, content: None), pytest.raises(OverrideRefused, match="it may have 65536"):
            await process.order(OrderAsked("x" * LARGEST_QUESTION, "pause", line()))

    asyncio.run(live())
    exchange.turn()
    assert exchange.asked == []


def test_a_command_that_comes_while_too_many_ask_is_told_that_nothing_was_done(
    exchange: Exchange, tmp_path: Path
) -> None:
    path = tmp_path / "run" / "orders.sock"
    assert exchange.board.listen(path)
    with ExitStack() as silent:
        for _ in range(MOST_COMMANDS):
            end = silent.enter_context(socket.socket(socket.AF_UNIX))
            end.connect(str(path))

        with pytest.raises(OverrideRefused, match="nothing was done"):
            asyncio.run(asked(exchange, path))
    assert exchange.asked == []


async def asked(exchange: Exchange, path: Path) -> OrderDone | None:
    """What a command hears that asks at `path`, while the supervisor's loop turns."""
    supervising = asyncio.create_task(turning(exchange))
    try:
        return await asyncio.to_thread(asked_of_service, path, OrderAsked("banner", "pause", line()))
    finally:
        supervising.cancel()


def test_a_command_that_is_hung_up_on_is_told_that_nobody_knows(exchange: Exchange, tmp_path: Path) -> None:
    path = tmp_path / "run" / "orders.sock"
    exchange.answer = lambda asked: exchange.board.close() or [b"done"]  # type: ignore[method-assign]
    exchange.board = Switchboard(exchange.selector, exchange.answer)
    assert exchange.board.listen(path)
    with pytest.raises(TimeoutError, match="hung up"):
        asyncio.run(asked(exchange, path))


def test_a_command_asks_the_service_that_listens_and_else_nobody(exchange: Exchange, tmp_path: Path) -> None:
    path = tmp_path / "run" / "orders.sock"
    assert asked_of_service(path, OrderAsked("banner", "pause", line())) is None
    assert exchange.board.listen(path)
    assert asyncio.run(asked(exchange, path)) == DONE
    exchange.board.close()
    assert asked_of_service(path, OrderAsked("banner", "pause", line())) is None  # the socket of a service that is gone


def test_a_service_whose_disk_takes_no_socket_is_found_elsewhere(
    exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run" / "orders.sock"
    listen_unix(path).close()  # what an earlier service left there, and nobody can take away

    class ReadOnly(socket.socket):
        def bind(self, address: Any, /) -> None:
            if address == str(path):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            super().bind(address)

    with monkeypatch.context() as patched:
        patched.setattr("app.serving.sockets.socket.socket", ReadOnly)
        assert exchange.board.listen(path)
    assert asyncio.run(asked(exchange, path)) == DONE
    assert elsewhere(path).stat().st_mode & 0o077 == 0
    exchange.board.close()
    forget_unix(path)
    assert not elsewhere(path).exists()
    elsewhere(path).parent.rmdir()


class Keeper:
    """Carries out what it is told, or refuses it."""

    not_kept: str | None = "no space"
    refusal: Exception | None = None
    held = 0

    def order(self, told: Order, now: datetime, tell: Telling) -> Override:
        if self.refusal is not None:
            raise self.refusal
        tell("running", "paused")
        return Override(status="paused", ordered_at=now)

    def hold(self, now: datetime) -> None:
        self.held += 1


def test_an_order_that_is_carried_out_says_whether_it_is_kept_and_noted(tmp_path: Path) -> None:
    audit = Audit(tmp_path)
    asked = [OrderAsked("banner", "pause", line()).encoded(5.0)]
    done = msgspec.json.decode(carried_out(Keeper(), audit, asked)[0], type=OrderDone)
    assert (done.status, done.kept, done.noted) == ("paused", False, True)
    [kept] = audit.page(None, 10, Wanted())[0]
    assert (kept.before, kept.after) == ({"status": "running"}, {"status": "paused"})
    audit.folder.rename(tmp_path / "away")
    audit.folder.write_text("in the way")
    done = msgspec.json.decode(carried_out(Keeper(), audit, asked)[0], type=OrderDone)
    assert (done.status, done.noted, audit.waits) == ("paused", False, True)


@pytest.mark.parametrize("refusal", [OverrideRefused("it is a draft"), ExperimentStopped("for good")])
def test_a_refusal_keeps_its_kind_and_words(tmp_path: Path, refusal: Exception) -> None:
    keeper = Keeper()
    keeper.refusal = refusal
    [answer] = carried_out(keeper, Audit(tmp_path), [OrderAsked("banner", "pause", line()).encoded(5.0)])
    assert msgspec.json.decode(answer, type=OrderRefused) == OrderRefused(type(refusal).__name__, str(refusal))


def test_orders_that_come_together_are_kept_together_and_each_has_its_own_answer(tmp_path: Path) -> None:
    """One that nobody can read, one for which its asker waits no more, and those behind them."""
    keeper, audit = Keeper(), Audit(tmp_path)
    pause = OrderAsked("banner", "pause", line()).encoded(5.0)
    late = OrderAsked("banner", "resume", line()).encoded(-1.0)
    answers = carried_out(keeper, audit, [pause, b"{", late, pause])
    assert [msgspec.json.decode(answers[place])["status"] for place in (0, 3)] == ["paused", "paused"]
    assert answers[1] == FAILED
    assert (
        msgspec.json.decode(answers[2], type=OrderRefused).detail == "nobody waits for it any more, so it was not done"
    )
    assert (keeper.held, len(audit.page(None, 10, Wanted())[0])) == (1, 2)
    carried_out(keeper, audit, [late])
    assert keeper.held == 1


def test_orders_of_all_lines_are_carried_out_in_one_go_as_they_came_and_no_more_than_that_at_once(
    exchange: Exchange,
) -> None:
    gone: list[int] = []
    exchange.board = Switchboard(exchange.selector, lambda asked: gone.append(len(asked)) or exchange.answer(asked))
    with exchange.connect() as end, exchange.connect() as other:
        for number in range(1, MOST_TOGETHER + 1):
            end.sendall(Frame(ORDER, number, b"x").packed())
        other.sendall(Frame(ORDER, 7, b"y").packed())
        exchange.turn()
        assert (gone, exchange.board.waits) == ([MOST_TOGETHER], True)
        exchange.turn()
        assert (gone, exchange.board.waits) == ([MOST_TOGETHER, 1], False)
        assert [frame.number for frame in heard(end, exchange)] == [*range(1, MOST_TOGETHER + 1)]
        assert [frame.number for frame in heard(other, exchange)] == [7]


def test_one_order_too_many_is_refused_before_it_is_sent(exchange: Exchange) -> None:
    async def live() -> None:
        process = Line(exchange.connect().detach())
        with process.follow(lambda topic, content: None):
            asked = [
                asyncio.create_task(process.order(OrderAsked("banner", "pause", line()))) for _ in range(MOST_ORDERS)
            ]
            await asyncio.sleep(0)
            with pytest.raises(TooManyOrders, match="nothing was done"):
                await process.order(OrderAsked("banner", "resume", line()))
            supervising = asyncio.create_task(turning(exchange))
            assert await asyncio.gather(*asked) == [DONE] * MOST_ORDERS
            assert await process.order(OrderAsked("banner", "stop", line())) == DONE
            supervising.cancel()

    asyncio.run(live())
    assert [msgspec.json.decode(each)["action"] for each in exchange.asked] == [*["pause"] * MOST_ORDERS, "stop"]
