"""Structured log lines: one JSON object (or one plain line) each, with every secret taken out."""

import json
import logging
import re
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final

SECRET: Final = re.compile(r"\b(?:pk|sk)_[A-Za-z0-9_\-]{6,}")  # keys as the service makes them
CREDENTIALS: Final = re.compile(r"(?<=://)[^/@\s]+@")  # the user and password of an address
STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}

Redaction = Callable[[str], str]


def redaction(secrets: Iterable[str] = ()) -> Redaction:
    """A function that takes configured `secrets`, generated keys and passwords in addresses out of a text."""
    known = sorted(secrets, key=len, reverse=True)
    configured = re.compile("|".join(map(re.escape, known))) if known else None

    def redact(text: str) -> str:
        text = configured.sub("[key]", text) if configured else text
        return CREDENTIALS.sub("[credentials]@", SECRET.sub("[key]", text))

    return redact


class JsonLines(logging.Formatter):
    """One JSON object a line; control characters of what was logged are escaped, secrets removed."""

    def __init__(self, process: str, redact: Redaction) -> None:
        super().__init__()
        self.process = process
        self.redact = redact

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self.process,
            "pid": record.process,
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in STANDARD},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return self.redact(json.dumps(line, default=str, ensure_ascii=True))


class PlainLines(logging.Formatter):
    """A line for people: time, level, process, message, and what was given with it."""

    def __init__(self, process: str, redact: Redaction) -> None:
        super().__init__()
        self.process = process
        self.redact = redact

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        given = {name: value for name, value in vars(record).items() if name not in STANDARD}
        extra = "".join(f" {name}={json.dumps(value, default=str)}" for name, value in given.items())
        said = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in record.getMessage())
        text = f"{moment} {record.levelname.lower():7} {self.process}: {said}{extra}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return self.redact(text)


def configure_logging(process: str, level: str, line_format: str, secrets: Iterable[str] = ()) -> None:
    """Send every logger of this process to standard error in the given format.

    `process` names the writer of the lines; `secrets` are the configured keys, which no line may show.
    """
    handler = logging.StreamHandler(sys.stderr)
    formatter = JsonLines if line_format == "json" else PlainLines
    handler.setFormatter(formatter(process, redaction(secrets)))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("asyncio", "httpx", "httpcore", "uvicorn"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
