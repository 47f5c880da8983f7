"""Lets a request in: its key, the origin of its page, and the rate of its caller."""

import time

from app.http.access import (
    Grant,
    origin_refused,
    presented_in_headers,
    presented_in_query,
    secret_in_address,
    unknown_key,
)
from app.http.errors import retry_later
from app.http.exchange import Exchange
from app.http.rate_limit import caller_address
from app.worker.resources import Resources


def admit(exchange: Exchange, resources: Resources) -> Grant:
    """The grant of a request that must carry a key in its headers or its query. Raises Problem 401, 403 or 429."""
    grant = admit_if_presented(exchange, resources)
    if grant is None:
        raise unknown_key(None)
    return grant


def admit_if_presented(exchange: Exchange, resources: Resources) -> Grant | None:
    """The grant, or None when neither headers nor query hold a key: it may still be in the body."""
    presented = presented_in_headers(exchange.headers)
    if presented is not None:
        return admit_key(exchange, resources, presented)
    query = exchange.scope["query_string"]
    in_query = presented_in_query(query) if query else None
    return None if in_query is None else admit_key(exchange, resources, in_query, in_address=True)


def admit_key(exchange: Exchange, resources: Resources, key: bytes, *, in_address: bool = False) -> Grant:
    """The grant of this key, wherever it was found. Raises Problem 401, 403 or 429."""
    grant = resources.keys.grant(key)
    if grant is None:
        raise unknown_key(key)
    if in_address and grant.secret:
        raise secret_in_address()
    origin = exchange.headers.get(b"origin")
    if origin is not None and not grant.secret and not grant.allows(origin.decode("latin-1")):
        raise origin_refused()
    _count(exchange, resources, grant)
    exchange.grant = grant
    return grant


def _count(exchange: Exchange, resources: Resources, grant: Grant) -> None:
    client = exchange.scope["client"]
    address = caller_address(client[0] if client else "", exchange.headers, resources.settings.trusted_proxies)
    wait = resources.limiter.wait_seconds(grant.digest, address, grant.secret, time.monotonic())
    if wait:
        detail = f"too many requests with this key from this address; try again in {wait} s"
        raise retry_later(429, "rate_limited", detail, wait)
