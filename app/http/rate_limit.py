"""Token buckets per key and address, in the memory of each worker."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

MAX_BUCKETS: Final = 50_000


@dataclass(frozen=True, slots=True)
class Rate:
    """`per_second` requests for good, `burst` of them at once. `per_second` 0 means no limit."""

    per_second: float
    burst: int


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
            self._forget(now)
        return 0

    def _forget(self, now: float) -> None:
        self.arrivals = {bucket: arrival for bucket, arrival in self.arrivals.items() if arrival > now}
        if len(self.arrivals) > MAX_BUCKETS // 2:
            self.arrivals = {}


def caller_address(peer: str, headers: Mapping[bytes, bytes], trusted: tuple[IPv4Network | IPv6Network, ...]) -> str:
    """The address that calls: the peer, or behind trusted proxies the last address that none of them vouches for."""
    if not trusted or not _is_trusted(peer, trusted):
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
