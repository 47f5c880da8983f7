"""HEAD: who asks for the head of a page alone, as checkers of links do, is answered as to GET, and no body follows."""

import re
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from servers.one_worker import OneWorker
from servers.people import Visitor

from app.keys.scopes import OPEN, PAGES, Role

SignedInAs = Callable[[Role], Visitor]
OPEN_PAGES = sorted(path for path in OPEN if path.startswith("/dashboard"))
LOOKED_AT = [
    *(name.removeprefix("GET ") for name in PAGES if name.startswith("GET ")),
    *OPEN_PAGES,
    "/dashboard/nothing",
]
EACH_ITS_OWN = {"x-request-id", "date"}


def address(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "banner", path)


@pytest.mark.drawn(12)
@pytest.mark.parametrize("path", LOOKED_AT)
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_the_head_of_a_page_is_that_of_the_page_and_its_body_is_empty(
    path: str, encoding: str, signed_in_as: SignedInAs
) -> None:
    admin = signed_in_as("admin")
    heads = []
    for method in ("GET", "HEAD"):
        answer = admin.client.request(method, address(path), headers={"accept-encoding": encoding})
        named = {name: value for name, value in answer.headers.items() if name not in EACH_ITS_OWN}
        if encoding == "gzip":  # the token of a form is another one each time, and so is its length when it is packed
            named.pop("content-length", None)
        heads.append((answer.status_code, named))
        assert (answer.content == b"") is (method == "HEAD" or answer.status_code == 303), method
    assert heads[0] == heads[1]


def test_a_stranger_is_led_to_sign_in_by_the_head_too(stranger: Visitor) -> None:
    answer = stranger.client.head("/dashboard/settings")
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard/sign-in")


def test_no_byte_of_a_body_follows_and_the_connection_serves_on(worker: OneWorker) -> None:
    address = urlsplit(worker.url)
    asked = f"Host: {address.netloc}\r\n\r\n".encode()
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(b"HEAD /dashboard/sign-in HTTP/1.1\r\n" + asked + b"GET /healthz HTTP/1.1\r\n" + asked)
        told = b""
        while told.count(b"HTTP/1.1 ") < 2:
            told += connection.recv(65_536)
    first, _, second = told.partition(b"\r\n\r\n")
    assert int(re.search(rb"content-length: (\d+)", first)[1]) > 500
    assert second.startswith(b"HTTP/1.1 200")


def test_what_an_address_takes_names_the_head(signed_in_as: SignedInAs) -> None:
    viewer = signed_in_as("viewer")
    assert viewer.client.put("/dashboard/metrics").headers["allow"] == "GET, HEAD"
    assert viewer.client.head("/dashboard/visitor/look").headers["allow"] == "POST"
