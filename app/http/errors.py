"""What went wrong, in the words of the caller's dialect: one exception, one table from exceptions to answers."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec

PROBLEM_TYPE: Final = b"application/problem+json"
JSON_TYPE: Final = b"application/json"
MAX_DETAIL: Final = 1_500
OFREP_PREFIX: Final = "/ofrep/"
OFREP_CODES: Final = frozenset({"PARSE_ERROR", "TARGETING_KEY_MISSING", "INVALID_CONTEXT", "GENERAL", "FLAG_NOT_FOUND"})

Headers = list[tuple[bytes, bytes]]


class Problem(Exception):
    """An answer other than success: `status`, an enumerated `code`, and a `detail` for the person who must fix it.

    `ofrep_code` is what OpenFeature calls it; `flag` names the flag of an OFREP failure; `headers` go out with it.
    """

    def __init__(self, status: int, code: str, detail: str, *, ofrep_code: str = "GENERAL", flag: str | None = None,
                 headers: Mapping[str, str] | None = None) -> None:  # fmt: skip
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail[:MAX_DETAIL]
        self.ofrep_code = ofrep_code
        self.flag = flag
        self.headers: Headers = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]


def retry_later(status: int, code: str, detail: str, seconds: int) -> Problem:
    """A problem that passes: the same request may be sent again after `seconds` (an integer, at least 1)."""
    return Problem(status, code, detail, headers={"Retry-After": str(max(1, seconds))})


def unreadable(detail: str) -> Problem:
    """400: the body as a whole cannot be read."""
    return Problem(400, "unreadable_body", detail, ofrep_code="PARSE_ERROR")


def problem_body(problem: Problem, path: str) -> tuple[bytes, bytes]:
    """Content type and body of a problem: flat OFREP JSON under /ofrep, else problem+json."""
    if path.startswith(OFREP_PREFIX):
        return JSON_TYPE, ofrep_body(problem)
    title = HTTPStatus(problem.status).phrase
    body = {
        "type": f"urn:resonate:problem:{problem.code}",
        "title": title,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "message": problem.detail,
    }
    return PROBLEM_TYPE, msgspec.json.encode(body)


def ofrep_body(problem: Problem) -> bytes:
    """The failure body of OFREP 0.3.0; `key` only where one flag was asked for."""
    code = "FLAG_NOT_FOUND" if problem.status == 404 and problem.flag is not None else problem.ofrep_code
    body = {"errorCode": code, "errorDetails": problem.detail}
    return msgspec.json.encode(body if problem.flag is None else {"key": problem.flag, **body})
