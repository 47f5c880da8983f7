"""An order from whoever gives it to whoever carries it out: asked, checked by the one function, done, and answered."""

import socket
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

import msgspec
from msgspec.structs import replace

from app.control.frames import ANSWER, FAILED, LARGEST_QUESTION, ORDER, Frame, Incoming
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

COMMAND_SECONDS: Final = 10.0
REFUSALS: Final[dict[str, type[Exception]]] = {
    kind.__name__: kind
    for kind in (NothingToOverride, NoVariantToShip, ExperimentStopped, OverrideRefused, AuditUnusable)
}


class OrderAsked(msgspec.Struct, frozen=True):
    """What an experiment is told, and the line of the audit about it, which gets the status before and after it.

    `ignored` is what a ship goes against.
    """

    key: str
    action: Action
    line: AuditLine
    variant: str | None = None
    ignored: str | None = None

    def encoded(self) -> bytes:
        """As it is sent. Raises OverrideRefused for one that is longer than what is heard."""
        content = msgspec.json.encode(self)
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

    def obey(self, told: Order, now: datetime, tell: Telling) -> Override: ...


def carried_out(keeper: Keeper, audit: Audit, content: bytes) -> bytes:
    """The supervisor's answer to an order that somebody asked for."""
    asked = msgspec.json.decode(content, type=OrderAsked)
    noted: list[bool] = []
    try:
        override = keeper.obey(asked.order, now_utc(), _telling(asked, audit, noted))
    except tuple(REFUSALS.values()) as refusal:
        return msgspec.json.encode(OrderRefused(type(refusal).__name__, str(refusal)))
    answer = OrderDone(override.status, override.ordered_at, keeper.not_kept is None, all(noted))
    return msgspec.json.encode(answer)


def written_order(data: Path, catalog: Catalog, audit: Audit, asked: OrderAsked) -> OrderDone:
    """Notes an order on the disk, where no service runs that could be asked.

    Raises one of REFUSALS, or OSError where it cannot be kept.
    """
    noted: list[bool] = []
    override = order(data, catalog, asked.order, now_utc(), _telling(asked, audit, noted))
    return OrderDone(override.status, override.ordered_at, noted=all(noted))


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
            answer = _answered(end, Frame(ORDER, 1, asked.encoded()))
        except ConnectionError:
            answer = FAILED
    if answer == FAILED:
        raise TimeoutError("the service hung up and did not say what became of the order; its log says why")
    return done_of(answer)


def _answered(end: socket.socket, question: Frame) -> bytes:
    """The answer to the one question that is asked there; FAILED where none comes. Raises OSError."""
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


def _telling(asked: OrderAsked, audit: Audit, noted: list[bool]) -> Telling:
    """Writes the line of an order: one that waits for it is stopped by AuditUnusable, a pause and a stop by nothing."""
    shipped = {} if asked.variant is None else {"variant": asked.variant, "ignored": asked.ignored}

    def tell(before: str, after: str) -> None:
        line = replace(asked.line, before={"status": before}, after={"status": after, **shipped})
        if asked.action in WAITS_FOR_THE_AUDIT:
            audit.write(line)
        else:
            noted.append(audit.follow(line))

    return tell
