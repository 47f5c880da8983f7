"""Which network a request comes from: an IPv4 address or an IPv6 /64, seen through the proxies that are trusted."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from math import inf
from typing import Any, Final

logger = logging.getLogger(__name__)

IPAddress = IPv4Address | IPv6Address
UNKNOWN: Final = ""  # the network of whoever cannot be told from others: no rule by network holds for them
MAX_KNOWN: Final = 50_000
LONGEST_FORWARDED: Final = 512  # bytes of a header whose network is kept
WINDOW_SECONDS: Final = 60.0
FORWARDED: Final = b"x-forwarded-for"


@dataclass(slots=True)
class Endpoint:
    """The other end of a connection; `address` is None for what is no address, such as a Unix socket.

    Until `counted_until` it is known that it sends no forwarding header.
    """

    address: IPAddress | None
    network: str
    trusted: bool
    counted_until: float = -inf


class Networks:
    """The networks of one worker's callers.

    Behind a proxy that is not trusted all shoppers look like one network. So while at least as many networks send
    pages' requests with `X-Forwarded-For`, unbelieved, as send them without, nobody who comes directly has a network.
    One caller who sends that header by himself is one network among those of all shoppers.
    """

    def __init__(
        self, trusted: Sequence[IPv4Network | IPv6Network] = (), count: Callable[[], None] = lambda: None
    ) -> None:
        """`count` is called for each request that comes through a proxy which is not trusted."""
        self.unbelieved: str | None = None  # the proxy to trust, while rules by network are suspended
        self._trusted = tuple(trusted)
        self._count = count
        self._peers: dict[str, Endpoint] = {}
        self._behind: dict[tuple[str, bytes], str] = {}
        self._senders: dict[str, bool] = {}  # networks of this window, and whether they forward
        self._forwarders = 0
        self._window_ends = 0.0

    def of(self, scope: Mapping[str, Any], headers: Mapping[bytes, bytes], now: float, *, page: bool = False) -> str:
        """The network of a request, UNKNOWN where it cannot be told; `page` for one with a publishable key."""
        client = scope["client"]
        address = client[0] if client else ""
        peer = self._peers.get(address) or self._remembered(address)
        if peer.trusted:
            return self._through(peer, scope) if FORWARDED in headers else peer.network
        if page and (FORWARDED in headers or now >= peer.counted_until):
            self._observe(peer, address, FORWARDED in headers, now)
        return peer.network if self.unbelieved is None else UNKNOWN

    def through_trusted(self, scope: Mapping[str, Any]) -> bool:
        """Whether a request comes from a trusted proxy, whose word on what it forwards is believed."""
        client = scope["client"]
        address = client[0] if client else ""
        return (self._peers.get(address) or self._remembered(address)).trusted

    def of_connection(self, address: str) -> str:
        """The network of a connection's other end, UNKNOWN where it is not one caller's alone: a trusted proxy's, or
        anybody's while shoppers come through one that is not.
        """
        peer = self._peers.get(address) or self._remembered(address)
        return UNKNOWN if peer.trusted or self.unbelieved is not None else peer.network

    def _remembered(self, text: str) -> Endpoint:
        if len(self._peers) >= MAX_KNOWN:
            self._peers.clear()
        address = address_of_hop(text)
        found = Endpoint(address, UNKNOWN, False)
        if address is not None:
            found = Endpoint(address, network_of(address), self._vouched(address))
        self._peers[text] = found
        return found

    def _through(self, peer: Endpoint, scope: Mapping[str, Any]) -> str:
        forwarded = b",".join([value for name, value in scope["headers"] if name == FORWARDED])
        place = (peer.network, forwarded)
        network = self._behind.get(place)
        if network is None:
            if len(self._behind) >= MAX_KNOWN:
                self._behind.clear()
            network = network_of(self._caller(peer, forwarded))
            if len(forwarded) <= LONGEST_FORWARDED:
                self._behind[place] = network
        return network

    def _caller(self, peer: Endpoint, forwarded: bytes) -> IPAddress:
        """The last hop that no trusted proxy vouches for; what stands left of it, or of what is no hop, is nobody's."""
        assert peer.address is not None
        caller = peer.address
        for hop in reversed(forwarded.decode("latin-1").split(",")):
            address = address_of_hop(hop)
            if address is None:
                break
            caller = address
            if not self._vouched(address):
                break
        return caller

    def _vouched(self, address: IPAddress) -> bool:
        return any(address in network for network in self._trusted)

    def _observe(self, peer: Endpoint, address: str, forwards: bool, now: float) -> None:
        before = self._senders.get(peer.network)
        if now >= self._window_ends or len(self._senders) >= MAX_KNOWN:
            self._senders, self._forwarders, before = {}, 0, None
            self._window_ends = now + WINDOW_SECONDS
        peer.counted_until = self._window_ends
        if before is None or forwards > before:
            self._senders[peer.network] = forwards
            self._forwarders += forwards
            suspended = self._forwarders and self._forwarders * 2 >= len(self._senders)
            if suspended and self.unbelieved is None:
                logger.warning(
                    "pages' requests come through %s, whose X-Forwarded-For is not believed: all shoppers look like one"
                    " network, and no limit by network holds. If this proxy is yours, set"
                    " RESONATE_TRUSTED_PROXIES=%s", address, address
                )  # fmt: skip
            self.unbelieved = (address if forwards else self.unbelieved) if suspended else None
        if forwards and self.unbelieved is not None:
            self._count()


def address_of_hop(text: str) -> IPAddress | None:
    """The address of a hop as proxies write it: alone, with a port, IPv6 in brackets; None for what is none."""
    host, port = text.strip(), ""
    if host.startswith("["):
        host, closing, rest = host[1:].partition("]")
        if not closing or (rest and not rest.startswith(":")):
            return None
        port = rest[1:]
    elif host.count(":") == 1:
        host, _, port = host.partition(":")
    if port and not (port.isascii() and port.isdigit()):
        return None
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def network_of(address: IPAddress) -> str:
    """An IPv4 address, or the /64 of an IPv6 address: what one household or one server usually has."""
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address) >> 64 << 64, 64)))
