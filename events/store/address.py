"""Where a store is: `RESONATE_REDIS_URL` by its grammar, parsed once, before anything is asked of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from kit.suggestions import did_you_mean

DEFAULT_PORT: Final = 6379
CLUSTER_SCHEMES: Final = {"redis+cluster": "redis", "rediss+cluster": "rediss"}
SCHEMES: Final = ("redis", "rediss", "unix", *CLUSTER_SCHEMES)
CA: Final = "ssl_ca_certs"
CERTIFICATE: Final = "ssl_certfile"
KEY: Final = "ssl_keyfile"
CHECKS_HOST: Final = "ssl_check_hostname"
TLS: Final = (CA, CERTIFICATE, KEY, CHECKS_HOST)
OTHERS: Final = ("db", "client_name", "username", "password")
SWITCH: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class AddressRefused(Exception):
    """An address that leads to no store; the message says what would be right, and shows no password."""


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """A store as its address names it: `nodes` are places of servers, one for a single server, any of a cluster's.

    `options` are those of a connection by the client library's names: login, database, files of TLS.
    """

    scheme: str
    nodes: tuple[tuple[str, int], ...]
    options: Mapping[str, Any]

    @property
    def is_cluster(self) -> bool:
        return self.scheme in CLUSTER_SCHEMES

    @property
    def is_tls(self) -> bool:
        return self.scheme.startswith("rediss")

    @property
    def files(self) -> dict[str, str]:
        """The files that TLS reads, by the names of their parameters."""
        return {name: self.options[name] for name in (CA, CERTIFICATE, KEY) if name in self.options}

    def __str__(self) -> str:
        """It without login, files and all else that may be secret."""
        if self.scheme == "unix":
            return f"unix://{self.options['path']}"
        places = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.nodes)
        database = self.options.get("db")
        return f"{self.scheme}://{places}" if database is None else f"{self.scheme}://{places}/{database}"


def store_address(url: str) -> StoreAddress:
    """The address that a text is; raises AddressRefused."""
    scheme, _, rest = url.partition("://")
    if "sentinel" in scheme:
        raise AddressRefused(
            f"it begins with {scheme!r}: Sentinel is not asked; name the address that leads to the primary, such as"
            " redis://store.example:6379, or a cluster as redis+cluster://"
        )
    if scheme not in SCHEMES or not rest:
        raise AddressRefused(
            f"it begins with {scheme!r}, it may begin with redis://, rediss://, redis+cluster://, rediss+cluster:// or unix://"
        )
    try:
        parts = urlsplit(url)
        login, _, places = parts.netloc.rpartition("@")
        options = _login(login) | _options(parts.query, is_tls=scheme.startswith("rediss"))
        if scheme == "unix":
            return StoreAddress(scheme, (), options | {"path": unquote(parts.path)})
        options = _database(parts.path, is_cluster=scheme in CLUSTER_SCHEMES) | options
        nodes = tuple(_place(place) for place in places.split(","))
    except ValueError as error:
        raise AddressRefused(str(error)) from None
    if len(nodes) > 1 and scheme not in CLUSTER_SCHEMES:
        raise AddressRefused(
            f"it names {len(nodes)} servers, and {scheme} takes one; nodes of a cluster are {scheme}+cluster"
        )
    return StoreAddress(scheme, nodes, options)


def _login(text: str) -> dict[str, Any]:
    user, _, password = text.partition(":")
    told = {"username": unquote(user), "password": unquote(password)}
    return {name: value for name, value in told.items() if value}


def _place(text: str) -> tuple[str, int]:
    try:
        place = urlsplit(f"//{text}")
        return unquote(place.hostname or "localhost"), place.port or DEFAULT_PORT
    except ValueError:
        raise ValueError(
            f"{text[:100]!r} is no place of a server; it would be host:port, with a port up to 65535"
        ) from None


def _database(path: str, *, is_cluster: bool) -> dict[str, Any]:
    number = path.strip("/")
    if not number or (is_cluster and number == "0"):
        return {}
    if is_cluster:
        raise ValueError(f"it names the database {number[:20]!r}, and a cluster has none but 0")
    return {"db": _number("its path", number)}


def _options(query: str, *, is_tls: bool) -> dict[str, Any]:
    """What stands behind the question mark; ValueError names the first that is not as it should be."""
    known = (*OTHERS, *TLS)
    options: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            takes = f"; it takes {', '.join(known)}"
            raise ValueError(f"unknown parameter {name[:100]!r}{did_you_mean(name, known, takes, lead='; ')}")
        if name in TLS and not is_tls:
            raise ValueError(f"{name} is of TLS, which begins with rediss")
        if name == CHECKS_HOST and value.lower() not in SWITCH:
            raise ValueError(f"{name} is {value[:20]!r}; it may be true or false")
        options[name] = SWITCH[value.lower()] if name == CHECKS_HOST else value
    if "db" in options:
        options["db"] = _number("db", options["db"])
    if (CERTIFICATE in options) is not (KEY in options):
        raise ValueError(f"{CERTIFICATE} and {KEY} go together; a file that holds both is named twice")
    return options


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 6):
        raise ValueError(f"{name} is {text[:20]!r}; it would be the number of a database, such as 0")
    return int(text)
