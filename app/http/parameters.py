"""The query parameters that a route does not know: refused where a secret key asks, else ignored, counted and named."""

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl, quote

from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute

from app.http.errors import Problem
from app.http.exchange import Exchange
from app.identity.consent import PARAMETER as CONSENT
from app.runtime.telemetry import Telemetry
from kit.suggestions import did_you_mean

KEYS: Final = ("writeKey", "client_key", "key")  # of a request that bears its publishable key in the address
DEBUG: Final = "debug"
DEBUG_MEANS: Final = "`1` names the query parameters that are unknown here in `X-Resonate-Unknown-Parameters`."
NAMED: Final = 5
LONGEST: Final = 100
LONGEST_KNOWN: Final = 200  # bytes of a query that is remembered
MOST_KNOWN: Final = 512
UNKNOWN: Final = b"x-resonate-unknown-parameters"


def declared(exchange: Exchange) -> list[str]:
    """The query parameters that the cold route of a request declares, its own and those of what it depends on."""
    route: APIRoute = exchange.scope["route"]
    in_path = {field.alias for field in route.dependant.path_params}
    return [field.alias for field in get_flat_params(route.dependant) if field.alias not in in_path]


def query_pairs(exchange: Exchange) -> Sequence[tuple[str, str]]:
    """Names and values of the query, blank ones too; the address, and so their number, is bounded by the protocol."""
    query: bytes = exchange.scope["query_string"]
    return _known_pairs(query) if len(query) <= LONGEST_KNOWN else _pairs(query)


def refuse_unknown(exchange: Exchange, known: Collection[str]) -> None:
    """Raises Problem 400 where the query names what the route does not know: a wish that is not heard is no answer."""
    unknown = _unknown([name for name, _ in query_pairs(exchange)], known)
    if not unknown:
        return
    takes = f"; this address takes {', '.join(sorted(known))}" if known else "; this address takes none"
    told = [
        f"unknown query parameter {name[:LONGEST]!r}{did_you_mean(name, known, takes, lead='; ', quote=chr(39))}"
        for name in unknown[:NAMED]
    ]
    raise Problem(400, "unknown_parameter", "; ".join(told))


def ignore_unknown(exchange: Exchange, known: Collection[str], telemetry: Telemetry) -> None:
    """Counts what the route does not know, and with `?debug=1` names it in a header that pages may read.

    A page whose address bears a cache-buster must not go blank.
    """
    pairs = query_pairs(exchange)
    unknown = _unknown([name for name, _ in pairs], {*known, *KEYS, DEBUG, CONSENT})
    if unknown:
        telemetry.went_wrong("unknown_parameters", len(unknown))
    if unknown and (DEBUG, "1") in pairs:
        names = ", ".join(quote(name[:LONGEST], safe="") for name in unknown[:NAMED])
        exchange.notes = ((UNKNOWN, names.encode()), (b"access-control-expose-headers", UNKNOWN))


def _pairs(query: bytes) -> Sequence[tuple[str, str]]:
    return tuple(parse_qsl(query.decode("latin-1"), keep_blank_values=True)) if query else ()


_known_pairs: Final = lru_cache(MOST_KNOWN)(_pairs)  # most of what is asked for often names its key in the address


def _unknown(names: Sequence[str], known: Collection[str]) -> list[str]:
    """Those of the names that are not known, each once."""
    return [name for name in dict.fromkeys(names) if name not in known]
