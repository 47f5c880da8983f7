"""Where somebody signs in: the address that a link has, and whether an address is safe enough to sign in by it."""

from typing import Final, Literal, NamedTuple
from urllib.parse import urlsplit

SIGN_IN: Final = "/dashboard/sign-in"
HOST_COOKIE: Final = "__Host-resonate"
UNSAFE: Final = (
    "signing in needs https, because by plain http whoever is on the way could take the session; put a proxy with a"
    " certificate before the service and set RESONATE_PUBLIC_URL=https://… (docs/proxies.md), or come from the machine"
    " itself, by http://localhost"
)
USUAL_PORTS: Final = {"http": 80, "https": 443}
Safety = Literal["https", "loopback"]


class SessionCookie(NamedTuple):
    """The cookie of a session at an address: `https` has the name that browsers keep for the host alone, by TLS.

    Without TLS only this machine's own browser may have one (Safari keeps none there that is Secure), with the port in
    its name, because cookies know no ports: two services of one machine must not sign each other out.
    """

    name: str
    safety: Safety

    def set(self, token: str, seconds: int) -> str:
        """The header that gives it to a browser for so long; 0 takes it away."""
        secure = "; Secure" if self.safety == "https" else ""
        return f"{self.name}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"

    def read(self, header: bytes) -> str:
        """What a `Cookie` header holds of it; empty where there is none."""
        for pair in header.decode("latin-1").split(";"):
            name, _, value = pair.partition("=")
            if name.strip() == self.name:
                return value.strip()
        return ""


def session_cookie(address: str) -> SessionCookie | None:
    """The cookie for an address of the service, such as `https://shop.example/r`; None where none is safe."""
    try:
        parts, port = urlsplit(address), urlsplit(address).port
    except ValueError:  # a port beyond 65535
        return None
    if parts.scheme == "https":
        return SessionCookie(HOST_COOKIE, "https")
    if parts.scheme == "http" and is_loopback(parts.hostname or ""):
        return SessionCookie(f"resonate_{port or 80}", "loopback")
    return None


def is_loopback(host: str) -> bool:
    """Whether a host, without its port, is this machine and nothing else."""
    quarters = host.split(".")
    in_127 = len(quarters) == 4 and quarters[0] == "127" and all(each.isascii() and each.isdigit() for each in quarters)
    return host == "localhost" or host == "::1" or in_127


def origin_of(address: str) -> str:
    """What a browser sends as `Origin` from a page of an address; empty for one that no browser has."""
    try:
        parts, port = urlsplit(address), urlsplit(address).port
    except ValueError:
        return ""
    host = parts.hostname or ""
    if parts.scheme not in USUAL_PORTS or not host:
        return ""
    shown = "" if port is None or port == USUAL_PORTS[parts.scheme] else f":{port}"
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{shown}"


def sign_in_address(address: str, token: str) -> str:
    """The link that signs somebody in. A service that listens everywhere is reached on its own machine by this."""
    for everywhere in ("http://0.0.0.0", "http://[::]"):
        if address.startswith((f"{everywhere}:", f"{everywhere}/")) or address == everywhere:
            address = f"http://127.0.0.1{address.removeprefix(everywhere)}"
    return f"{address}{SIGN_IN}?token={token}"
