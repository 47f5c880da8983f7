"""Where one may sign in, and what the cookie of a session is called and allowed there."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples

from app.people.links import origin_of, session_cookie, sign_in_address


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://shop.example", "__Host-resonate"),
        ("https://shop.example:8443/r/x7", "__Host-resonate"),
        ("https://127.0.0.1:8000", "__Host-resonate"),
        ("http://localhost:8000", "resonate_8000"),
        ("http://127.0.0.1:8001", "resonate_8001"),
        ("http://127.1.2.3", "resonate_80"),
        ("http://[::1]:8000/r", "resonate_8000"),
        ("http://shop.example", None),
        ("http://10.0.0.7:8000", None),
        ("http://localhost.evil.example:8000", None),
        ("http://127.0.0.1.evil.example", None),
        ("http://127.evil.example.com", None),
        ("http://localhost:99999", None),
        ("//localhost:8000", None),
        ("", None),
    ],
)
def test_by_https_or_from_the_machine_itself_and_by_no_other_way(address: str, name: str | None) -> None:
    cookie = session_cookie(address)
    assert (cookie and cookie.name) == name


def test_the_cookie_of_https_is_the_hosts_alone_and_goes_no_other_way() -> None:
    cookie = session_cookie("https://shop.example/r/x7")
    assert cookie is not None
    attributes = {part.strip() for part in cookie.set("token", 60).split(";")}
    assert attributes == {
        "__Host-resonate=token", "Path=/", "Max-Age=60", "HttpOnly", "SameSite=Lax", "Secure",
    }  # fmt: skip
    local = session_cookie("http://localhost:8000")
    assert local is not None
    assert "Secure" not in local.set("token", 60)
    assert "HttpOnly" in local.set("token", 60)


def test_a_cookie_is_read_by_its_whole_name() -> None:
    cookie = session_cookie("http://localhost:8000")
    assert cookie is not None
    assert cookie.read(b"a=1; resonate_8000=token; resonate_80=no") == "token"
    assert cookie.read(b"resonate_80001=no; xresonate_8000=no; resonate_8000") == ""


def test_an_origin_is_what_browsers_write() -> None:
    assert origin_of("https://Shop.example:443/r/x7") == "https://shop.example"
    assert origin_of("http://localhost:8000/dashboard?x=1") == "http://localhost:8000"
    assert origin_of("http://[::1]:80/") == "http://[::1]"
    assert [origin_of(text) for text in ("null", "", "data:x", "http://h:99999", "http://[", "about:blank")] == [""] * 6


def test_a_service_that_listens_everywhere_is_signed_in_to_on_its_own_machine() -> None:
    assert sign_in_address("http://0.0.0.0:8000", "t") == "http://127.0.0.1:8000/dashboard/sign-in?token=t"
    assert sign_in_address("http://[::]:8000", "t") == "http://127.0.0.1:8000/dashboard/sign-in?token=t"
    assert sign_in_address("https://shop.example/r", "t") == "https://shop.example/r/dashboard/sign-in?token=t"


@settings(max_examples=examples(300))
@given(
    scheme=st.sampled_from(["http", "https", "ws"]),
    host=st.sampled_from(["shop.example", "SHOP.example", "shop.example.evil", "evil-shop.example", "[::1]"]),
    port=st.sampled_from(["", ":", ":80", ":443", ":8443"]),
    rest=st.sampled_from(["", "/", "/dashboard?x=1", "#x", "@evil.example", "%2e.evil"]),
)
def test_a_page_is_our_own_by_scheme_host_and_port_together(scheme: str, host: str, port: str, rest: str) -> None:
    named = scheme == "https" and host.lower() == "shop.example" and port in ("", ":", ":443")
    own = named and not rest.startswith(("@", "%"))
    assert (origin_of(f"{scheme}://{host}{port}{rest}") == "https://shop.example") == own


@given(sent=st.text(max_size=60))
def test_what_is_no_address_is_nobodys_page(sent: str) -> None:
    assert origin_of(sent) == "" or "://" in sent
