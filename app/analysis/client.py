"""A worker's side of the analysis process: frames of length and JSON over a Unix socket, one query a connection."""

import asyncio
import contextlib
import struct
from pathlib import Path
from typing import Final

import msgspec

from app.analysis.queries import Query
from kit.private import elsewhere, is_trusted

LARGEST_FRAME: Final = 1 << 30  # bytes; a unit table of millions fits
CONNECTS: Final = 2
AGAIN_SECONDS: Final = 2  # by then the supervisor has started it again
GRACE_SECONDS: Final = 2.0  # the process itself answers at the time-out; this covers one that no longer does
_LENGTH: Final = struct.Struct(">I")


class Request(msgspec.Struct, frozen=True):
    """A query, the seconds that it may take, and the name of the key that asks."""

    query: Query
    timeout_seconds: float
    asker: str = ""


class Head(msgspec.Struct, frozen=True):
    """The head of an answer; `size` bytes of body follow it."""

    status: int
    content_type: str
    size: int
    headers: dict[str, str] = {}
    code: str | None = None  # given when the query was refused; the body is then the detail
    retry_after_seconds: int | None = None


class AnalysisAnswer(msgspec.Struct, frozen=True):
    """What a query gave: a body ready to be sent, its type, and headers such as ETag."""

    status: int
    content_type: str
    body: bytes
    headers: dict[str, str] = {}


class AnalysisError(Exception):
    """A query that was refused, as its asker should read it: HTTP status, problem code, a sentence."""

    def __init__(self, status: int, code: str, detail: str, retry_after_seconds: int | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds


class AnalysisClient:
    """Asks the analysis process. `socket_path` is `DataDirectory.analysis_socket`."""

    def __init__(self, socket_path: Path, timeout_seconds: float = 60.0) -> None:
        self.socket_path = socket_path
        self.timeout_seconds = timeout_seconds

    async def ask(self, query: Query, asker: str = "") -> AnalysisAnswer:
        """The answer to a query. Cancelling it ends the work, unless others wait for the same.

        Two queries of one asker are worked on at once, the next waits.

        Raises AnalysisError: refused (unknown_experiment, data_damaged, …), `analysis_timeout` after
        `timeout_seconds`, `analysis_unavailable` where the process cannot be reached, `analysis_restarted` where it
        ends under the query: it is not asked twice, because the query may be why.
        """
        seconds = self.timeout_seconds
        try:
            async with asyncio.timeout(seconds + GRACE_SECONDS):
                reader, writer = await self._connected()
                with contextlib.closing(writer):
                    writer.write(frame(Request(query, seconds, asker)))
                    await writer.drain()
                    head = msgspec.json.decode(await read_frame(reader), type=Head)
                    body = await reader.readexactly(head.size)
        except TimeoutError:
            raise AnalysisError(503, "analysis_timeout", f"no answer within {seconds:g} s", 5) from None
        except (OSError, asyncio.IncompleteReadError):
            detail = "the analysis does not answer this any more: it has ended, and is started again"
            raise AnalysisError(503, "analysis_restarted", detail, AGAIN_SECONDS) from None
        if head.code is not None:
            raise AnalysisError(head.status, head.code, body.decode(), head.retry_after_seconds)
        return AnalysisAnswer(head.status, head.content_type, body, head.headers)

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the process, or to the queue in which its successor finds it. Raises AnalysisError."""
        for place in CONNECTS * (self.socket_path, elsewhere(self.socket_path)):
            try:
                reader, writer = await asyncio.open_unix_connection(str(place), limit=1 << 20)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            if is_trusted(writer.get_extra_info("socket").fileno()):
                return reader, writer
            writer.close()
            raise AnalysisError(503, "analysis_unavailable", f"another user's process listens at {place}", 60)
        raise AnalysisError(503, "analysis_unavailable", "the analysis process does not answer", AGAIN_SECONDS)


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """The next frame; raises IncompleteReadError where the other side has gone."""
    (size,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if size > LARGEST_FRAME:
        raise ValueError(f"a frame of {size} bytes is larger than {LARGEST_FRAME}")
    return await reader.readexactly(size)


def frame(content: Request | Head) -> bytes:
    """The content as JSON, with its length before it."""
    payload = msgspec.json.encode(content)
    return _LENGTH.pack(len(payload)) + payload
