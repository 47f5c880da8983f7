"""What no row may hold is taken out of it, whatever it is called and however it is written; the rest stays as it is."""

from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from events.addresses import REMOVED, is_address, without_secrets
from events.records import TRACK, Record
from events.scrubbing import ADDRESSES, ADVERTISING, LABELS, Scrubber, name_of

TEXTS = {
    "1.2.3.4": REMOVED,
    " 1.2.3.4:8080": REMOVED,
    "10.0.0.0/8": REMOVED,
    "1.2.3.4, 2001:db8::7": REMOVED,
    "::1": REMOVED,
    "::ffff:1.2.3.4": REMOVED,
    "fe80::1%eth0": REMOVED,
    "[2001:db8::1]:443": REMOVED,
    "2001:0DB8:85a3:0000:0000:8a2e:0370:7334": REMOVED,
    "https://u:p@shop.example/p": "https://removed@shop.example/p",
    "//u:p@shop.example": "//removed@shop.example",
    "https://shop.example/p#top": "https://shop.example/p#removed",
    "#access_token=1": "#removed",
    "?token=1&page=2": "?token=removed&page=2",
    "/p?X-Api-Key=1": "/p?X-Api-Key=removed",
    "/p?authToken=1;user[email]=2": "/p?authToken=removed;user[email]=removed",
    "/p;JSESSIONID=1?page=2": "/p;JSESSIONID=removed?page=2",
    "shop.example/p?%74oken=1": "shop.example/p?%74oken=removed",
    "/u/a@b.example/orders": "/u/removed/orders",
    "/u/a%40b%2Eexample": "/u/removed",
    "mailto:a@b.example": "mailto:removed",
    "/p?q=from+a%2540b.example": "/p?q=removed",
    "/p?from=1.2.3.4": "/p?from=removed",
    "/p?ip=7&gclid=8": "/p?ip=removed&gclid=removed",
    "/p?to=https%3A%2F%2Fx%2F%3Fcode%3D1": "/p?to=https%3A%2F%2Fx%2F%3Fcode%3Dremoved",
    "/to/https%3A%2F%2Fx%2F%3Fcode%3D1": "/to/https%3A%2F%2Fx%2F%3Fcode%3Dremoved",
    "https://proxy/https://u:p@x/": "https://proxy/https://removed@x/",
    'see "https://x/?sid=1" or (https://u:p@x)': 'see "https://x/?sid=removed" or (https://removed@x)',
    "https://[bad/?token=1": REMOVED,
}
HARMLESS = (
    "https://shop.example/p/17?utm_source=mail&page=2", "/p/17", "a@b.example", "@segment/analytics-node", "#ff0000",
    "12:34:56", "2026-11-22T00:00:00.000Z", "120.0.6099.109", "http://10.0.0.1:8000/x", "C#/.NET", "Q&A; more", "1.2.3",
    "/p?keyword=shoes&author=me&design=1&inside=2", "", "?", "a::z",
)  # fmt: skip
SPELLINGS = ("ip", "IP", "Ip-Address", "remote_addr", "X-Forwarded-For", "xForwardedFor", "client ip", "$ip", "I_P")
SPELLINGS += ("advertisingId", "IDFA", "gaid", "a-a-i-d", "GCLID", "fb_clid", "\uff29\uff30")


def stored(members: dict[str, Any], scrubber: Scrubber | None = None, **columns: Any) -> dict[str, Any]:
    """The row of an event with these properties, as the store gets it."""
    scrubber = scrubber or Scrubber()
    record = Record(
        message_id="m-1", type=TRACK, visitor_id="v-1", time=1, properties=scrubber.members(members), **columns
    )
    return msgspec.json.decode(scrubber.written([record])[0])


@pytest.mark.parametrize("text", TEXTS)
def test_what_a_text_tells_too_much_is_removed(text: str) -> None:
    row = stored({"seen": text, "deep": [{"list": [text]}]}, event=text, url=text, path=text, device=text, country=text)
    assert {row[name] for name in ("event", "url", "path", "device", "country")} == {TEXTS[text]}
    assert row["properties"] == {"seen": TEXTS[text], "deep": [{"list": [TEXTS[text]]}]}


@pytest.mark.parametrize("text", HARMLESS)
def test_a_text_that_tells_nothing_stays_as_it_is(text: str) -> None:
    assert stored({"seen": text, "list": [text]}, url=text)["properties"] == {"seen": text, "list": [text]}


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_member_is_dropped_at_any_depth_however_it_is_spelled(name: str) -> None:
    members = {name: 7, "a": {name: "x", "b": [{name: None, "c": 1}]}}
    assert stored(members)["properties"] == {"a": {"b": [{"c": 1}]}}
    assert msgspec.json.encode(members).count(b'"c"') == 1  # what was given is not changed


def test_a_member_whose_name_is_an_address_or_a_secret_is_dropped() -> None:
    assert stored({"1.2.3.4": 1, "https://u:p@x/": 2, "::1": 3, "1.2": 4})["properties"] == {"1.2": 4}


def test_four_numbers_under_the_name_of_a_version_are_one() -> None:
    members = {"os_version": "10.0.0.1", "versions": ["1.2.3.4"], "Version": "2001:db8::1", "build": "1.2.3.4"}
    kept = {"os_version": "10.0.0.1", "versions": ["1.2.3.4"], "Version": REMOVED, "build": REMOVED}
    assert stored(members)["properties"] == kept


def test_the_ids_of_an_event_stay_byte_by_byte() -> None:
    row = stored({"url": "/?token=1"}, user_id="a@b.example/?token=1", order_id="1.2.3.4", product_ids=["::1"])
    assert (row["user_id"], row["order_id"], row["product_ids"]) == ("a@b.example/?token=1", "1.2.3.4", ["::1"])
    assert row["properties"] == {"url": "/?token=removed"}


def test_a_shop_denies_and_keeps_names_from_one_moment_to_the_next() -> None:
    scrubber, members = Scrubber(), {"nick_name": "x", "gclid": "y", "url": "/?promo_code=z&NickName=x&code=1"}
    assert stored(members, scrubber)["properties"] == {
        "nick_name": "x", "url": "/?promo_code=removed&NickName=x&code=removed"
    }  # fmt: skip
    scrubber.follow(deny=["nickname"], keep=["GCLID", "promo-code"])
    assert stored(members, scrubber)["properties"] == {
        "gclid": "y", "url": "/?promo_code=z&NickName=removed&code=removed"
    }  # fmt: skip


def test_what_is_removed_is_counted_by_name_alone() -> None:
    counted = Counter[str]()
    scrubber = Scrubber(lambda label, count: counted.update({label: count}))
    stored({"ip": "secret-1", "b": [{"IP": 1}], "u": "https://u:p@x/?sid=secret-2#x", "a": "1.2.3.4"}, scrubber)
    stored({"fine": "nothing"}, scrubber)
    assert counted == {"ip": 2, "user_info": 1, "sid": 1, "fragment": 1, "address": 1}
    assert counted.keys() <= set(LABELS)
    assert len(set(LABELS)) == len(LABELS)


PIECES = st.sampled_from(
    ["https://", "//", "/", "?", "&", ";", "#", "@", "%40", "%2540", "=", ".", ":", "::", ",", " ", '"', "\\", "é",
     "u:p@", "token", "code", "page", "sid", "ip", "a", "b.example", "1.2.3.4", "2001:db8::1", "fe80", "removed",
     "%3D", "%3F"]
)  # fmt: skip
WRITTEN = st.lists(PIECES, max_size=12).map("".join)
NAMES = st.sampled_from(["seen", "url", "app_version", *SPELLINGS]) | WRITTEN
MEMBERS = st.dictionaries(
    NAMES,
    st.recursive(
        WRITTEN | st.integers(0, 9) | st.none(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


def texts_of(value: Any, name: str = "") -> list[tuple[str, str]]:
    """Every text and every name, with the name that it stands under."""
    if isinstance(value, dict):
        return [each for key, item in value.items() for each in [("", key), *texts_of(item, key)]]
    if isinstance(value, list):
        return [each for item in value for each in texts_of(item, name)]
    return [(name, value)] if isinstance(value, str) else []


@given(MEMBERS)
def test_nothing_that_tells_too_much_passes_by_the_quick_tests(members: dict[str, Any]) -> None:
    scrubber = Scrubber()
    row = stored(members, scrubber)
    event("scrubbed" if row.get("properties", {}) != members else "as it was")
    for name, text in texts_of(row.get("properties", {})):
        assert not is_address(text, is_version="version" in name.casefold()), (name, text)
        assert without_secrets(text, Scrubber().parameter, []) == text
        assert name_of(name) not in ADDRESSES | ADVERTISING
    assert stored(row.get("properties", {}), scrubber).get("properties") == row.get("properties")  # once is enough
