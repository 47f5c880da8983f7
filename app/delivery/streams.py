"""Open pages learn of changes: GrowthBook's SDKs get the payload, OpenFeature's providers that they should ask."""

from time import monotonic
from typing import Final
from urllib.parse import quote

from app.delivery.payload import Payloads, admit_sdk
from app.http.access import Grant
from app.http.admission import admit, presented
from app.http.exchange import Exchange, HttpAnswer
from app.http.parameters import query_pairs
from app.http.streams import Said
from app.worker.resources import Resources
from kit.time import now_seconds

SUB_PREFIX: Final = "/sub/"
OFREP_STREAM: Final = "/ofrep/v1/stream"
HELD: Final = b"last-event-id"
ASKED_FOR: Final = "flagConfigEtag"  # a client that was told of a version names it
GAP_SECONDS: Final = 60.0  # a change this long ago may lie between a client's evaluation and its stream
INACTIVE_SECONDS: Final = 120  # a hidden page closes its stream after that


class FeatureStream:
    """`GET /sub/{pk}`: the payload now, unless the client holds it, and whenever it changes."""

    def __init__(self, payloads: Payloads) -> None:
        self._payloads = payloads

    def __call__(self, exchange: Exchange, resources: Resources, body: bytes) -> HttpAnswer:
        invalid = admit_sdk(exchange, resources, SUB_PREFIX)
        if invalid is not None or exchange.grant is None:
            return invalid or HttpAnswer(400, b"")
        consent = resources.consent_of(exchange)

        def read() -> Said:
            return self._payloads.current(resources, consent, now_seconds()).said

        channel = resources.streams.channel(("features", consent), read)
        said = channel.said
        first = b"" if exchange.headers.get(HELD) == said.version else said.event
        return resources.streams.answer(channel, exchange.grant, first)


class OfrepStream:
    """`GET /ofrep/v1/stream?key=pk`: that the client should evaluate again, whenever an answer may have changed.

    Also at once where one may have changed since its evaluation: it names another version, or the change is young.
    """

    def __init__(self, payloads: Payloads) -> None:
        self._payloads = payloads

    def __call__(self, exchange: Exchange, resources: Resources, body: bytes) -> HttpAnswer:
        grant = admit(exchange, resources.access)

        def read() -> Said:
            now = now_seconds()
            return self._payloads.edition(resources.visible_to(grant, now), now, secret=grant.secret).said

        channel = resources.streams.channel(("evaluations", grant.secret), read)
        said, held = channel.said, exchange.headers.get(HELD)
        changed = monotonic() - channel.since < GAP_SECONDS if held is None else held != said.version
        return resources.streams.answer(channel, grant, said.event if changed else b"")


def event_streams(exchange: Exchange, resources: Resources, grant: Grant) -> bytes:
    """The member of a bulk answer that says where its changes are told; empty where a page could not ask there."""
    found = None if grant.secret or not resources.streams.most else presented(exchange)
    if found is None:
        return b""
    path = f"{OFREP_STREAM}?key={quote(found[0].decode('latin-1'), safe='')}"
    address = resources.addresses.known(exchange.scope, exchange.headers)
    where = f'"endpoint":{{"requestUri":"{path}"}}' if address is None else f'"url":"{address.url}{path}"'
    return f',"eventStreams":[{{"type":"sse",{where},"inactivityDelaySec":{INACTIVE_SECONDS}}}]'.encode()


def catch_up(exchange: Exchange, resources: Resources, payloads: Payloads, grant: Grant) -> None:
    """A client that another worker told of a change is not answered from what was before it."""
    now = now_seconds()
    named = dict(query_pairs(exchange)).get(ASKED_FOR)
    current = payloads.edition(resources.visible_to(grant, now), now, secret=grant.secret)
    if named is not None and named.encode() != current.said.version:
        resources.catch_up()
