"""The server side of the analysis socket: a request, its answer, or the reason why there is none."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from app.analysis.client import AnalysisAnswer, AnalysisError, Head, Request, frame, read_frame
from events.engines.duckdb import QueryTimeout
from events.log.export import InvalidCursor
from events.parts.part import DataDamaged
from events.store.availability import StoreUnavailable
from experiments.cube.statements import UncountableCondition
from experiments.readout.study import InvalidDate, NotFound

logger = logging.getLogger("resonate.analysis")


RETRY_SECONDS = 5
DAMAGE_RETRY_SECONDS = 60  # damage does not pass by itself; this spares the log from eager clients


def refusal(error: Exception, call: str) -> AnalysisError:
    """The refusal that an exception of a call stands for; one that is not foreseen is logged and named nowhere else."""
    if isinstance(error, NotFound):
        return AnalysisError(404, f"unknown_{error.what}", str(error))
    if isinstance(error, InvalidDate):
        return AnalysisError(400, "invalid_date", str(error))
    if isinstance(error, UncountableCondition):
        return AnalysisError(400, "uncountable_condition", str(error))
    if isinstance(error, InvalidCursor):
        return AnalysisError(400, "invalid_cursor", str(error))
    if isinstance(error, DataDamaged):
        return AnalysisError(503, "data_damaged", str(error), DAMAGE_RETRY_SECONDS)
    if isinstance(error, QueryTimeout):
        return AnalysisError(503, "analysis_timeout", str(error), RETRY_SECONDS)
    if isinstance(error, StoreUnavailable):
        return AnalysisError(503, error.cause, "the event store does not answer", error.retry_after_seconds)
    logger.error("call %s failed", call, exc_info=error)
    detail = f"{call} could not be computed; the log of the service says why"
    return AnalysisError(503, "analysis_failed", detail, RETRY_SECONDS)


Call = Callable[[dict[str, Any]], Awaitable[AnalysisAnswer]]


class AnalysisServer:
    """Answers the calls of a table; each connection asks once, and hanging up cancels its call."""

    def __init__(self, calls: Mapping[str, Call]) -> None:
        self.calls = calls

    async def serve(self, listener: socket.socket, ready: Callable[[], None], stop: asyncio.Event) -> None:
        """Answer connections of `listener` until `stop` is set."""
        server = await asyncio.start_unix_server(self.converse, sock=listener, limit=1 << 20)
        ready()
        await stop.wait()
        server.close()

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: one call; one that does not speak our language is hung up on."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, msgspec.MsgspecError, ValueError):
            try:
                request = msgspec.json.decode(await read_frame(reader), type=Request)
                answer = await self._unless_gone(reader, request)
                if answer is not None:
                    writer.write(answer)
                    await writer.drain()
            finally:
                writer.close()

    async def _unless_gone(self, reader: asyncio.StreamReader, request: Request) -> bytes | None:
        """The bytes of the answer; None when the asker hung up before it was there."""
        work = asyncio.create_task(self._answer(request))
        gone = asyncio.create_task(reader.read(1))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            return work.result() if work.done() else None
        finally:
            gone.cancel()
            work.cancel()

    async def _answer(self, request: Request) -> bytes:
        try:
            answer = await self._called(request)
        except AnalysisError as error:
            detail = error.detail.encode()
            head = Head(
                error.status, "text/plain", len(detail), code=error.code, retry_after_seconds=error.retry_after_seconds
            )
            return frame(msgspec.json.encode(head)) + detail
        head = Head(answer.status, answer.content_type, len(answer.body), answer.headers)
        return frame(msgspec.json.encode(head)) + answer.body

    async def _called(self, request: Request) -> AnalysisAnswer:
        call = self.calls.get(request.name)
        if call is None:
            raise AnalysisError(404, "unknown_call", f"the analysis process has no call {request.name!r}")
        try:
            async with asyncio.timeout(request.timeout_seconds):
                return await call(request.arguments)
        except TimeoutError:
            raise AnalysisError(
                503, "analysis_timeout", f"the answer took longer than {request.timeout_seconds:g} s", 5
            ) from None
        except AnalysisError:
            raise
        except Exception as error:
            raise refusal(error, request.name) from error
