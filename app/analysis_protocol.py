"""What workers and the analysis process say to each other: frames of length and JSON over a Unix socket."""

import asyncio
import struct
from typing import Any, Final

import msgspec

LENGTH: Final = struct.Struct(">I")
LARGEST_FRAME: Final = 1 << 30  # bytes; a unit table of millions fits


class Request(msgspec.Struct, frozen=True):
    """One call: its name in `app.analysis_calls.CALLS`, its arguments, the seconds it may take."""

    name: str
    arguments: dict[str, Any]
    timeout_seconds: float


class Head(msgspec.Struct, frozen=True):
    """The head of an answer; `size` bytes of body follow it."""

    status: int
    content_type: str
    size: int
    headers: dict[str, str] = {}
    code: str | None = None  # given when the call was refused; the body is then the detail
    retry_after_seconds: int | None = None


class AnalysisAnswer(msgspec.Struct, frozen=True):
    """What a call gave: a body ready to be sent, its type, and headers such as ETag."""

    status: int
    content_type: str
    body: bytes
    headers: dict[str, str] = {}


class AnalysisError(Exception):
    """A call that was refused, as its asker should read it: HTTP status, problem code, a sentence."""

    def __init__(self, status: int, code: str, detail: str, retry_after_seconds: int | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """The next frame; raises IncompleteReadError where the other side has gone."""
    (size,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
    if size > LARGEST_FRAME:
        raise ValueError(f"a frame of {size} bytes is larger than {LARGEST_FRAME}")
    return await reader.readexactly(size)


def frame(payload: bytes) -> bytes:
    """The payload with its length before it."""
    return LENGTH.pack(len(payload)) + payload
