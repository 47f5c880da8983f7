"""What pages are told of experiments, made from the one list of what they may see: as a payload, and as its version."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from typing import Final

import msgspec

from app.http.compression import Kept
from app.http.streams import Said
from app.worker.resources import Resources
from events.consent import Consent
from experiments.assignment.payload import Drawn, by_any_unit, by_nothing, by_visitor, evaluated, features
from experiments.catalog.visible import Visible

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
        """As of `now`, in epoch seconds, for who allows this; where it says what the `former` said, it is of the same
        date.
        """
        since, until = unchanged_around(visible, now)
        encoded = msgspec.json.encode(features(visible.servable, now, visible.secured, DRAWN[consent]))
        etag = b'"%b"' % hashlib.sha256(encoded).hexdigest()[:32].encode()
        enrolling = tuple((each.key, each.phase) for each in visible.running if not each.stage(now).closed)
        if former is not None and etag == former.kept.etag:
            return cls(visible, since, until, former.kept, former.said, encoded, enrolling)
        body = b'{"status":200,"features":%b,"dateUpdated":"%b"}' % (encoded, written_now())
        version = etag[1:-1]
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
    updated: bytes
    said: Said

    @classmethod
    def at(cls, now: float, visible: Visible, former: "Edition | None") -> "Edition":
        """As of `now`, in epoch seconds; where nothing changed since the `former`, it is of the same date."""
        since, until = unchanged_around(visible, now)
        version = evaluated(visible.servable, now)
        if former is not None and version == former.said.version:
            return cls(visible, since, until, former.updated, former.said)
        event = b'id: %b\ndata: {"type":"refetchEvaluation","etag":"%b"}\n\n' % (version, version)
        return cls(visible, since, until, written_now(), Said(version, event))

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


def unchanged_around(visible: Visible, now: float) -> tuple[float, float]:
    """The stretch of time around a moment in which no traffic changes."""
    moments = [moment for experiment in visible.servable for moment in experiment.changes]
    since = max((moment for moment in moments if moment <= now), default=-inf)
    return since, min((moment for moment in moments if moment > now), default=inf)


def written_now() -> bytes:
    """This moment as GrowthBook writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()
