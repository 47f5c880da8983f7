"""The port of a service: one that is just being given up is waited for."""

import socket
import threading

import pytest

from app.http.server import CannotListen, listen


def taken() -> socket.socket:
    holder = socket.create_server(("127.0.0.1", 0))
    holder.listen()
    return holder


def test_a_port_whose_last_owner_is_just_ending_is_waited_for() -> None:
    holder = taken()
    port = holder.getsockname()[1]
    threading.Timer(0.2, holder.close).start()
    with listen("127.0.0.1", port) as listener:
        assert listener.getsockname()[1] == port


def test_a_port_that_stays_in_use_is_refused() -> None:
    with taken() as holder, pytest.raises(CannotListen, match="in use by another program"):
        listen("127.0.0.1", holder.getsockname()[1])
