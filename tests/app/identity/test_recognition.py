"""Who a browser is by its cookie: what is read, set, moved and deleted in each mode, and for which host."""

from http.cookiejar import CookieJar
from pathlib import Path
from urllib.request import Request
from urllib.response import addinfourl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.identity.cookies import CookieRules, Whereabouts
from app.identity.recognition import Recognised, Recognition
from app.identity.visitor_ids import VisitorIds
from events.consent import Consent
from experiments.definitions.shop import Shop, Visitors
from kit.time import DAY_SECONDS
from kit.values import identifier

TODAY = 20_786
NONE, MEASURE, PERSONAL = Consent.NONE, Consent.MEASURE, Consent.PERSONAL
HOST = "www.shop.example"


class Browser:
    """One that keeps a cookie as RFC 6265 says, by the standard library's jar, on a day that tests set."""

    def __init__(self, folder: Path, shop: Shop | None = None, host: str = HOST) -> None:
        self.day = TODAY
        self.host = host
        self.counted: list[str] = []
        ids = VisitorIds(folder / "secrets" / "visitor-ids.json", self.now)
        self.recognition = Recognition(ids, shop or Shop(), self.counted.append, self.now)
        self.value: str | None = None
        self.ends = 0.0
        self.lines: list[str] = []

    def now(self) -> float:
        return self.day * DAY_SECONDS + 36_000.0

    def asks(
        self, mode: Consent, named: str | None = None, origin: bool = True, since: int | None = None
    ) -> Recognised:
        if self.value is not None and self.ends <= self.now():
            self.value = None
        sent = None if self.value is None else f"theme=dark; resonate_id={self.value}".encode()
        site = Whereabouts(("https://www.shop.example",), self.host, is_https=True) if origin else None
        found = self.recognition.recognise(mode, named, sent, site, since)
        leaving = mode is NONE and sent is not None and site is not None
        headers = self.recognition.forget(sent, site) if leaving else found.headers
        self.lines = [value.decode() for _, value in headers]
        for line in self.lines:
            pair, *attributes = line.split("; ")
            seconds = int(dict(each.partition("=")[::2] for each in attributes)["Max-Age"])
            self.value, self.ends = (pair.partition("=")[2], self.now() + seconds) if seconds else (None, 0.0)
        return found


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    return Browser(tmp_path)


def test_in_measure_one_cookie_is_set_and_its_end_never_moves(browser: Browser) -> None:
    first = browser.asks(MEASURE)
    ends = browser.ends
    for day in (0, 1, 30, 200, 394):
        browser.day = TODAY + day
        assert (browser.asks(MEASURE).visitor_id, browser.lines) == (first.visitor_id, [])
    assert (ends - DAY_SECONDS * TODAY) / DAY_SECONDS == 395
    browser.day = TODAY + 395
    after = browser.asks(MEASURE)
    assert (after.is_new, after.visitor_id != first.visitor_id, len(browser.lines)) == (True, True, 1)


def test_in_measure_an_id_that_is_set_again_ends_when_it_would_have(browser: Browser) -> None:
    first = browser.asks(MEASURE)
    ends = browser.ends
    browser.day, browser.value = TODAY + 100, None
    again = browser.asks(MEASURE, named=first.visitor_id)
    assert (again.visitor_id, browser.ends, again.ends) == (first.visitor_id, ends, first.ends)
    browser.day, browser.value = TODAY + 395, None
    assert browser.asks(MEASURE, named=first.visitor_id).visitor_id != first.visitor_id


def test_in_measure_an_id_of_a_script_is_set_again_and_ends_when_its_first_cookie_would_have(browser: Browser) -> None:
    browser.value, browser.ends = "made-by-a-script", (TODAY + 7) * DAY_SECONDS
    browser.asks(MEASURE, named="made-by-a-script", since=TODAY)
    ends = browser.ends
    assert ends == (TODAY + 395) * DAY_SECONDS
    for day in (1, 100, 394):
        browser.day = TODAY + day
        found = browser.asks(MEASURE, named="made-by-a-script", since=TODAY)
        assert (found.visitor_id, found.ends, browser.ends) == ("made-by-a-script", TODAY + 395, ends)
    browser.day, browser.value = TODAY + 395, "made-by-a-script"
    browser.ends = browser.now() + 1
    assert browser.asks(MEASURE, named="made-by-a-script", since=TODAY).visitor_id != "made-by-a-script"


def test_no_day_that_a_page_tells_moves_the_end_of_an_id_that_was_issued_here_or_lies_in_the_future(
    browser: Browser,
) -> None:
    issued = browser.asks(MEASURE).visitor_id
    ends = browser.ends
    browser.day = TODAY + 50
    browser.asks(MEASURE, named=issued, since=TODAY + 50)
    assert browser.ends == ends
    browser.asks(MEASURE, named="made-by-a-script", since=TODAY + 5_000)
    assert browser.ends == (TODAY + 50 + 395) * DAY_SECONDS


def test_who_was_known_for_longer_and_is_only_measured_now_begins_anew(browser: Browser) -> None:
    first = browser.asks(PERSONAL).visitor_id
    for day in range(0, 500, 50):
        browser.day = TODAY + day
        assert browser.asks(PERSONAL).visitor_id == first
    browser.day = TODAY + 460
    assert browser.asks(MEASURE).is_new


def test_in_personal_the_end_is_moved_once_a_day(browser: Browser) -> None:
    first = browser.asks(PERSONAL)
    for day in (1, 2, 394):
        browser.day = TODAY + day
        found = browser.asks(PERSONAL)
        assert (found.visitor_id, len(browser.lines)) == (first.visitor_id, 1)
        assert browser.ends == (browser.day + 395) * DAY_SECONDS
        assert browser.asks(PERSONAL).visitor_id == first.visitor_id
        assert browser.lines == []


def test_another_worker_moves_the_end_to_the_same_moment(tmp_path: Path) -> None:
    one, other = Browser(tmp_path), Browser(tmp_path)
    one.asks(PERSONAL)
    other.value, other.ends = one.value, one.ends
    other.asks(PERSONAL)
    assert (len(other.lines), other.ends) == (1, one.ends)


def test_who_refuses_has_no_id_and_loses_the_cookie_once(browser: Browser) -> None:
    assert (browser.asks(NONE).visitor_id, browser.lines) == (None, [])
    browser.asks(PERSONAL)
    assert (browser.asks(NONE).visitor_id, browser.value) == (None, None)
    assert len(browser.lines) == 1
    assert (browser.asks(NONE, named="v-1").visitor_id, browser.lines) == (None, [])


def test_a_page_that_may_use_no_cookie_neither_reads_nor_sets_nor_deletes_it(browser: Browser) -> None:
    own = browser.asks(PERSONAL).visitor_id
    foreign = browser.asks(PERSONAL, origin=False)
    assert (foreign.is_new, foreign.visitor_id != own, browser.lines) == (True, True, [])
    browser.asks(NONE, origin=False)
    assert browser.value is not None


def test_a_kept_id_is_set_again_and_goes_before_the_cookie(browser: Browser) -> None:
    browser.asks(PERSONAL)
    assert browser.asks(PERSONAL, named="kept").visitor_id == "kept"
    assert browser.asks(PERSONAL).visitor_id == "kept"


def test_an_id_of_the_pages_own_is_not_moved_in_measure_while_its_cookie_lasts(browser: Browser) -> None:
    browser.asks(MEASURE, named="own")
    ends = browser.ends
    browser.day = TODAY + 7
    found = browser.asks(MEASURE, named="own")
    assert (found.visitor_id, found.ends, browser.lines, browser.ends) == ("own", None, [], ends)


@pytest.mark.parametrize("value", ["", "null", "%ff%fe", "a" * 300, "undefined", '""', "%00"])
def test_a_cookie_that_can_be_no_id_is_as_good_as_none(browser: Browser, value: str) -> None:
    browser.value, browser.ends = value, browser.now() + 1e6
    found = browser.asks(PERSONAL)
    assert (found.is_new, len(browser.lines)) == (True, 1)


@given(st.text(min_size=1, max_size=60).filter(lambda text: isinstance(identifier(text), str) and text.strip() == text))
def test_every_id_comes_back_from_a_browser_as_it_was(visitor_id: str) -> None:
    rules = CookieRules.of(Shop())
    [(_, line)] = rules.set(visitor_id, 100, Whereabouts((), "shop.example", is_https=False))
    sent = kept_by_a_jar(line.decode(), "http://shop.example/")
    assert sent is not None
    assert rules.read(f"a=b; {sent}; c=d".encode()) == visitor_id


def kept_by_a_jar(line: str, url: str) -> str | None:
    """What the standard library's cookie jar sends back."""
    import email.message

    head = email.message.Message()
    head["Set-Cookie"] = line
    jar, request = CookieJar(), Request(url)
    jar.extract_cookies(addinfourl(None, head, url), request)  # type: ignore[arg-type]
    jar.add_cookie_header(request)
    return request.get_header("Cookie")


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("www.shop.example", "shop.example"),
        ("shop.example", "shop.example"),
        ("api.eu.shop.example", "shop.example"),
        ("myshop.example", None),
        ("shop.example.evil.example", None),
        ("127.0.0.1", None),
        ("", None),
    ],
)
def test_a_domain_that_the_host_is_no_part_of_falls_back_to_the_host(
    tmp_path: Path, host: str, domain: str | None
) -> None:
    browser = Browser(tmp_path, Shop(cookie_domain=".shop.example"), host)
    browser.asks(PERSONAL)
    attributes = dict(each.partition("=")[::2] for each in browser.lines[0].split("; ")[1:])
    assert (attributes.get("Domain"), browser.counted) == (domain, [] if domain else ["cookie_domain"])


def test_both_the_hosts_and_the_domains_cookie_are_deleted(tmp_path: Path) -> None:
    browser = Browser(tmp_path, Shop(cookie_domain="shop.example"))
    browser.asks(PERSONAL)
    browser.asks(NONE)
    assert sorted("Domain=" in line for line in browser.lines) == [False, True]


def test_what_the_shop_says_of_the_cookie_stands_in_it(tmp_path: Path) -> None:
    shop = Shop(visitors=Visitors(cookie="visitor", http_only=True, days=30))
    browser = Browser(tmp_path, shop)
    found = browser.asks(PERSONAL)
    seconds = 30 * DAY_SECONDS - 36_000
    attributes = f"Path=/; SameSite=Lax; Max-Age={seconds}; Secure; HttpOnly"
    assert browser.lines == [f"visitor={found.visitor_id}; {attributes}"]
