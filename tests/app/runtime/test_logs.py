"""Log lines: one object a line, nothing secret, nothing that could forge a second line."""

import json
import logging

import pytest

from app.runtime.logs import JsonLines, PlainLines, redaction


def line(formatter: logging.Formatter, message: str, **given: object) -> str:
    record = logging.makeLogRecord({"name": "resonate.test", "levelname": "INFO", "msg": message, **given})
    return formatter.format(record)


def test_a_json_line_names_its_process_and_carries_what_was_given() -> None:
    told = json.loads(line(JsonLines("worker", redaction()), "hello", request_id="r-1"))
    assert (told["process"], told["message"], told["request_id"]) == ("worker", "hello", "r-1")


@pytest.mark.parametrize("secret", ["sk_live_abcdefgh", "pk_12345678", "an-own-secret-value"])
def test_a_key_never_reaches_a_line(secret: str) -> None:
    redact = redaction(["an-own-secret-value"])
    for formatter in (JsonLines("worker", redact), PlainLines("worker", redact)):
        assert secret not in line(formatter, f"key {secret} was used", header=f"Bearer {secret}")


def test_the_password_of_an_address_never_reaches_a_line() -> None:
    told = line(JsonLines("worker", redaction()), "connecting to redis://user:hunter22@store:6379")
    assert "hunter22" not in told
    assert "[credentials]@store:6379" in told


@pytest.mark.parametrize("formatter", [JsonLines("worker", redaction()), PlainLines("worker", redaction())])
def test_a_message_cannot_break_its_line(formatter: logging.Formatter) -> None:
    assert "\n" not in line(formatter, 'bad\n{"level": "error"}\r\x1b[31m\u2028')


def test_a_failure_is_logged_with_its_traceback_in_the_same_line() -> None:
    try:
        raise ValueError("sk_live_abcdefgh was wrong")
    except ValueError as error:
        told = line(JsonLines("writer", redaction()), "failed", exc_info=(type(error), error, error.__traceback__))
    assert "ValueError" in json.loads(told)["exception"]
    assert "sk_live" not in told
