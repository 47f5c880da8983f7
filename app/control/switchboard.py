"""The supervisor's side of its lines: it tells processes what holds now, and answers what they ask. It never waits."""

import contextlib
import logging
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Final

from app.control.frames import (
    ANSWER,
    FAILED,
    KINDS,
    LARGEST_QUESTION,
    ORDER,
    TOPICS,
    TURNED_AWAY,
    Frame,
    FrameTooLarge,
    Incoming,
)
from app.serving.sockets import CannotListen, listen_unix
from kit.private import is_trusted

logger = logging.getLogger("resonate.supervisor")

RECEIVED_BYTES: Final = 65_536
MOST_COMMANDS: Final = 16  # that ask at once
COMMAND_SECONDS: Final = 5.0
MOST_ORDERS: Final = 64  # that are carried out together; the others wait for the next turn
Answering = Callable[[Sequence[bytes]], Sequence[bytes]]


class Switchboard:
    """All lines of a supervisor, in its selector.

    `answer` answers the orders that came in one turn, in their order; whatever it raises is its own fault.
    """

    def __init__(self, selector: selectors.BaseSelector, answer: Answering) -> None:
        self._selector = selector
        self._answer = answer
        self._now: dict[str, bytes] = {}  # what holds, by topic
        self._asked: deque[tuple[_Line, Frame]] = deque()
        self._lines: list[_Line] = []
        self._commands: list[_Line] = []
        self._listener: socket.socket | None = None

    def tell(self, topic: str, content: bytes) -> None:
        """This holds from now on: every process hears of it at once, and each that comes later."""
        self._now[topic] = content
        for line in [*self._lines]:
            line.tell(topic, content)

    def connect(self, end: socket.socket, topics: Collection[str]) -> None:
        """A process was started with the other end: it hears of these topics."""
        line = _Line(self._selector, end, topics, self._heard, self._lines.remove)
        self._lines.append(line)
        for topic in TOPICS.values():
            if topic in self._now:
                line.tell(topic, self._now[topic])

    def listen(self, path: Path) -> bool:
        """Let commands of this machine's user ask at a Unix socket; whether that is possible."""
        try:
            self._listener = listen_unix(path)
        except (OSError, CannotListen) as error:
            logger.warning("commands cannot ask this service, they write orders to the disk: %s", error)
            return False
        self._selector.register(self._listener, selectors.EVENT_READ, self._admit)
        return True

    @property
    def waits(self) -> bool:
        """Whether orders are left for the next turn, which is then not waited for."""
        return bool(self._asked)

    def carry_out(self) -> None:
        """Answer the orders that came, at most MOST_ORDERS of them."""
        asked = [self._asked.popleft() for _ in range(min(len(self._asked), MOST_ORDERS))]
        if not asked:
            return
        try:
            answers = self._answer([frame.content for _, frame in asked])
        except Exception:
            logger.exception("orders failed")
            answers = [FAILED for _ in asked]
        for (line, frame), answer in zip(asked, answers, strict=True):
            line.send(Frame(ANSWER, frame.number, answer))

    def watch(self) -> None:
        """Hang up on commands that neither ask nor hear their answer."""
        for line in [*self._commands]:
            if time.monotonic() - line.since > COMMAND_SECONDS:
                line.close()

    def close(self) -> None:
        """End all lines."""
        for line in [*self._lines, *self._commands]:
            line.close()
        if self._listener is not None:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None

    def _admit(self) -> None:
        assert self._listener is not None
        with contextlib.suppress(OSError):
            end, _ = self._listener.accept()
            if not is_trusted(end.fileno()):
                end.close()
                return
            if len(self._commands) >= MOST_COMMANDS:
                with end:
                    end.send(Frame(ANSWER, 0, TURNED_AWAY).packed(), socket.MSG_DONTWAIT)
                return
            self._commands.append(_Line(self._selector, end, (), self._heard, self._commands.remove))

    def _heard(self, line: "_Line", frame: Frame) -> None:
        if frame.kind != ORDER:
            raise FrameTooLarge("a process asks for what there is not")
        self._asked.append((line, frame))


class _Line:
    """One socket: what is to be told waits for who listens, of each topic the newest alone."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        end: socket.socket,
        topics: Collection[str],
        heard: "Callable[[_Line, Frame], None]",
        gone: "Callable[[_Line], None]",
    ) -> None:
        end.setblocking(False)
        self.since = time.monotonic()
        self._selector = selector
        self._end: socket.socket | None = end
        self._topics = frozenset(topics)
        self._heard = heard
        self._gone = gone
        self._incoming = Incoming(LARGEST_QUESTION)
        self._sending = memoryview(b"")
        self._answers: deque[Frame] = deque()
        self._told: dict[str, bytes] = {}
        self._selector.register(end, selectors.EVENT_READ, self._turn)

    def tell(self, topic: str, content: bytes) -> None:
        """Send it as soon as may be, in place of what waits of the same topic."""
        if topic in self._topics:
            self._told[topic] = content
            self._flush()

    def send(self, frame: Frame) -> None:
        """Send it behind all that was told by now."""
        self._answers.append(frame)
        self._flush()

    def close(self) -> None:
        """End it; whoever is at the other end sees that."""
        if self._end is not None:
            self._selector.unregister(self._end)
            self._end.close()
            self._end = None
            self._gone(self)

    def _turn(self) -> None:
        """There is something to read, or room to write."""
        try:
            received = b"" if self._end is None else self._end.recv(RECEIVED_BYTES)
            if not received:
                self.close()
                return
            for frame in self._incoming.feed(received):
                self._heard(self, frame)
        except BlockingIOError:
            pass
        except (OSError, FrameTooLarge):
            self.close()
            return
        self._flush()

    def _flush(self) -> None:
        """Send what the socket takes now."""
        while self._end is not None:
            if not self._sending and not self._next():
                break
            try:
                self._sending = self._sending[self._end.send(self._sending) :]
            except BlockingIOError:
                break
            except OSError:
                self.close()
        if self._end is not None:
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._sending else 0)
            if self._selector.get_key(self._end).events != wanted:
                self._selector.modify(self._end, wanted, self._turn)

    def _next(self) -> bool:
        for topic in TOPICS.values():
            if topic in self._told:
                self._sending = memoryview(Frame(KINDS[topic], 0, self._told.pop(topic)).packed())
                return True
        if self._answers:
            self._sending = memoryview(self._answers.popleft().packed())
            return True
        return False
