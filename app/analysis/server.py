"""The server side of the analysis socket: a query, its answer, or the reason why there is none."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import msgspec

from app.analysis.client import AnalysisAnswer, AnalysisError, Head, Request, frame, read_frame
from app.analysis.queries import Query
from app.http.errors import not_written
from events.engines.duckdb import QueryTimeout
from events.log.export import InvalidCursor
from events.parts.part import CopyTorn, DataDamaged, PartReplaced
from events.privacy.journal import JournalUnusable
from events.store.availability import StoreUnavailable
from experiments.cube.statements import UncountableCondition
from experiments.planning.assumptions import InvalidPlan
from experiments.readout.study import InvalidDate, NotFound
from kit.private import is_trusted
from kit.tasks import unless

logger = logging.getLogger("resonate.analysis")

RETRY_SECONDS: Final = 5
AT_ONCE: Final = 2  # questions of one key; the others of a key wait, those of other keys do not
DAMAGE_RETRY_SECONDS: Final = 60  # damage does not pass by itself; this spares the log from eager clients

Answering: TypeAlias = Callable[[Any], Awaitable[AnalysisAnswer]]
"""Answers a query; whatever it raises becomes a refusal."""


_REFUSALS: Final[dict[type[Exception], tuple[int, str, int | None]]] = {
    InvalidDate: (400, "invalid_date", None),
    InvalidPlan: (400, "invalid_plan", None),
    UncountableCondition: (400, "uncountable_condition", None),
    InvalidCursor: (400, "invalid_cursor", None),
    PartReplaced: (503, "analysis_timeout", RETRY_SECONDS),  # both before what they are a kind of
    CopyTorn: (503, "copy_torn", DAMAGE_RETRY_SECONDS),
    DataDamaged: (503, "data_damaged", DAMAGE_RETRY_SECONDS),
    JournalUnusable: (503, "erasure_journal_unusable", DAMAGE_RETRY_SECONDS),
    QueryTimeout: (503, "analysis_timeout", RETRY_SECONDS),
}


async def answer_query(answering: Answering, query: Query) -> AnalysisAnswer:
    """The answer; raises AnalysisError alone. An exception that is not foreseen is logged and named nowhere else."""
    try:
        return await answering(query)
    except AnalysisError:
        raise
    except NotFound as error:
        raise AnalysisError(404, f"unknown_{error.what}", str(error)) from error
    except StoreUnavailable as error:
        detail = "the event store does not answer"
        raise AnalysisError(503, error.cause, detail, error.retry_after_seconds) from error
    except Exception as error:
        for kind, (status, code, retry_seconds) in _REFUSALS.items():
            if isinstance(error, kind):
                raise AnalysisError(status, code, str(error), retry_seconds) from error
        if (unwritten := not_written(error)) is not None:
            raise AnalysisError(503, unwritten.code, unwritten.detail, RETRY_SECONDS) from error
        logger.exception("%s failed", type(query).__name__)
        detail = "the answer could not be computed; the log of the service says why"
        raise AnalysisError(503, "analysis_failed", detail, RETRY_SECONDS) from error


class AnalysisServer:
    """Answers queries; each connection asks once, and hanging up cancels the work."""

    def __init__(self, answering: Answering) -> None:
        self.answering = answering
        self._turns: dict[str, asyncio.Semaphore] = {}  # of keys, which are few

    async def serve(self, listener: socket.socket, ready: Callable[[], None], stop: asyncio.Event) -> None:
        """Answer connections of `listener` until `stop` is set."""
        server = await asyncio.start_unix_server(self.converse, sock=listener, limit=1 << 20)
        ready()
        await stop.wait()
        server.close()

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: one query; who does not speak our language, or is another user, is hung up on."""
        if not is_trusted(writer.get_extra_info("socket").fileno()):
            logger.warning("another user's process called the analysis and is hung up on")
            writer.close()
            return
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, msgspec.MsgspecError, ValueError):
            try:
                request = msgspec.json.decode(await read_frame(reader), type=Request)
                answer = await unless(reader.read(1), self._framed(request))
                if answer is not None:  # else the asker hung up before it was there
                    writer.write(answer)
                    await writer.drain()
            finally:
                writer.close()

    async def _framed(self, request: Request) -> bytes:
        try:
            turn = self._turns.setdefault(request.asker, asyncio.Semaphore(AT_ONCE))
            async with asyncio.timeout(request.timeout_seconds), turn:
                answer = await answer_query(self.answering, request.query)
        except TimeoutError:
            detail = f"the answer took longer than {request.timeout_seconds:g} s"
            refused = AnalysisError(503, "analysis_timeout", detail, RETRY_SECONDS)
        except AnalysisError as error:
            refused = error
        else:
            return frame(Head(answer.status, answer.content_type, len(answer.body), answer.headers)) + answer.body
        body = refused.detail.encode()
        wait = refused.retry_after_seconds
        return frame(Head(refused.status, "text/plain", len(body), {}, refused.code, wait)) + body
