"""The cookie that holds a visitor's id: who may send it, how it is read, set and deleted, and when its end is moved."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

from experiments.definitions.shop import Shop
from kit.time import DAY_SECONDS
from kit.values import identifier

Pairs = list[tuple[bytes, bytes]]  # headers of an answer

# RFC 6265, 4.1.1: what may stand in a value as it is; `%` tells of what may not
PLAIN: Final = "!#$&'()*+-./:<=>?@[]^_`{|}~"
MOST_REMEMBERED: Final = 20_000


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a browser thinks that it is: the origins that are the service's own, the host, and whether it is https."""

    origins: tuple[str, ...]
    host: str
    is_https: bool


@dataclass(frozen=True, slots=True)
class CookieRules:
    """What shop.yaml says of the cookie; `domain` has no dot before it."""

    name: str
    days: int
    http_only: bool
    domain: str | None

    @classmethod
    def of(cls, shop: Shop) -> "CookieRules":
        """As a shop has it."""
        visitors = shop.visitors
        domain = shop.cookie_domain.removeprefix(".") if shop.cookie_domain else None
        return cls(visitors.cookie, visitors.days, visitors.http_only, domain)

    def fits(self, host: str) -> bool:
        """Whether a host may set the cookie for the domain: it is that domain, or below it."""
        return self.domain is None or host == self.domain or host.endswith(f".{self.domain}")

    def read(self, header: bytes) -> str | None:
        """The id in a `Cookie` header; None where there is none, or what stands there can be no id."""
        for pair in header.decode("latin-1").split(";"):
            name, _, value = pair.partition("=")
            if name.strip() == self.name:
                return _id_of(value.strip().strip('"'))
        return None

    def holds(self, header: bytes) -> bool:
        """Whether a `Cookie` header has this cookie, whatever its value."""
        return any(pair.partition("=")[0].strip() == self.name for pair in header.decode("latin-1").split(";"))

    def set(self, visitor_id: str, seconds: int, site: Whereabouts) -> Pairs:
        """What sets the cookie for so long: for the domain, or for the host alone where that is no part of it."""
        domain = self.domain if self.fits(site.host) else None
        return [self._line(quote(visitor_id, safe=PLAIN), seconds, site, domain)]

    def delete(self, site: Whereabouts) -> Pairs:
        """What deletes the cookie: that of the host, and that of the domain."""
        domains = [None] if self.domain is None or not self.fits(site.host) else [None, self.domain]
        return [self._line("", 0, site, domain) for domain in domains]

    def _line(self, value: str, seconds: int, site: Whereabouts, domain: str | None) -> tuple[bytes, bytes]:
        line = f"{self.name}={value}; Path=/; SameSite=Lax; Max-Age={seconds}"
        line += f"; Domain={domain}" if domain else ""
        line += "; Secure" if site.is_https else ""
        line += "; HttpOnly" if self.http_only else ""
        return b"set-cookie", line.encode()


class Renewals:
    """Whose cookie's end was moved today. The end is that of a day, so that what another worker moves is the same."""

    def __init__(self) -> None:
        self._day = 0
        self._moved: set[str] = set()

    def due(self, visitor_id: str, today: int) -> bool:
        """Whether it was not moved yet; from now on it was."""
        if today != self._day or len(self._moved) >= MOST_REMEMBERED:
            self._day, self._moved = today, set()
        if visitor_id in self._moved:
            return False
        self._moved.add(visitor_id)
        return True


def seconds_until(day: int, now: float) -> int:
    """Until the first instant (UTC) of a day counted from 1970; 0 for one that is past."""
    return max(0, int(day * DAY_SECONDS - now))


def _id_of(value: str) -> str | None:
    try:
        found = unquote(value, errors="strict")
    except UnicodeDecodeError:
        return None
    told = identifier(found)
    return told if isinstance(told, str) else None
