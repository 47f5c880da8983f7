"""What went wrong, in the words of the caller's dialect: one exception, one table from exceptions to answers."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec

from kit.files import FULL, why_unwritten

logger = logging.getLogger(__name__)

PROBLEM_TYPE: Final = b"application/problem+json"
JSON_TYPE: Final = b"application/json"
MAX_DETAIL: Final = 1_500
OURS: Final = 500  # from this status on the fault is the service's
RETRY_SECONDS: Final = 5
OFREP_PREFIX: Final = "/ofrep/"
OFREP_FLAGS: Final = "/ofrep/v1/evaluate/flags/"

Headers = list[tuple[bytes, bytes]]


class Problem(Exception):
    """An answer other than success: `status`, an enumerated `code`, and a `detail` for the person who must fix it.

    `ofrep_code` is what OpenFeature calls it; `headers` go out with it, `members` extend its body (RFC 9457, 3.2). What
    is a fault of ours says when to ask again.
    """

    def __init__(self, status: int, code: str, detail: str, *, ofrep_code: str = "GENERAL",
                 headers: Mapping[str, str] | None = None,
                 members: Mapping[str, Any] | None = None) -> None:  # fmt: skip
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail[:MAX_DETAIL]
        self.ofrep_code = ofrep_code
        told = {**({"Retry-After": str(RETRY_SECONDS)} if status >= OURS else {}), **(headers or {})}
        self.headers: Headers = [(name.lower().encode(), value.encode()) for name, value in told.items()]
        self.members = members or {}


def retry_later(status: int, code: str, detail: str, seconds: int) -> Problem:
    """A problem that passes: the same request may be sent again after `seconds` (an integer, at least 1)."""
    return Problem(status, code, detail, headers={"Retry-After": str(max(1, seconds))})


def not_written(error: BaseException) -> Problem | None:
    """503 for whatever a disk of ours refused to take, with what ends that; None for every other error.

    The file stands in the log alone: a page may have asked.
    """
    if (why := why_unwritten(error)) is None:
        return None
    logger.error("a request needed a file that cannot be written: %s", why)
    assert isinstance(error, OSError)
    if error.errno in FULL:
        detail = "the disk of the service is full: nothing of this request is stored, send it again once there is room"
        return Problem(503, "disk_full", detail)
    detail = (
        "the disk of the service takes no files: nothing of this request is stored; the log of the service says why"
    )
    return Problem(503, "disk_unusable", detail)


def unreadable(detail: str) -> Problem:
    """400: the body as a whole cannot be read."""
    return Problem(400, "unreadable_body", detail, ofrep_code="PARSE_ERROR")


def problem_body(problem: Problem, path: str) -> tuple[bytes, bytes]:
    """Content type and body of a problem: OFREP 0.3.0 under /ofrep, with the one flag asked for, else problem+json."""
    if path.startswith(OFREP_PREFIX):
        failure = {"errorCode": problem.ofrep_code, "errorDetails": problem.detail}
        flag = {"key": path[len(OFREP_FLAGS) :][:128]} if path.startswith(OFREP_FLAGS) else {}
        return JSON_TYPE, msgspec.json.encode({**flag, **failure})
    title = HTTPStatus(problem.status).phrase
    body = {
        **problem.members,
        "type": f"urn:resonate:problem:{problem.code}",
        "title": title,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "message": problem.detail,
    }
    return PROBLEM_TYPE, msgspec.json.encode(body)


def refusal(problem: Problem, retry_after_seconds: int | None) -> bytes:
    """The bytes of an answer that ends its connection."""
    _, body = problem_body(problem, "")
    status = f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}".encode()
    lines = [status, b"content-type: " + PROBLEM_TYPE, b"connection: close"]
    lines.append(b"content-length: %d" % len(body))
    if retry_after_seconds is not None:
        lines.append(b"retry-after: %d" % retry_after_seconds)
    return b"\r\n".join([*lines, b"", body])
