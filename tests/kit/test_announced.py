"""A process is ready by its own word: what others say, and what is said of another start, is heard as nothing."""

import json
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit.announced import LONGEST_SAID, Announced, Announcer, Hearing


@pytest.fixture
def hearing() -> Iterator[Hearing]:
    heard = Hearing()
    yield heard
    heard.close()


def test_what_the_started_process_says_is_heard_whole(hearing: Hearing) -> None:
    assert hearing.hear() is None
    Announcer.of(hearing.argument).say("ready", address="http://127.0.0.1:8000")
    assert hearing.hear() == Announced("ready", {"address": "http://127.0.0.1:8000"})
    assert hearing.hear() == Announced("ready", {"address": "http://127.0.0.1:8000"})


def test_a_word_without_the_nonce_of_this_start_was_not_said(hearing: Hearing) -> None:
    other = Hearing()
    theirs = other.argument.partition(":")[2]
    Announcer(hearing.descriptor, theirs).say("ready", address="http://stranger")
    assert hearing.hear() is None
    os.close(other.descriptor)
    other.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=LONGEST_SAID // 2)
    | st.recursive(st.none() | st.text(), st.lists).map(json.dumps).map(str.encode)
)
def test_whatever_else_comes_over_the_pipe_is_no_word_and_hides_none(said: bytes) -> None:
    heard = Hearing()
    os.write(heard.descriptor, said + b"\n")
    assert heard.hear() is None
    Announcer.of(heard.argument).say("refused", by="PortTaken")
    assert heard.hear() == Announced("refused", {"by": "PortTaken"})
    heard.close()


def test_a_word_is_heard_once_its_last_byte_is_there(hearing: Hearing) -> None:
    whole = json.dumps({"nonce": hearing.argument.partition(":")[2], "became": "ready", "facts": {}}).encode() + b"\n"
    os.write(hearing.descriptor, whole[:-1])
    assert hearing.hear() is None
    os.write(hearing.descriptor, b"\n")
    assert hearing.hear() == Announced("ready", {})
    os.close(hearing.descriptor)


def test_who_was_started_by_nobody_speaks_to_nobody_and_who_started_may_have_gone() -> None:
    Announcer.of(None).say("ready")
    gone = Hearing()
    gone.close()
    Announcer.of(gone.argument).say("ready")


def test_what_the_started_process_starts_does_not_get_the_pipe(hearing: Hearing) -> None:
    os.set_inheritable(hearing.descriptor, True)
    announcer = Announcer.of(hearing.argument)
    assert not os.get_inheritable(announcer.descriptor)
    os.close(announcer.descriptor)
