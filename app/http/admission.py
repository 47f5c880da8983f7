"""Lets a request in: its key, the origin of its page, and the rate of its caller."""

import base64
import binascii
import math
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

from app.http.access import Grant, Keys, unknown_key
from app.http.errors import Problem, retry_later
from app.http.exchange import Exchange, unique_ids
from app.http.parameters import ignore_unknown, query_pairs
from app.runtime.telemetry import Telemetry

MAX_BUCKETS: Final = 50_000


@dataclass(frozen=True, slots=True)
class Rate:
    """`per_second` requests for good, `burst` of them at once. `per_second` 0 means no limit."""

    per_second: float
    burst: int

    def share(self, workers: int) -> "Rate":
        """What each of so many workers may let pass, so that all together keep the rate: at least one at once."""
        return Rate(self.per_second / workers, max(1, self.burst // workers))


@dataclass(slots=True)
class RateLimiter:
    """One bucket for each (key, address), held as its theoretical arrival time (ITU-T I.371, virtual scheduling).

    Buckets that are full again are forgotten; when even so there are too many, all are: the limiter fails open.
    """

    publishable: Rate
    secret: Rate
    arrivals: dict[tuple[bytes, str], float] = field(default_factory=dict[tuple[bytes, str], float])

    def wait_seconds(self, digest: bytes, address: str, secret: bool, now: float) -> int:
        """0 when the request may pass (it is counted), else the whole seconds after which the next one may."""
        rate = self.secret if secret else self.publishable
        if not rate.per_second:
            return 0
        bucket = (digest, address)
        interval = 1.0 / rate.per_second
        arrival = self.arrivals.get(bucket, now)
        if arrival < now:
            arrival = now
        early = arrival - now - interval * (rate.burst - 1)
        if early > 1e-9:  # the subtraction of two clock readings rounds
            return math.ceil(early)
        self.arrivals[bucket] = arrival + interval
        if len(self.arrivals) > MAX_BUCKETS:
            self.arrivals = {bucket: arrival for bucket, arrival in self.arrivals.items() if arrival > now}
            if len(self.arrivals) > MAX_BUCKETS // 2:
                self.arrivals = {}
        return 0


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """Whom a server lets in and how often, whose word on addresses it takes, and where it counts and names answers."""

    keys: Keys
    limiter: RateLimiter
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...]
    telemetry: Telemetry
    ids: Iterator[str] = field(default_factory=unique_ids)


def admit(exchange: Exchange, policy: AccessPolicy, parameters: Collection[str] | None = None) -> Grant:
    """The grant of a request that must carry a key in its headers or its query. Raises Problem 401, 403 or 429.

    `parameters` are all that the route knows of its query; None where another's dialect says what may stand there.
    """
    found = presented(exchange)
    if found is None:
        raise unknown_key(None)
    key, in_address = found
    grant = admit_key(exchange, policy, key, in_address=in_address)
    if parameters is not None and exchange.scope["query_string"]:
        ignore_unknown(exchange, parameters, policy.telemetry)
    return grant


def presented(exchange: Exchange) -> tuple[bytes, bool] | None:
    """The key of a request, and whether it stands in the address.

    It is that of `Authorization: Bearer`, the Basic user name, `X-API-Key`, or, as browsers' clients send it,
    `?writeKey=`, `?client_key=` or `?key=`. None when there is none: it may still be in the body.
    """
    authorization = exchange.headers.get(b"authorization")
    if authorization is not None:
        scheme, _, credentials = authorization.partition(b" ")
        kind = scheme.lower()
        if kind == b"bearer":
            return credentials.strip(), False
        if kind != b"basic":
            return b"", False
        try:
            return base64.b64decode(credentials.strip(), validate=True).partition(b":")[0], False
        except binascii.Error:
            return b"", False
    key = exchange.headers.get(b"x-api-key")
    if key is not None:
        return key, False
    if b"ey=" not in exchange.scope["query_string"]:
        return None
    pairs = dict(query_pairs(exchange))
    in_query = pairs.get("writeKey") or pairs.get("client_key") or pairs.get("key")
    return None if in_query is None else (in_query.encode(), True)


def admit_key(exchange: Exchange, policy: AccessPolicy, key: bytes, *, in_address: bool = False) -> Grant:
    """The grant of this key, wherever it was found. Raises Problem 401, 403 or 429."""
    grant = policy.keys.grant(key)
    if grant is None:
        raise unknown_key(key)
    if in_address and grant.secret:
        detail = "a secret key is never accepted in an address; send it as `Authorization: Bearer <key>`"
        raise Problem(401, "secret_key_in_address", detail)
    origin = exchange.headers.get(b"origin")
    if origin is not None and not grant.secret and not grant.allows(origin.decode("latin-1")):
        detail = "this publishable key is not configured for the page's origin"
        raise Problem(403, "origin_not_allowed", detail)
    client = exchange.scope["client"]
    address = client[0] if client else ""
    if policy.trusted_proxies:
        address = caller_address(address, exchange.headers, policy.trusted_proxies)
    wait = policy.limiter.wait_seconds(grant.digest, address, grant.secret, time.monotonic())
    if wait:
        detail = f"too many requests with this key from this address; try again in {wait} s"
        raise retry_later(429, "rate_limited", detail, wait)
    exchange.grant, exchange.authority = grant, grant.authority
    return grant


def caller_address(peer: str, headers: Mapping[bytes, bytes], trusted: tuple[IPv4Network | IPv6Network, ...]) -> str:
    """The address that calls: the peer, or behind trusted proxies the last address that none of them vouches for."""
    if not _is_trusted(peer, trusted):
        return peer
    hops = headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")
    for hop in reversed([hop.strip() for hop in hops]):
        if hop and not _is_trusted(hop, trusted):
            return hop[:64]
    return peer


def _is_trusted(address: str, trusted: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in trusted)
