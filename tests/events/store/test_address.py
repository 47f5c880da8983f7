"""`RESONATE_REDIS_URL` is parsed by its grammar: what is wrong is named, what is right is what the client is told."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.store.address import AddressRefused, store_address


@pytest.mark.parametrize(
    ("url", "shown", "nodes", "options"),
    [
        ("redis://h", "redis://h:6379", (("h", 6379),), {}),
        ("redis://u:p%40ss@h:1/3", "redis://h:1/3", (("h", 1),), {"username": "u", "password": "p@ss", "db": 3}),
        ("redis://:p@[::1]:7/0", "redis://[::1]:7/0", (("::1", 7),), {"password": "p", "db": 0}),
        ("redis+cluster://a:1,b", "redis+cluster://a:1,b:6379", (("a", 1), ("b", 6379)), {}),
        ("rediss+cluster://a/0", "rediss+cluster://a:6379", (("a", 6379),), {}),
        ("rediss://h?ssl_check_hostname=No", "rediss://h:6379", (("h", 6379),), {"ssl_check_hostname": False}),
        ("unix:///run/a%20b.sock?db=2", "unix:///run/a b.sock", (), {"path": "/run/a b.sock", "db": 2}),
    ],
)
def test_an_address_is_what_it_says(url: str, shown: str, nodes: object, options: object) -> None:
    address = store_address(url)
    assert (str(address), address.nodes, dict(address.options)) == (shown, nodes, options)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://h", "it begins with 'http', it may begin with redis://, rediss://"),
        ("redis+sentinel://h/mymaster", "Sentinel is not asked; name the address that leads to the primary"),
        ("rediss+sentinel://h", "Sentinel is not asked"),
        ("sentinel://h", "Sentinel is not asked"),
        ("redis://a,b", "names 2 servers, and redis takes one; nodes of a cluster are redis\\+cluster"),
        ("redis://h:70000", "'h:70000' is no place of a server"),
        ("redis://h/x", "its path is 'x'; it would be the number of a database"),
        ("redis+cluster://h/1", "names the database '1', and a cluster has none but 0"),
        ("redis://h?db=-1", "db is '-1'"),
        ("rediss://h?ssl_ca_cert=/x", "unknown parameter 'ssl_ca_cert'; did you mean ssl_ca_certs"),
        ("rediss://h?ssl_cert_reqs=none", "unknown parameter 'ssl_cert_reqs'"),
        ("redis://h?ssl_ca_certs=/x", "ssl_ca_certs is of TLS, which begins with rediss"),
        ("rediss://h?ssl_certfile=/x", "ssl_certfile and ssl_keyfile go together"),
        ("rediss://h?ssl_check_hostname=maybe", "ssl_check_hostname is 'maybe'; it may be true or false"),
    ],
)
def test_a_bad_address_is_named(url: str, said: str) -> None:
    with pytest.raises(AddressRefused, match=said):
        store_address(url)


@given(st.text(), st.sampled_from(["redis://", "rediss+cluster://", "unix://", "redis://h?", "rediss://a:", ""]))
def test_any_text_is_an_address_or_refused(text: str, before: str) -> None:
    with contextlib.suppress(AddressRefused):
        assert all(0 < port < 65_536 for _, port in store_address(before + text).nodes)
