"""Lets a request in: its key, the origin of its page, and what its caller has used up already."""

import base64
import binascii
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from app.http.access import Grant, Keys, scope_missing, unknown_key
from app.http.errors import Problem, retry_later
from app.http.exchange import REFUSED, Exchange, unique_ids
from app.http.parameters import ignore_unknown, query_pairs
from app.limits.budgets import KINDS, UNITS, Budgets, Spent
from app.limits.metering import CpuClock
from app.limits.networks import Networks
from app.limits.pressure import Pressure
from app.runtime.telemetry import Telemetry


def no_matter(route: str, status: int, body: bytes) -> None:
    """Nobody asks what was refused as a whole."""


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """Whom a server lets in, what they may use, from where they call, and where it counts and names answers."""

    keys: Keys
    budgets: Budgets
    networks: Networks
    telemetry: Telemetry
    pressure: Pressure = field(default_factory=Pressure)
    clock: CpuClock = field(default_factory=CpuClock)
    ids: Iterator[str] = field(default_factory=unique_ids)
    uses: dict[str, str] = field(default_factory=dict[str, str])  # the network of each key's latest request, by name
    not_read: Callable[[str, int, bytes], None] = no_matter  # of a request with events: route, status, answer


def admit(exchange: Exchange, policy: AccessPolicy, parameters: Collection[str] | None = None) -> Grant:
    """The grant of a request that must carry a key in its headers or its query. Raises Problem 401, 403 or 429.

    `parameters` are all that the route knows of its query; None where another's dialect says what may stand there.
    """
    found = presented(exchange)
    if found is None:
        raise stranger(exchange, policy, None)
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
    """The grant of this key, wherever it was found. Raises Problem 401, 403, 429 or 503."""
    grant = policy.keys.grant(key)
    if grant is None:
        raise stranger(exchange, policy, key)
    if in_address and grant.secret:
        detail = "a secret key is never accepted in an address; send it as `Authorization: Bearer <key>`"
        raise Problem(401, "secret_key_in_address", detail)
    if not grant.secret and b"origin" in exchange.headers:
        check_origin(exchange, grant)
    if policy.pressure.is_on and policy.pressure.refuses(
        secret=grant.secret, proving=b"x-resonate-user" in exchange.headers
    ):
        problem = retry_later(503, "overloaded", "more is asked than can be answered in time; try again in 1 s", 1)
        if policy.pressure.is_crowded:  # others may need the connection
            problem.headers.append((b"connection", b"close"))
        raise problem
    open_tab(exchange, policy, grant)
    exchange.grant, exchange.authority = grant, grant.authority
    policy.uses[grant.name] = exchange.network
    if exchange.needs not in grant.scopes:
        raise scope_missing(grant, exchange.needs)
    return grant


def open_tab(exchange: Exchange, policy: AccessPolicy, grant: Grant) -> None:
    """From here on what the request costs is on the tab of its key. Raises Problem 429."""
    now = time.monotonic()
    network = policy.networks.of(exchange.scope, exchange.headers, now, page=not grant.secret)
    tab = policy.budgets.tab(grant.digest, network, secret=grant.secret)
    spent = tab.spent(now)
    if spent is not None:
        account, what = spent
        raise used_up(exchange, what, "this key" if account is tab.accounts[-1] else "this key from this network")
    exchange.network, exchange.tab = network, tab


def check_origin(exchange: Exchange, grant: Grant) -> None:
    """Notes whether a publishable key names the page's origin. Raises Problem 403 where it is not for its pages."""
    page = exchange.headers[b"origin"].decode("latin-1")
    if not grant.allows(page):
        detail = "this publishable key is not configured for the page's origin"
        raise Problem(403, "origin_not_allowed", detail)
    exchange.origin_listed = grant.lists(page)


def stranger(exchange: Exchange, policy: AccessPolicy, key: bytes | None) -> Problem:
    """401 for a request with this unknown key, or none; it is charged to its network. Raises Problem 429."""
    admit_stranger(exchange, policy)
    return unknown_key(key)


def admit_stranger(exchange: Exchange, policy: AccessPolicy) -> None:
    """Lets a request without a key go on, at the cost of its network. Raises Problem 429."""
    now = time.monotonic()
    exchange.network = policy.networks.of(exchange.scope, exchange.headers, now)
    tab = policy.budgets.strangers(exchange.network)
    spent = tab.spent(now)
    if spent is not None:
        raise used_up(exchange, spent[1], "requests without a known key from this network")
    exchange.tab = tab


def used_up(exchange: Exchange, what: Spent, whose: str) -> Problem:
    """429: which budget is used up, and in how many seconds there is some of it again."""
    exchange.scope[REFUSED] = True
    name = KINDS[what.kind]
    detail = f"the budget of {name} of {whose}, {what.per_second:g} {UNITS[what.kind]} a second, is used up"
    problem = retry_later(429, "rate_limited", f"{detail}; try again in {what.wait_seconds} s", what.wait_seconds)
    problem.members = {"budget": name.lower().replace(" ", "_")}
    return problem
