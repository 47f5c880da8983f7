"""An order from whoever gives it to whoever carries it out: asked, checked by the one function, done, and answered."""

import contextlib
import logging
import socket
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import msgspec
from msgspec.structs import replace

from app.control.frames import ANSWER, FAILED, LARGEST_QUESTION, ORDER, TURNED_AWAY, Frame, Incoming
from app.keys.audit import Audit, AuditLine, AuditUnusable
from experiments.catalog.catalog import Catalog
from experiments.catalog.overrides import (
    WAITS_FOR_THE_AUDIT,
    Action,
    ExperimentStopped,
    NothingToOverride,
    NoVariantToShip,
    Order,
    Override,
    OverrideRefused,
    Telling,
    order,
)
from kit.private import elsewhere, is_trusted
from kit.time import now_utc

logger = logging.getLogger("resonate.supervisor")

COMMAND_SECONDS: Final = 10.0
REFUSALS: Final[dict[str, type[Exception]]] = {
    kind.__name__: kind
    for kind in (NothingToOverride, NoVariantToShip, ExperimentStopped, OverrideRefused, AuditUnusable)
}


class OrderAsked(msgspec.Struct, frozen=True):
    """What an experiment is told, and the line of the audit about it, which gets the status before and after it.

    `ignored` is what a ship goes against. Whoever asks waits until `until`, of this machine's monotonic clock; an order
    that was not begun by then is not done.
    """

    key: str
    action: Action
    line: AuditLine
    variant: str | None = None
    ignored: str | None = None
    until: float | None = None

    def encoded(self, seconds: float) -> bytes:
        """As it is sent by who waits so long. Raises OverrideRefused for one that is longer than what is heard."""
        content = msgspec.json.encode(replace(self, until=time.monotonic() + seconds))
        if len(content) > LARGEST_QUESTION:
            raise OverrideRefused(f"the order has {len(content)} bytes; it may have {LARGEST_QUESTION}")
        return content

    @property
    def order(self) -> Order:
        """The order alone."""
        return Order(self.key, self.action, self.variant)


class OrderDone(msgspec.Struct, frozen=True):
    """What became of an order: it holds. `kept` says whether it is on the disk, `noted` whether its line is."""

    status: str
    ordered_at: datetime
    kept: bool = True
    noted: bool = True


class OrderRefused(msgspec.Struct, frozen=True):
    """An order that was not carried out: which of REFUSALS says so, and its words."""

    refused: str
    detail: str


class Keeper(Protocol):
    """Who carries orders out in a running service."""

    not_kept: str | None

    def order(self, told: Order, now: datetime, tell: Telling) -> Override: ...
    def hold(self, now: datetime) -> None: ...


def carried_out(keeper: Keeper, audit: Audit, contents: Sequence[bytes]) -> list[bytes]:
    """The supervisor's answers to orders that came together: they are kept together, with one wait for the disk."""
    now, follow = now_utc(), list[AuditLine]()
    taken = [_taken_up(keeper, audit, content, (now, follow)) for content in contents]
    if not any(isinstance(each, _TakenUp) for each in taken):
        return [each for each in taken if isinstance(each, bytes)]
    try:
        keeper.hold(now)
    except Exception:
        logger.exception("orders failed")
        return [FAILED if isinstance(each, _TakenUp) else each for each in taken]
    noted = not follow or audit.follow(*follow)
    return [each if isinstance(each, bytes) else each.answer(keeper, noted) for each in taken]


def written_order(data: Path, catalog: Catalog, audit: Audit, asked: OrderAsked) -> OrderDone:
    """Notes an order on the disk, where no service runs that could be asked.

    Raises one of REFUSALS, or OSError where it cannot be kept.
    """
    follow: list[AuditLine] = []
    override = order(data, catalog, asked.order, now_utc(), _telling(asked, audit, follow))
    return OrderDone(override.status, override.ordered_at, noted=not follow or audit.follow(*follow))


def done_of(content: bytes) -> OrderDone:
    """What became of an order. Raises one of REFUSALS where it was not carried out."""
    answer = msgspec.json.decode(content)
    if "refused" in answer:
        raise REFUSALS.get(answer["refused"], OverrideRefused)(answer["detail"])
    return msgspec.convert(answer, OrderDone)


def asked_of_service(path: Path, asked: OrderAsked) -> OrderDone | None:
    """What the running service says that listens at `path`; None where none does.

    Raises one of REFUSALS, or TimeoutError where it does not answer in time.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as end:
        end.settimeout(COMMAND_SECONDS)
        if not any(_is_there(end, place) for place in (path, elsewhere(path))):
            return None
        if not is_trusted(end.fileno()):
            raise PermissionError(f"another user's process listens at {path}")
        try:
            answer = _answered(end, Frame(ORDER, 1, asked.encoded(COMMAND_SECONDS)))
        except ConnectionError:
            answer = FAILED
    if answer == TURNED_AWAY:
        raise OverrideRefused("too many commands ask the service at once; nothing was done, say it again")
    if answer == FAILED:
        raise TimeoutError("the service hung up and did not say what became of the order; its log says why")
    return done_of(answer)


def _answered(end: socket.socket, question: Frame) -> bytes:
    """The answer to the one question that is asked there; FAILED where none comes. Raises OSError."""
    with contextlib.suppress(BrokenPipeError):  # who was turned away before it asked finds the answer there
        end.sendall(question.packed())
    incoming = Incoming()
    while received := end.recv(65_536):
        for frame in incoming.feed(received):
            if frame.kind == ANSWER:
                return frame.content
    return FAILED


def _is_there(end: socket.socket, place: Path) -> bool:
    try:
        end.connect(str(place))
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        return False
    return True


class _TakenUp(NamedTuple):
    """An order that was taken up, and whether its line is kept already."""

    override: Override
    noted: bool

    def answer(self, keeper: Keeper, noted: bool) -> bytes:
        kept, noted = keeper.not_kept is None, noted or self.noted
        return msgspec.json.encode(OrderDone(self.override.status, self.override.ordered_at, kept, noted))


def _taken_up(
    keeper: Keeper, audit: Audit, content: bytes, given: tuple[datetime, list[AuditLine]]
) -> _TakenUp | bytes:
    """An order that now holds in the keeper's hands, or what its asker is answered at once."""
    now, follow = given
    try:
        asked = msgspec.json.decode(content, type=OrderAsked)
        if asked.until is not None and time.monotonic() > asked.until:
            raise OverrideRefused("nobody waits for it any more, so it was not done")
        return _TakenUp(
            keeper.order(asked.order, now, _telling(asked, audit, follow)), asked.action in WAITS_FOR_THE_AUDIT
        )
    except tuple(REFUSALS.values()) as refusal:
        return msgspec.json.encode(OrderRefused(type(refusal).__name__, str(refusal)))
    except Exception:
        logger.exception("an order failed")
        return FAILED  # the line goes on: a process whose line ended would never hear of definitions again


def _telling(asked: OrderAsked, audit: Audit, follow: list[AuditLine]) -> Telling:
    """Writes the line of an order: AuditUnusable stops one that waits for it, that of a pause and a stop follows."""
    shipped = {} if asked.variant is None else {"variant": asked.variant, "ignored": asked.ignored}

    def tell(before: str, after: str) -> None:
        line = replace(asked.line, before={"status": before}, after={"status": after, **shipped})
        if asked.action in WAITS_FOR_THE_AUDIT:
            audit.write(line)
        else:
            follow.append(line)

    return tell
