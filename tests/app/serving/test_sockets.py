"""The listener of a service: a port just being given up is waited for; before the close nobody comes in vain."""

import contextlib
import socket
import time
from types import SimpleNamespace

import pytest

from app.serving.sockets import CannotListen, admit_nobody, listen


def taken() -> socket.socket:
    holder = socket.create_server(("127.0.0.1", 0))
    holder.listen()
    return holder


def test_a_port_whose_last_owner_is_just_ending_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    holder = taken()
    port = holder.getsockname()[1]
    waiting = SimpleNamespace(monotonic=time.monotonic, sleep=lambda seconds: holder.close())
    monkeypatch.setattr("app.serving.sockets.time", waiting)
    with listen("127.0.0.1", port) as listener:
        assert listener.getsockname()[1] == port


def test_a_port_that_stays_in_use_is_refused() -> None:
    with taken() as holder, pytest.raises(CannotListen, match="in use by another program"):
        listen("127.0.0.1", holder.getsockname()[1])


def test_a_handshake_that_was_answered_may_be_finished() -> None:
    with listen("127.0.0.1", 0) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 60)  # it ends with the first byte of data
        with socket.create_connection(listener.getsockname()) as early:
            admit_nobody(listener)
            early.sendall(b"x")
            listener.settimeout(20)
            with listener.accept()[0] as served:
                assert served.recv(1) == b"x"


def test_those_who_wait_are_kept_and_nobody_joins_them() -> None:
    listener = listen("127.0.0.1", 0)
    with listener, contextlib.ExitStack() as opened:
        address = listener.getsockname()
        for number in range(3):
            opened.enter_context(socket.create_connection(address)).sendall(b"%d" % number)
        admit_nobody(listener)
        with pytest.raises(TimeoutError):
            socket.create_connection(address, timeout=0.2)
        said = {opened.enter_context(listener.accept()[0]).recv(1) for _ in range(3)}
        assert said == {b"0", b"1", b"2"}
        with pytest.raises(BlockingIOError):
            listener.accept()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
