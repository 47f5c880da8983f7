"""What conditions may ask of a visitor: one table, and what of it a service tells from an address and a user agent.

The tag tells the same in the page (`app/tag/source/attributes.js`, and the patterns of user agents written there from
those of the log). The vectors that both are held to are `tests/worlds/page_attributes.json`.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import parse_qsl, unquote

from events.dialects.user_agents import BROWSERS, DEVICES, SYSTEMS, client
from kit.suggestions import did_you_mean

Source: TypeAlias = Literal["url", "referrer", "user agent", "user_id", "proxy"]

AGENT: Final = "resonate.agent"  # the user agent of a page's own request, in bytes, among its attributes; never logged
PROXY: Final = "resonate.country"  # what a trusted proxy says of where a page's own request comes from, likewise
MOST_PARAMETERS: Final = 100  # of a query; those that follow are none
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?", re.DOTALL)
_CAMPAIGN: Final = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
_NOWHERE: Final = ("XX", "ZZ")  # what proxies write who do not know
_AGENTS: Final = ("userAgent", "user_agent", AGENT)


@dataclass(frozen=True, slots=True)
class Attribute:
    """A name that conditions may ask, with an example of a condition. `told_by` says what a service tells it from; None
    where only a page knows. `values` are all there are, where they are few.
    """

    name: str
    kind: Literal["text", "number", "true or false", "mapping"]
    means: str
    example: str
    told_by: Source | None = None
    values: tuple[str, ...] = ()

    @property
    def pattern(self) -> str:
        """What every text of it looks like, where more is known than that it is one."""
        return _LOOKS.get(self.name, ("", ""))[0]

    @property
    def looks(self) -> str:
        """The same in words."""
        return _LOOKS[self.name][1]


_HOSTS: Final = ("[^/:@]+", "a host alone, as in shop.example")
_LOOKS: Final[Mapping[str, tuple[str, str]]] = {
    "url": ("https?://.*", "a whole address, https:// included"),
    "referrer": ("https?://.*|android-app://.*", "a whole address, https:// included"),
    "host": _HOSTS,
    "referrer_host": _HOSTS,
    "path": ("/.*", "what follows the host, a slash first, as in /basket"),
    "hash": ("[^#].*", "what follows the #, without it"),
    "language": ("[a-z]{2,3}", "two small letters, as in sk"),
    "country": ("[A-Z]{2}", "two capital letters, as in SK"),
}


def _names(families: Iterable[tuple[str, Any]]) -> tuple[str, ...]:
    return tuple(name for name, _ in families)


ATTRIBUTES: Final[Mapping[str, Attribute]] = {
    each.name: each
    for each in (
        Attribute("id", "text", "the visitor id", "{id: {$in: [qa-1, qa-2]}}"),
        Attribute("user_id", "text", "the user, where one is logged in", "{user_id: {$exists: true}}"),
        Attribute("url", "text", "the whole address of the page", "{url: {$regex: /sale/}}"),
        Attribute("host", "text", "its host, without the port", "{host: shop.example}", "url"),
        Attribute("path", "text", "its path, as one reads it: /čaj, not /%C4%8Daj", "{path: {$regex: ^/tea}}", "url"),
        Attribute("query", "mapping", "its parameters, the first of each name", "{query.coupon: SPRING}", "url"),
        Attribute("hash", "text", "what follows its #", "{hash: reviews}", "url"),
        Attribute("referrer", "text", "the address of the page before", "{referrer: {$regex: /blog/}}"),
        Attribute("referrer_host", "text", "its host", "{referrer_host: news.example}", "referrer"),
        Attribute("utm_source", "text", "where a campaign's link stood", "{utm_source: newsletter}", "url"),
        Attribute("utm_medium", "text", "its medium", "{utm_medium: {$in: [cpc, email]}}", "url"),
        Attribute("utm_campaign", "text", "the campaign", "{utm_campaign: spring-sale}", "url"),
        Attribute("utm_term", "text", "its search term", "{utm_term: green tea}", "url"),
        Attribute("utm_content", "text", "which of its links", "{utm_content: banner}", "url"),
        Attribute(
            "device", "text", "the family of the device", "{device: {$in: [mobile, tablet]}}", "user agent",
            ("mobile", "tablet", "desktop", "tv"),
        ),
        Attribute(
            "browser", "text", "the family of the browser", "{browser: Safari}", "user agent", _names(BROWSERS)
        ),
        Attribute("os", "text", "the operating system", "{os: {$in: [iOS, Android]}}", "user agent", _names(SYSTEMS)),
        Attribute("language", "text", "the browser's language, without its region", "{language: {$in: [sk, cs]}}"),
        Attribute("timezone", "text", "the time zone of the device", "{timezone: Europe/Bratislava}"),
        Attribute("viewport_width", "number", "how wide the page is, in CSS pixels", "{viewport_width: {$lt: 600}}"),
        Attribute("new_visitor", "true or false", "whether this is the first visit", "{new_visitor: true}"),
        Attribute("visits", "number", "how many visits, this one too; 30 idle minutes end one", "{visits: {$gte: 3}}"),
        Attribute("page_views", "number", "how many pages, this one too", "{page_views: {$gt: 5}}"),
        Attribute("days_since_first_visit", "number", "whole days since", "{days_since_first_visit: {$gte: 30}}"),
        Attribute("logged_in", "true or false", "whether there is a user", "{logged_in: false}", "user_id"),
        Attribute("hour", "number", "the hour of the device's clock, 0 to 23", "{hour: {$gte: 18}}"),
        Attribute(
            "weekday", "text", "the day of the device's calendar", "{weekday: {$in: [saturday, sunday]}}",
            values=WEEKDAYS,
        ),
        Attribute("country", "text", "of two letters, where the proxy tells it", "{country: {$in: [SK, CZ]}}", "proxy"),
    )
}  # fmt: skip
DERIVED: Final = frozenset(name for name, each in ATTRIBUTES.items() if each.told_by is not None)
AGENT_FAMILIES: Final = {  # what a page needs to tell the same
    name: [(family, pattern.pattern) for family, pattern in families]
    for name, families in (("device", DEVICES), ("browser", BROWSERS), ("os", SYSTEMS))
}
OF_AGENTS: Final = frozenset(name for name, each in ATTRIBUTES.items() if each.told_by == "user agent")
OF_PROXIES: Final = frozenset(name for name, each in ATTRIBUTES.items() if each.told_by == "proxy")


@lru_cache(maxsize=256)
def of_address(url: str) -> Mapping[str, Any]:
    """What the address of a page tells; nothing where it is none. Texts that are empty are absent."""
    parts = _ADDRESS.fullmatch(url)
    if parts is None:
        return {}
    host, path, query, fragment = parts.groups()
    given = parse_qsl((query or "")[1:], keep_blank_values=True, errors="replace")[:MOST_PARAMETERS]
    parameters = dict(reversed(given))  # so that the first of a name stays
    told: dict[str, Any] = {"host": _host(host), "path": unquote(path) or "/", "hash": unquote(fragment or "")[1:]}
    told |= {name: parameters.get(name) for name in _CAMPAIGN}
    return {"query": parameters, **{name: value for name, value in told.items() if value}}


def of_referrer(referrer: str) -> dict[str, Any]:
    """What the address of the page before tells: its host."""
    parts = _ADDRESS.fullmatch(referrer)
    host = _host(parts[1]) if parts else ""
    return {"referrer_host": host} if host else {}


def of_agent(user_agent: str) -> dict[str, Any]:
    """What a user agent tells: families of device and browser and the system, those that are known."""
    seen = client(user_agent)
    told = {"device": seen.device, "browser": seen.browser, "os": seen.system}
    return {name: value for name, value in told.items() if value is not None}


def of_proxy(told: str) -> dict[str, Any]:
    """What a proxy tells of where a request comes from: two letters of ISO 3166, none of those that mean nowhere."""
    country = told.strip().upper()
    return {"country": country} if re.fullmatch(r"[A-Z]{2}", country) and country not in _NOWHERE else {}


def derived(attributes: Mapping[str, Any], asked: Collection[str]) -> Mapping[str, Any]:
    """The attributes with those of `asked` that they did not tell, from the address, the referrer, the user agent, the
    user and the word of a proxy that they do tell.
    """
    told: dict[str, Any] = {}
    wanted = {ATTRIBUTES[name].told_by for name in asked}
    for source, names, tell in _TELLERS:
        given = next((text for name in names if (text := _text(attributes.get(name))) is not None), None)
        if source in wanted and given is not None:
            told |= tell(given)
    if "user_id" in wanted:
        told["logged_in"] = attributes.get("user_id") not in (None, "")
    return {**{name: value for name, value in told.items() if name in asked}, **attributes}


def deriving(
    condition: Callable[[Mapping[str, Any]], bool], asked: frozenset[str]
) -> Callable[[Mapping[str, Any]], bool]:
    """The condition on attributes and what is `derived` from them, where it asks that and they do not tell it."""

    def holds(attributes: Mapping[str, Any]) -> bool:
        return condition(attributes if attributes.keys() >= asked else derived(attributes, asked))

    return holds if asked else condition


def sources(asked: Iterable[str]) -> frozenset[str]:
    """Of the attributes that are asked, those that a service tells by itself."""
    return DERIVED.intersection(asked)


def impossible(name: str, texts: Iterable[str]) -> str | None:
    """What is wrong with texts that an attribute is compared with: values that it never has."""
    known = ATTRIBUTES.get(name)
    if known is None:
        return None
    for text in texts:
        told = f'{name} is never "{text[:60]}"'
        if known.values and text not in known.values:
            few = f"; it is one of {', '.join(known.values)}"
            return f"{told}{did_you_mean(text, known.values, few, quote=chr(34))}"
        if known.pattern and not re.fullmatch(known.pattern, text):
            return f"{told}; it is {known.looks}"
    return None


def _text(given: Any) -> str | None:
    return given if type(given) is str else given.decode("latin-1") if type(given) is bytes else None


def _host(authority: str) -> str:
    """The host of what stands between // and the path, without user and port."""
    return re.sub(r":[0-9]*$", "", authority.rpartition("@")[2]).lower()


_TELLERS: Final[tuple[tuple[Source, tuple[str, ...], Callable[[str], Mapping[str, Any]]], ...]] = (
    ("url", ("url",), of_address),
    ("referrer", ("referrer",), of_referrer),
    ("user agent", _AGENTS, of_agent),
    ("proxy", (PROXY,), of_proxy),
)
