"""The service's own address, and where a browser thinks that it is: nothing else reads Host, scheme or forwarded words.

A proxy is believed where it is trusted; what anybody else forwards says no more than that there is one.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import quote, unquote, urlsplit

from app.http.errors import Problem
from app.http.exchange import ASGIApplication, Receive, Scope, Send
from app.identity.cookies import Whereabouts
from app.limits.networks import Networks

logger = logging.getLogger(__name__)

DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}
PLACE: Final = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
FORWARDED_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._~%-]+)*")
FORWARDED: Final = b"forwarded"  # RFC 7239
PROTO, HOST, PREFIX = b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-prefix"
FORWARDING: Final = (FORWARDED, b"x-forwarded-for", PROTO, HOST, PREFIX, b"x-real-ip", b"via")  # a proxy was there
PARAMETER: Final = re.compile(r'\s*(?P<name>[A-Za-z]+)=(?:"(?P<quoted>[^"\\]*)"|(?P<plain>[^\s",;]*))\s*')
NO_HOST: Final = "the request names no Host that could stand in an answer, and RESONATE_PUBLIC_URL is not set"


class Forwarded(NamedTuple):
    """What proxies say of the request that reached the first of them; empty where they say nothing usable."""

    scheme: str = ""
    host: str = ""
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    """Where pages reach the service: `place` is host, port and prefix, `scheme` is empty where it cannot be known.

    One that `is_configured` is the same for whoever asks; any other is true for this caller alone, and may stand in no
    answer that a cache keeps. Of one that `is_sure` the configuration or a trusted proxy says all.
    """

    scheme: str
    place: str
    is_configured: bool = False
    is_sure: bool = False

    @property
    def url(self) -> str:
        """What the path of a route may follow; where the scheme is unknown, it is that of the page."""
        return f"{self.scheme}://{self.place}" if self.scheme else f"//{self.place}"

    @property
    def caching(self) -> str:
        """`Cache-Control` of an answer in which it stands."""
        return "public, max-age=300" if self.is_configured else "no-store"


class Addresses:
    """The one answer to where a worker is reached, for every route and for cookies."""

    def __init__(self, public_url: str | None, networks: Networks) -> None:
        public = None if public_url is None else urlsplit(public_url)
        self._public = public
        self._networks = networks
        self._told = False
        self.configured: Address | None = None
        self.prefix = ""  # of the configured address, as a path that was read has it
        if public is not None:
            self.configured = Address(public.scheme, f"{public.netloc}{public.path}", is_configured=True, is_sure=True)
            self.prefix = unquote(public.path)

    def of(self, scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> Address:
        """By RESONATE_PUBLIC_URL, else by what a trusted proxy forwards, else by the request. Raises Problem 400."""
        if self.configured is not None:
            return self.configured
        trusted = self._networks.through_trusted(scope)
        told = forwarded(headers) if trusted else Forwarded()
        host = told.host or _host_of(headers)
        if not PLACE.fullmatch(host):
            raise Problem(400, "host_missing", NO_HOST)
        scheme = told.scheme or ("" if any(name in headers for name in FORWARDING) else str(scope["scheme"]))
        if not scheme and not self._told:
            self._told = True
            peer = scope["client"][0] if scope["client"] else "its address"
            logger.warning(
                "a proxy forwards requests and does not say, or may not say, by which address pages reach it: set"
                " RESONATE_PUBLIC_URL, or RESONATE_TRUSTED_PROXIES=%s and X-Forwarded-Proto and -Host there", peer
            )  # fmt: skip
        return Address(scheme, f"{host}{told.prefix}", is_sure=bool(told.scheme and told.host))

    def root(self, scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> str:
        """With what the paths of this service begin for a browser; a request without a usable `Host` has one too."""
        if self.configured is not None:
            return urlsplit(self.configured.url).path
        return forwarded(headers).prefix if self._networks.through_trusted(scope) else ""

    def known(self, scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> Address | None:
        """The same where the configuration or a trusted proxy says it; None where it would only be repeated."""
        if self.configured is not None or not any(name in headers for name in (FORWARDED, HOST)):
            return self.configured
        address = self.of(scope, headers)
        return address if address.is_sure else None

    def place(self, scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> Whereabouts:
        """Where the browser is: by a trusted proxy, else the public address, else by what the request itself says."""
        told = forwarded(headers) if self._networks.through_trusted(scope) else Forwarded()
        named, public = _host_of(headers), self._public
        scheme = str(scope.get("scheme", "http"))
        origins = [_origin(told.scheme or scheme, told.host or named)]
        if public is not None:
            origins.append(_origin(public.scheme, public.netloc))
            named, scheme = public.netloc, public.scheme
        return Whereabouts(tuple(origins), _without_port(told.host or named), (told.scheme or scheme) == "https")

    def prefixes(self, scope: Scope) -> Iterator[str]:
        """With what the path of a request may begin that no route knows."""
        if self.prefix:
            yield self.prefix
        header = next((value for name, value in scope["headers"] if name == PREFIX), None)
        if header is not None and self._networks.through_trusted(scope):
            yield unquote(forwarded({PREFIX: header}).prefix)


class Answering(Protocol):
    """What `Dispatch` offers: any request, and at once those that are there whole."""

    answer_whole: Callable[[Scope, bytes], Any]

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]: ...


class Prefixed:
    """Answers each path also behind the prefix by which proxies publish the service: they may take it off or not."""

    def __init__(self, served: Answering, addresses: Addresses) -> None:
        self._served: ASGIApplication = served
        self._whole = served.answer_whole
        self._addresses = addresses
        self._prefix = addresses.prefix

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        for prefix in self._addresses.prefixes(scope):
            if without_prefix(scope, prefix):
                break
        return self._served(scope, receive, send)

    def answer_whole(self, scope: Scope, body: bytes) -> Any:
        """The same on the protocol's short way; what a proxy names is looked at where nothing is found without."""
        if self._prefix and without_prefix(scope, self._prefix):
            return self._whole(scope, body)
        answered = self._whole(scope, body)
        if answered is None and any(without_prefix(scope, prefix) for prefix in self._addresses.prefixes(scope)):
            return self._whole(scope, body)
        return answered


def without_prefix(scope: Scope, prefix: str) -> bool:
    """Takes it off the path of a request that begins with it, and says whether it did."""
    path: str = scope["path"]
    if not prefix or not path.startswith(f"{prefix}/"):
        return False
    scope["path"] = path[len(prefix) :]
    written: bytes = scope["raw_path"]  # where a slash of an id is told from one between two parts of a path
    taken = next((taken for taken in (prefix.encode(), quote(prefix).encode()) if written.startswith(taken)), None)
    scope["raw_path"] = quote(scope["path"]).encode() if taken is None else written[len(taken) :]
    return True


def forwarded(headers: Mapping[bytes, bytes]) -> Forwarded:
    """What stands first, nearest to the browser, in `Forwarded`, and what that lacks in `X-Forwarded-…`."""
    if not headers.keys() & {FORWARDED, PROTO, HOST, PREFIX}:
        return Forwarded()
    said: dict[str, str] = {}
    text, place = headers.get(FORWARDED, b"").decode("latin-1"), 0
    while (found := PARAMETER.match(text, place)) is not None:
        said[found["name"].lower()] = found["quoted"] or found["plain"] or ""
        place = found.end() + 1
        if text[found.end() : place] != ";":
            break
    scheme = (said.get("proto") or _first(headers, PROTO)).lower()
    host = said.get("host") or _first(headers, HOST)
    prefix = _first(headers, PREFIX).rstrip("/")
    return Forwarded(
        scheme if scheme in DEFAULT_PORTS else "",
        host if PLACE.fullmatch(host) else "",
        prefix if FORWARDED_PATH.fullmatch(prefix) else "",
    )


def _first(headers: Mapping[bytes, bytes], name: bytes) -> str:
    return headers.get(name, b"").decode("latin-1").partition(",")[0].strip()


def _host_of(headers: Mapping[bytes, bytes]) -> str:
    return headers.get(b"host", b"").decode("latin-1").strip()


def _origin(scheme: str, netloc: str) -> str:
    return f"{scheme}://{netloc.lower().removesuffix(DEFAULT_PORTS.get(scheme, ''))}"


def _without_port(netloc: str) -> str:
    name, closing, _ = netloc.partition("]") if netloc.startswith("[") else (netloc.partition(":")[0], "", "")
    return f"{name}{closing}".lower().removesuffix(".")
