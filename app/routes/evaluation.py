"""What every evaluation shares: answers kept ready per catalogue, forced variants, exposures for the log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from app.http.exchange import Exchange
from app.worker.resources import Resources
from events.dialects.segment import EXPERIMENT_VIEWED
from events.dialects.user_agents import Client, client
from events.records import EXPOSURE, ExposureSource, Record
from events.store.availability import StoreUnavailable
from experiments.assignment.assign import Assignment
from experiments.catalog.catalog import Catalog
from kit.time import now_us

FORCE: Final = "resonate_force"
FORCE_ATTRIBUTE: Final = "resonate.force"
MAX_UNKNOWN: Final = 1_000
LOGGED: Final = b"logged"
UNLOGGED: Final = b"unlogged"


@dataclass(frozen=True, slots=True)
class Unit:
    """The visitor of an evaluation, and the user where one is logged in."""

    visitor_id: str
    user_id: str | None


@dataclass(frozen=True, slots=True)
class Exposing:
    """What is about to be exposed: by which call, to whom, decided on what."""

    source: ExposureSource
    unit: Unit
    attributes: dict[str, Any] | None
    assignments: Sequence[Assignment]


@dataclass(frozen=True, slots=True)
class Exposed:
    """What became of the exposures of one evaluation, with the message id of each, in order."""

    outcome: bytes  # LOGGED | UNLOGGED
    ids: list[str]


class CatalogStems:
    """Encoded answers of one catalogue, up to the two braces that close them: few distinct ones are ever given."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._ofrep: dict[tuple[Any, ...], bytes] = {}
        self._ours: dict[tuple[Any, ...], bytes] = {}
        self._unknown: dict[str, str] = {}  # looked up once, because searching for what was meant takes a millisecond

    def ofrep(self, assignment: Assignment) -> bytes:
        """An OFREP success without its last `}}`."""
        key = _key(assignment)
        stem = self._ofrep.get(key)
        if stem is None:
            stem = self._ofrep[key] = _ofrep_stem(assignment)
        return stem

    def not_served(self, key: str) -> str:
        """What is said of a key that is not served, with the one that was probably meant."""
        said = self._unknown.get(key)
        if said is None:
            while len(self._unknown) >= MAX_UNKNOWN:
                del self._unknown[next(iter(self._unknown))]
            near = get_close_matches(key[:100], self.catalog.compiled.keys(), n=1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            said = self._unknown[key] = f"no experiment {key[:100]!r} is served here{meant}"
        return said

    def ours(self, assignment: Assignment) -> bytes:
        """`"key":{…` of /v1/personalize without its last `}`."""
        key = _key(assignment)
        stem = self._ours.get(key)
        if stem is None:
            stem = self._ours[key] = _our_stem(assignment)
        return stem


class Stems:
    """The stems of the catalogue that is live."""

    def __init__(self) -> None:
        self._current: CatalogStems | None = None

    def of(self, catalog: Catalog) -> CatalogStems:
        current = self._current
        if current is None or current.catalog is not catalog:
            current = self._current = CatalogStems(catalog)
        return current


def unit_of(visitor: str, attributes: Mapping[str, Any]) -> Unit:
    """The visitor and the `user_id` among the attributes; a number counts as its text, as SDKs hash it."""
    user = attributes.get("user_id")
    return Unit(visitor, user if user is None or type(user) is str else str(user))


def forced_variants(exchange: Exchange, attributes: Mapping[str, Any]) -> dict[str, str] | None:
    """Previews asked for by `?resonate_force=KEY:VARIANT` or the attribute `resonate.force`; never exposures."""
    query = exchange.scope["query_string"]
    texts: list[str] = []
    if query and FORCE.encode() in query:
        pairs = parse_qsl(query.decode("latin-1"), max_num_fields=100)
        texts = [value for name, value in pairs if name == FORCE]
    attribute = attributes.get(FORCE_ATTRIBUTE)
    if type(attribute) is str:
        texts.append(attribute)
    if not texts:
        return None
    return dict(_pair(text) for part in texts for text in part.split(","))


async def expose(exchange: Exchange, resources: Resources, exposing: Exposing) -> Exposed:
    """Stores one exposure for each assignment and tells whether the log has them."""
    backend = exchange.grant is not None and exchange.grant.secret
    machine = visitor_client(exchange, exposing.attributes, backend)
    records = [exposure(next(resources.access.ids), each, exposing, machine, backend) for each in exposing.assignments]
    outcome = LOGGED
    try:
        await resources.stream.append(records)
    except StoreUnavailable:
        resources.telemetry.store_refused()
        outcome = UNLOGGED
    resources.telemetry.exposures(outcome is LOGGED, len(records))
    return Exposed(outcome, [record.message_id for record in records])


def exposure(message_id: str, assignment: Assignment, exposing: Exposing, machine: Client, backend: bool) -> Record:
    """The fact that this unit was shown this variant now."""
    given = exposing.attributes or {}
    device, country = given.get("device"), given.get("country")
    return Record(
        message_id=message_id,
        type=EXPOSURE,
        event=EXPERIMENT_VIEWED,
        visitor_id=exposing.unit.visitor_id,
        user_id=exposing.unit.user_id,
        time=now_us(),
        experiment=assignment.experiment,
        variant=assignment.variant,
        phase=assignment.phase,
        propensity=assignment.propensity,
        exposure_source=exposing.source,
        device=device if type(device) is str else machine.device,
        country=country if type(country) is str else None,
        bot=machine.bot,
        backend=backend,
        properties=exposing.attributes or None,
    )


def visitor_client(exchange: Exchange, attributes: Mapping[str, Any] | None, backend: bool) -> Client:
    """The visitor's client: of a page its own user agent, of a backend what it says in the attribute `userAgent`."""
    told = (attributes or {}).get("userAgent")
    text = told if type(told) is str else ""
    if not text and not backend:
        text = exchange.user_agent
    return client(text)


def _pair(text: str) -> tuple[str, str]:
    key, _, variant = text.partition(":")
    return key, variant


def _key(assignment: Assignment) -> tuple[Any, ...]:
    return (
        assignment.experiment,
        assignment.variant,
        assignment.reason,
        assignment.because,
        assignment.forced,
        assignment.in_experiment,
    )


def _ofrep_stem(assignment: Assignment) -> bytes:
    metadata: dict[str, Any] = {"in_experiment": assignment.in_experiment, "phase": assignment.phase}
    if assignment.because is not None:
        metadata["because"] = assignment.because
    if assignment.forced:
        metadata["forced"] = True
    answer: dict[str, Any] = {"key": assignment.experiment, "value": assignment.payload}
    if assignment.payload is None:  # OFREP has no null: the client falls back to the default in its own code
        del answer["value"]
    answer |= {"reason": str(assignment.reason), "variant": assignment.variant, "metadata": metadata}
    return msgspec.json.encode(answer)[:-2]


def _our_stem(assignment: Assignment) -> bytes:
    answer: dict[str, Any] = {
        "variant": assignment.variant,
        "payload": assignment.payload,
        "in_experiment": assignment.in_experiment,
        "reason": str(assignment.reason),
    }
    if assignment.because is not None:
        answer["because"] = assignment.because
    if assignment.forced:
        answer["forced"] = True
    return msgspec.json.encode(assignment.experiment) + b":" + msgspec.json.encode(answer)[:-1]
