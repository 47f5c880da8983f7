"""What pages are told of experiments, made from the one list of what they may see: as a payload, and as its version."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Final

import msgspec

from app.http.admission import admit_key
from app.http.compression import Kept
from app.http.errors import JSON_TYPE, Problem
from app.http.exchange import Exchange, HttpAnswer
from app.http.streams import Said
from app.worker.resources import Resources
from events.consent import Consent
from experiments.assignment.payload import Drawn, by_any_unit, by_nothing, by_visitor, evaluated, features
from experiments.catalog.visible import Visible
from kit.time import iso, moment_of, now_seconds

FEATURES_PREFIX: Final = "/api/features/"
CACHE_CONTROL: Final = b"public, max-age=30, stale-while-revalidate=3600, stale-if-error=36000"
PRIVATE: Final = b"private, no-cache"
SUPPORTS_STREAMS: Final = (b"x-sse-support", b"enabled")
DRAWN: Final[Mapping[Consent, Drawn]] = {
    Consent.NONE: by_nothing, Consent.MEASURE: by_visitor, Consent.PERSONAL: by_any_unit,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Payload:
    """What an SDK gets of all that is visible, from one change of traffic to the next."""

    visible: Visible
    since: float
    until: float
    kept: Kept
    said: Said  # the same for those who wait for changes of it
    features: bytes  # the experiments in it
    enrolling: tuple[tuple[str, int], ...] = ()  # key and phase of what SDKs may draw somebody into

    @classmethod
    def at(
        cls, now: float, visible: Visible, former: "Payload | None", consent: Consent = Consent.PERSONAL
    ) -> "Payload":
        """As of `now`, in epoch seconds, for who allows this; what the `former` said is not packed anew."""
        since, until = unchanged_around(visible, now)
        encoded = msgspec.json.encode(features(visible.servable, now, visible.secured, DRAWN[consent]))
        version, changed = hashlib.sha256(encoded).hexdigest()[:32].encode(), changed_ms(visible, since)
        etag = b'"%b-%x"' % (version, changed)  # of all that the body says, its date too
        enrolling = tuple((each.key, each.phase) for each in visible.running if not each.stage(now).closed)
        if former is not None and etag == former.kept.etag:
            return cls(visible, since, until, former.kept, former.said, encoded, enrolling)
        body = b'{"status":200,"features":%b,"dateUpdated":"%b"}' % (encoded, written(changed).encode())
        said = Said(version, b"id: %b\nevent: features\ndata: %b\n\n" % (version, body))
        return cls(visible, since, until, Kept(body, etag), said, encoded, enrolling)

    def holds(self, visible: Visible, now: float) -> bool:
        """Whether it is what those get who see this, at `now`."""
        return visible is self.visible and self.since <= now < self.until


@dataclass(frozen=True, slots=True)
class Edition:
    """The version of all answers to those who see the same, from one change of traffic to the next; since `updated`."""

    visible: Visible
    since: float
    until: float
    updated: str
    said: Said

    @classmethod
    def at(cls, now: float, visible: Visible, former: "Edition | None") -> "Edition":
        """As of `now`, in epoch seconds; while nothing changes, it says what the `former` said."""
        since, until = unchanged_around(visible, now)
        version, updated = evaluated(visible.servable, now), written(changed_ms(visible, since))
        if former is not None and version == former.said.version:
            return cls(visible, since, until, updated, former.said)
        event = b'id: %b\ndata: {"type":"refetchEvaluation","etag":"%b"}\n\n' % (version, version)
        return cls(visible, since, until, updated, Said(version, event))

    def holds(self, visible: Visible, now: float) -> bool:
        """Whether it is that of those who see this, at `now`."""
        return visible is self.visible and self.since <= now < self.until


class Payloads:
    """The payload by mode of consent, and the version of all that pages, or holders of secret keys, are answered.

    Each is made once, until what is seen or drawn changes. SDKs draw variants themselves, so whom nobody may draw gets
    nothing to draw from.
    """

    def __init__(self) -> None:
        self._payloads: dict[Consent, Payload] = {}
        self._editions: dict[bool, Edition] = {}

    def current(self, resources: Resources, consent: Consent, now: float) -> Payload:
        """What pages get now."""
        visible, payload = resources.visible_to(None, now), self._payloads.get(consent)
        if payload is None or not payload.holds(visible, now):
            payload = self._payloads[consent] = Payload.at(now, visible, payload, consent)
        return payload

    def edition(self, visible: Visible, now: float, *, secret: bool) -> Edition:
        """The version of what is answered to those who see this: pages, or who has a secret key."""
        edition = self._editions.get(secret)
        if edition is None or not edition.holds(visible, now):
            edition = self._editions[secret] = Edition.at(now, visible, edition)
        return edition


class Features:
    """`GET /api/features/{pk}`.

    What the address says is kept by caches with it; what cookies and headers say is for who sent them alone.
    """

    def __init__(self, payloads: Payloads) -> None:
        self._payloads = payloads

    def __call__(self, exchange: Exchange, resources: Resources, body: bytes) -> HttpAnswer:
        invalid = admit_sdk(exchange, resources, FEATURES_PREFIX)
        if invalid is not None:
            return invalid
        consent = resources.consent_of(exchange)
        payload = self._payloads.current(resources, consent, now_seconds())
        shared = consent is resources.consent.of_address(exchange.scope) and not exchange.notes  # a cookie is one's own
        resources.intake.evaluations.given("payload", payload.enrolling)
        headers = [(b"cache-control", CACHE_CONTROL if shared else PRIVATE)]
        if resources.streams.most:
            headers.append(SUPPORTS_STREAMS)
        return payload.kept.answer(exchange, headers=headers)


def admit_sdk(exchange: Exchange, resources: Resources, prefix: str) -> HttpAnswer | None:
    """Lets in who has a publishable key in the path, else says in GrowthBook's words that it is none."""
    key = exchange.scope["path"][len(prefix) :]
    try:
        admit_key(exchange, resources.access, key.encode(), in_address=True)
    except Problem as problem:
        if problem.status == 401:
            return HttpAnswer(400, msgspec.json.encode({"status": 400, "error": "Invalid API key"}), JSON_TYPE)
        raise
    return None


def unchanged_around(visible: Visible, now: float) -> tuple[float, float]:
    """The stretch of time around a moment in which no traffic changes."""
    moments = [moment for experiment in visible.servable for moment in experiment.changes]
    since = max((moment for moment in moments if moment <= now), default=-inf)
    return since, min((moment for moment in moments if moment > now), default=inf)


def changed_ms(visible: Visible, since: float) -> int:
    """When what is visible since then may have changed last, in epoch milliseconds: every worker says the same."""
    return round(max(since, visible.published) * 1_000)


def written(milliseconds: int) -> str:
    """A moment as GrowthBook writes it."""
    return iso(moment_of(milliseconds * 1_000), "milliseconds")
