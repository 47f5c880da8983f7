"""Addresses of webhooks: which may be set, what is shown of them, and where their names may lead."""

from ipaddress import ip_network

import pytest

from app.runtime.settings import Settings, SettingsError, load_settings
from app.runtime.webhook_addresses import receiver

SLACK = "https://hooks.slack.com/services/T0/B0/hidden-part"


@pytest.mark.parametrize(
    "text",
    [
        "http://shop.example/hook",
        "http://10.0.0.5/hook",
        "ftp://127.0.0.1/hook",
        "https://",
        "hook",
        "https://user:hidden@shop.example/hook",
        "https://shop.example/hook#hidden",
        "https://shop.example:99999/hidden",
        "https://[::1/hidden",
        "https://shop.example/hid den",
        "https://shop..example/hidden",
        f"https://{'a' * 64}.example/hidden",
        "https://shop.example\\hidden/hook",
        "https://shop.example;hidden/hook",
    ],
)
def test_what_is_no_address_of_a_receiver_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({"RESONATE_WEBHOOK_URL": f"{SLACK},{text}"})
    assert "RESONATE_WEBHOOK_URL: address 2: it " in str(refused.value)
    assert "hidden" not in str(refused.value)


def test_several_are_told_each_in_its_form_and_shown_by_their_host_alone() -> None:
    texts = [SLACK, "https://shop.webhook.office.com/a", "https://chat.example/a#text", "http://localhost:9000/a"]
    settings = load_settings({"RESONATE_WEBHOOK_URL": " , ".join(texts), "RESONATE_WEBHOOK_SECRET": "s" * 16})
    assert [each.form for each in settings.webhooks] == ["text", "text", "text", "object"]
    assert [each.name for each in settings.webhooks][::3] == ["https://hooks.slack.com", "http://localhost:9000"]
    assert settings.webhooks[2].url == "https://chat.example/a"
    assert SLACK in settings.secrets
    assert "s" * 16 in settings.secrets
    assert "hidden" not in repr(settings.webhooks)


@pytest.mark.parametrize(
    "rest", ["/hidden", "?token=hidden", "/?token=hidden", "/a/hidden#text", "?hidden/hidden#text"]
)
def test_nothing_behind_the_host_is_shown(rest: str) -> None:
    for host in ("https://shop.example", "https://shop.example:8443", "http://[::1]:9000"):
        assert receiver(host + rest).name == host


def test_an_address_stands_once() -> None:
    with pytest.raises(SettingsError, match="stands in it twice"):
        load_settings({"RESONATE_WEBHOOK_URL": f"{SLACK},{SLACK}#text"})
    assert Settings().webhooks == ()


@pytest.mark.parametrize("host", ["hooks.slack.com", "shop.example"])
@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07::1", True),
        ("127.0.0.1", False),
        ("::1", False),
        ("::ffff:127.0.0.1", False),
        ("::127.0.0.1", False),
        ("64:ff9b::10.0.0.5", False),
        ("64:ff9b::93.184.215.14", True),
        ("64:ff9b:1::10.0.0.5", False),
        ("2002:a00:5::1", False),
        ("2002:5db8:d70e::1", True),
        ("fec0::1", False),
        ("4000::1", False),
        ("10.0.0.5", False),
        ("192.168.1.1", False),
        ("172.16.0.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("::ffff:169.254.169.254", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
    ],
)
def test_a_name_leads_to_the_internet_alone(host: str, address: str, allowed: bool) -> None:
    assert receiver(f"https://{host}/a").may_be(address, ()) is allowed


def test_a_network_that_is_named_may_be_led_to_and_no_other() -> None:
    told, networks = receiver("https://chat.shop.example/a"), [ip_network("10.0.0.0/24")]
    assert told.may_be("10.0.0.5", networks)
    assert told.may_be("::ffff:10.0.0.5", networks)
    assert not told.may_be("10.0.1.5", networks)


def test_this_machine_is_this_machine_whatever_its_name_leads_to() -> None:
    told = receiver("http://localhost:9000/a")
    assert told.may_be("127.0.0.1", ())
    assert not told.may_be("93.184.215.14", [ip_network("0.0.0.0/0")])
