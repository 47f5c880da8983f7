"""Where changes of experiments are told: addresses of webhooks as settings have them, and which hosts may be called.

An address is a secret: whoever has that of a Slack channel may write to it. Only its scheme and host are ever shown.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, Literal
from urllib.parse import urlsplit

Form = Literal["object", "text"]

TEXT_HOSTS: Final = (
    "hooks.slack.com", ".webhook.office.com", ".logic.azure.com", ".powerplatform.com", "chat.googleapis.com",
)  # fmt: skip
"""Hosts that take a text alone, those with a dot before them with all that are below."""
AS_TEXT: Final = "#text"
NO_ADDRESS: Final = "it is not an address such as https://example.com/hook"
MOST_RECEIVERS: Final = 10
HOST: Final = re.compile(r"[a-z0-9._:%-]+")  # a name, or an address with its zone
TRANSLATED: Final = IPv6Network("64:ff9b::/96")  # addresses of IPv4, for networks that speak IPv6 alone


@dataclass(frozen=True, slots=True)
class Receiver:
    """One who is told: `name` may be shown, `key` tells it apart in files; of `url` neither is true."""

    url: str = field(repr=False)
    host: str
    port: int
    form: Form

    @property
    def name(self) -> str:
        """Scheme and host, with the port where one is named."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def key(self) -> str:
        return hashlib.sha256(self.url.encode()).hexdigest()[:16]

    @property
    def is_local(self) -> bool:
        """Whether it names this very machine."""
        return _names_this_machine(self.host)

    def may_be(self, address: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
        """Whether its host may have this address.

        A name that is not of this machine leads to the internet, or into networks that the operator named: who may
        answer for a name must not choose that the service calls its neighbours.
        """
        found = _plain(address)
        if self.is_local:
            return found.is_loopback
        return any(found in network for network in networks) or _on_the_internet(found)


def receiver(text: str) -> Receiver:
    """The receiver that an address names. Raises ValueError, which never shows it."""
    url = text.removesuffix(AS_TEXT)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
        host.encode("idna")  # as whoever looks it up does: no part of a name is empty or too long
    except ValueError:
        raise ValueError(NO_ADDRESS) from None  # its own words may quote it
    if not HOST.fullmatch(host) or parts.scheme not in ("http", "https"):
        raise ValueError(NO_ADDRESS)
    if parts.scheme == "http" and not _names_this_machine(host):
        raise ValueError("it must be https; http is for this machine alone, such as http://127.0.0.1:9000/hook")
    if parts.username is not None or "#" in url or not (url.isascii() and url.isprintable()) or " " in url:
        raise ValueError("it may have no user, no blanks, only ASCII, and behind a # nothing but `text`")
    takes_text = text.endswith(AS_TEXT) or any(
        host.endswith(each) if each.startswith(".") else host == each for each in TEXT_HOSTS
    )
    return Receiver(url, host, port or (443 if parts.scheme == "https" else 80), "text" if takes_text else "object")


def each_a_receiver(texts: tuple[str, ...]) -> tuple[str, ...]:
    """The same addresses. Raises ValueError for one that may not be called, naming its place alone."""
    if len(texts) > MOST_RECEIVERS:
        raise ValueError(f"these are {len(texts)} addresses, {MOST_RECEIVERS} are the most")
    for position, text in enumerate(texts, 1):
        try:
            receiver(text)
        except ValueError as error:
            raise ValueError(f"address {position}: {error}") from None
    if len({receiver(text).key for text in texts}) < len(texts):
        raise ValueError("an address stands in it twice; each is told once")
    return texts


def _names_this_machine(host: str) -> bool:
    try:
        return _plain(host).is_loopback
    except ValueError:
        return host == "localhost"


def _on_the_internet(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of the internet, and so is that of IPv4 which stands in one of IPv6."""
    if isinstance(address, IPv6Address):
        inner = IPv4Address(address.packed[-4:]) if address in TRANSLATED else address.sixtofour
        if inner is not None:
            return _on_the_internet(inner)
        if address.is_reserved or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast


def _plain(address: str) -> IPv4Address | IPv6Address:
    """An address without its zone; one of IPv4 that is written as one of IPv6 is that of IPv4."""
    found = ip_address(address.partition("%")[0])
    return getattr(found, "ipv4_mapped", None) or found
