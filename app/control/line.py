"""A process's side of its line to the supervisor: it hears what holds now, and asks for what only that one may do."""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable, Generator
from itertools import count
from typing import Final

from app.control.frames import ANSWER, FAILED, ORDER, TOPICS, Frame, Incoming
from app.control.orders import OrderAsked, OrderDone, done_of

logger = logging.getLogger(__name__)

RECEIVED_BYTES: Final = 1 << 18
FIRST_SECONDS: Final = 60.0  # until the supervisor has told of definitions; it may still read them
ORDER_SECONDS: Final = 5.0
MOST_ORDERS: Final = 64  # of one process that wait for their answer


class LineSilent(Exception):
    """The supervisor did not answer in time, or its line has ended."""


class TooManyOrders(Exception):
    """So many orders wait for their answer that this one was not sent."""


class Line:
    """The socket that the supervisor handed over, by its descriptor.

    `first` waits for what holds at the start, before there is a loop; `follow` hears of what comes after it.
    """

    def __init__(self, descriptor: int) -> None:
        self._end = socket.socket(fileno=descriptor)
        self._incoming = Incoming()
        self._unsent = bytearray()
        self._asked: dict[int, asyncio.Future[bytes]] = {}
        self._numbers = count(1)
        self._take: Callable[[str, bytes], None] | None = None

    def first(self) -> dict[str, bytes]:
        """What holds now, by topic. Raises LineSilent."""
        told: dict[str, bytes] = {}
        self._end.settimeout(FIRST_SECONDS)
        while "catalogue" not in told:
            try:
                received = self._end.recv(RECEIVED_BYTES)
            except TimeoutError:
                raise LineSilent("the supervisor told of no definitions") from None
            if not received:
                raise LineSilent("the supervisor is gone")
            told |= {TOPICS[frame.kind]: frame.content for frame in self._incoming.feed(received)}
        return told

    @contextlib.contextmanager
    def follow(self, take: Callable[[str, bytes], None]) -> Generator[None]:
        """Give `take` what holds, by topic, as soon as it is told, while the block runs in a loop."""
        loop = asyncio.get_running_loop()
        self._take = take
        self._end.setblocking(False)
        loop.add_reader(self._end, self._hear)
        try:
            yield
        finally:
            self._leave()
            self._end.close()

    async def order(self, asked: OrderAsked) -> OrderDone:
        """Let the supervisor carry an order out. Raises TooManyOrders, LineSilent, or what `done_of` raises."""
        if len(self._asked) >= MOST_ORDERS:
            raise TooManyOrders(f"{MOST_ORDERS} orders wait already, so nothing was done")
        number = next(self._numbers)
        answered = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(ORDER_SECONDS):
                self._unsent += Frame(ORDER, number, asked.encoded(ORDER_SECONDS)).packed()
                self._send()
                answer = await answered
        except (TimeoutError, OSError):
            raise LineSilent("the service did not say in time what became of the order") from None
        finally:
            self._asked.pop(number, None)
        if answer == FAILED:
            raise LineSilent("the service failed at the order, and its log says why")
        return done_of(answer)

    def _send(self) -> None:
        """Orders one behind the other, each whole, whoever gives up waiting: what the socket takes now, then more.

        Raises OSError where the line has ended.
        """
        loop = asyncio.get_running_loop()
        with contextlib.suppress(BlockingIOError):
            del self._unsent[: self._end.send(self._unsent)]
        if self._unsent:
            loop.add_writer(self._end, self._send_more)
        else:
            loop.remove_writer(self._end)

    def _send_more(self) -> None:
        try:
            self._send()
        except OSError:
            self._leave()

    def _hear(self) -> None:
        try:
            received = os.read(self._end.fileno(), RECEIVED_BYTES)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received:
            self._leave()
            return
        for frame in self._incoming.feed(received):
            try:
                self._heard(frame)
            except Exception:
                logger.exception("what the supervisor told could not be taken up")

    def _heard(self, frame: Frame) -> None:
        topic = TOPICS.get(frame.kind)
        if topic is not None and self._take is not None:
            self._take(topic, frame.content)
        elif frame.kind == ANSWER and frame.number in self._asked and not self._asked[frame.number].done():
            self._asked[frame.number].set_result(frame.content)

    def _leave(self) -> None:
        """Hear no more; who waits for an answer gets none."""
        self._take = None
        with contextlib.suppress(RuntimeError, ValueError):
            asyncio.get_running_loop().remove_reader(self._end)
            asyncio.get_running_loop().remove_writer(self._end)
        for waiting in self._asked.values():
            if not waiting.done():
                waiting.set_exception(ConnectionResetError())
