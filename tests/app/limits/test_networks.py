"""Whose network a request comes from, and when nobody can tell."""

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers.one_worker import SECRET, OneWorker

from app.limits import networks
from app.limits.networks import Networks

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("2001:db8:feed::/48"))
HOSTILE = ["rubbish", "", "9.9.9.9.9", "[2001:db8::1", "[2001:db8::1]x", "1.1.1.1:http", "1.1.1.1:80:80", "::g", "[1]"]


def network(peer: str, *forwarded: str, trusted: Any = TRUSTED) -> str:
    lines = [(b"x-forwarded-for", line.encode()) for line in forwarded]
    return Networks(trusted).of({"client": (peer, 1), "headers": lines}, dict(lines), 0.0)


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("9.9.9.9", ["1.1.1.1"], "9.9.9.9"),  # nobody vouches for a stranger's header
        ("10.0.0.1", ["1.1.1.1"], "1.1.1.1"),
        ("10.0.0.1", ["8.8.8.8, 1.1.1.1, 10.0.0.2"], "1.1.1.1"),  # what stands left of the first stranger is his word
        ("10.0.0.1", ["8.8.8.8, 1.1.1.1", "10.0.0.2"], "1.1.1.1"),  # a header in two lines is one list
        ("10.0.0.1", ["9.9.9.9:4711"], "9.9.9.9"),
        ("10.0.0.1", ["[2001:db8::1]:443"], "2001:db8::/64"),
        ("10.0.0.1", ["[2001:db8::1]"], "2001:db8::/64"),
        ("10.0.0.1", ["2001:db8:0:7:8::1"], "2001:db8:0:7::/64"),
        ("10.0.0.1", ["::ffff:9.9.9.9"], "9.9.9.9"),
        ("::ffff:10.0.0.1", ["9.9.9.9"], "9.9.9.9"),
        ("2001:db8:feed::1", ["9.9.9.9"], "9.9.9.9"),
        ("fe80::1%eth0", [], "fe80::/64"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.2, 10.0.0.3"], "10.0.0.2"),
        ("10.0.0.1", ["1.1.1.1, rubbish"], "10.0.0.1"),  # the walk ends at the last good hop
        ("10.0.0.1", ["1.1.1.1, rubbish, 10.0.0.2"], "10.0.0.2"),
        ("", ["1.1.1.1"], ""),
    ],
)
def test_only_trusted_proxies_are_believed(peer: str, forwarded: list[str], found: str) -> None:
    assert network(peer, *forwarded) == found


@pytest.mark.parametrize("hop", HOSTILE)
def test_what_is_no_hop_is_nobodys_network(hop: str) -> None:
    assert network("10.0.0.1", hop) == "10.0.0.1"


@given(st.text(st.characters(max_codepoint=255)) | st.lists(st.sampled_from([*HOSTILE, "1.1.1.1"])).map(",".join))
def test_no_header_raises_and_none_names_more_than_a_network(forwarded: str) -> None:
    assert len(network("10.0.0.1", forwarded)) <= 43


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_a_household_of_ipv6_is_one_network(address: Any, host: int) -> None:
    neighbour = type(address)((int(address) >> 64 << 64) + host)
    if address.ipv4_mapped is None and neighbour.ipv4_mapped is None:
        assert network(str(address), trusted=()) == network(str(neighbour), trusted=())


def page(found: Networks, peer: str, *, forwards: bool, now: float = 100.0) -> str:
    lines = [(b"x-forwarded-for", b"1.1.1.1")] if forwards else []
    return found.of({"client": (peer, 1), "headers": lines}, dict(lines), now, page=True)


def test_behind_a_proxy_that_is_not_trusted_nobody_has_a_network() -> None:
    found = Networks()
    page(found, "172.17.0.1", forwards=True)
    assert page(found, "172.17.0.1", forwards=True) == ""
    assert found.unbelieved == "172.17.0.1"
    assert page(found, "172.17.0.9", forwards=False) == ""  # a probe beside it


def test_who_sends_the_header_by_himself_has_his_network_as_the_shoppers_have_theirs() -> None:
    found = Networks()
    for shopper in range(3):
        page(found, f"9.9.9.{shopper}", forwards=False)
    for _ in range(1000):
        assert page(found, "6.6.6.6", forwards=True) == "6.6.6.6"
    assert page(found, "9.9.9.1", forwards=False) == "9.9.9.1"


def test_what_secret_keys_and_strangers_send_says_nothing_about_shoppers() -> None:
    found = Networks()
    lines = [(b"x-forwarded-for", b"1.1.1.1")]
    assert found.of({"client": ("6.6.6.6", 1), "headers": lines}, dict(lines), 0.0) == "6.6.6.6"
    assert found.unbelieved is None


def test_it_is_seen_anew_each_minute() -> None:
    found = Networks()
    page(found, "172.17.0.1", forwards=True)
    assert page(found, "9.9.9.9", forwards=False, now=101.0) == ""
    assert page(found, "9.9.9.9", forwards=False, now=161.0) == "9.9.9.9"
    assert found.unbelieved is None


def test_a_crowd_of_networks_is_forgotten_rather_than_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "MAX_KNOWN", 10)
    found = Networks(TRUSTED)
    for number in range(100):
        assert page(found, f"9.9.9.{number}", forwards=False) == f"9.9.9.{number}"
        found.of(
            {"client": ("10.0.0.1", 1), "headers": [(b"x-forwarded-for", b"1.1.1.%d" % number)]},
            {b"x-forwarded-for": b""},
            100.0,
        )
    assert max(len(found._peers), len(found._behind), len(found._senders)) <= 10


def test_readyz_names_the_proxy_to_trust_and_limits_by_network_are_off(tmp_path: Path) -> None:
    shop = OneWorker(tmp_path, rate_limit_per_second=1, rate_limit_burst=2, budget_key_factor=100)
    with (
        shop as worker,
        worker.client(headers={"x-forwarded-for": "1.1.1.1"}) as page,
        worker.client(SECRET) as backend,
    ):
        events = {page.post("/v1/track", json={"anonymousId": "v", "event": "E"}).status_code for _ in range(100)}
        told, public = (client.get("/readyz").json()["degraded"] for client in (backend, page))
    assert events == {200}
    assert (told, public) == (["proxies_not_trusted: 127.0.0.1"], ["proxies_not_trusted"])
