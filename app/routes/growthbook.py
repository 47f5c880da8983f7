"""What GrowthBook's SDKs ask of the service beside its payload: values for one visitor, and a place for their events.

Remote evaluation counts as evaluation, never as exposure: the SDK reports what it shows by the `tracks` beside a value.
"""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import msgspec

from app.delivery.payload import Payloads, admit_sdk
from app.http.admission import admit
from app.http.body import decode
from app.http.errors import JSON_TYPE, Problem, unreadable
from app.http.exchange import NEVER_STORED, Exchange, HttpAnswer, Reply
from app.intake.forms import unwrapped
from app.intake.tracking import arrival, store
from app.routes.evaluation import (
    FORCE,
    FORCE_ATTRIBUTE,
    LINK,
    LINK_ATTRIBUTE,
    NOBODY,
    SITE_ATTRIBUTE,
    knowable,
    shown_to,
)
from app.worker.resources import Resources
from events.consent import NONE, PERSONAL
from events.dialects.growthbook import read_events
from events.dialects.segment import BatchTooLarge
from events.dialects.validation import CONSENT_ATTRIBUTE, TOKEN_ATTRIBUTE, EventRefused, check_bounds
from experiments.assignment.assign import VISITOR_ATTRIBUTE, Assignment, CompiledExperiment, assign
from experiments.catalog.visible import Visible
from kit.time import now_seconds
from kit.values import identifier

EVAL_PREFIX: Final = "/api/eval/"
URL_ATTRIBUTE: Final = "url"
EVENTS: Final = msgspec.json.Decoder(list[msgspec.Raw] | dict[str, Any])
MOST_FORCED: Final = 1_000


class RemoteEvaluationBody(msgspec.Struct, frozen=True):
    """What an SDK knows of its visitor; `forcedFeatures` are pairs of a key and a value.

    What nobody needs for an answer is left out where it cannot be read. PHP writes an object without members as a list.
    """

    attributes: dict[str, Any] | list[Any] | None = None
    forcedVariations: Any = None
    forcedFeatures: Any = None
    url: Any = None


DECODER: Final = msgspec.json.Decoder(RemoteEvaluationBody)


class RemoteEvaluation:
    """`POST /api/eval/{pk}`: what one visitor gets, and nothing of who else gets what."""

    def __init__(self, payloads: Payloads) -> None:
        self._payloads = payloads

    def __call__(self, exchange: Exchange, resources: Resources, body: bytes) -> HttpAnswer:
        invalid = admit_sdk(exchange, resources, EVAL_PREFIX)
        if invalid is not None or exchange.grant is None:
            return invalid or HttpAnswer(400, b"")
        asked, grant, now = decode(body, DECODER), exchange.grant, now_seconds()
        visitor, attributes = read_attributes(asked)
        consent = resources.consent_of(exchange, among=attributes.pop(CONSENT_ATTRIBUTE, None))
        attributes = attributes if consent is PERSONAL else knowable(attributes, consent)
        if grant.site is not None:
            attributes[SITE_ATTRIBUTE] = grant.site
        visible, shown, _ = shown_to(exchange, resources, grant, consent, attributes, now)
        forced = forced_variations(visible, None if consent is NONE else asked.forcedVariations) | dict(shown or {})
        values = forced_values(None if consent is NONE else asked.forcedFeatures)
        visitor = NOBODY if consent is NONE else visitor
        features: dict[str, Any] = {}
        enrolled: list[tuple[str, int]] = []
        for experiment in visible.servable:
            if experiment.key in values:
                features[experiment.key] = told(values[experiment.key])
            else:
                assignment = assign(experiment, visitor, attributes, now, forced)
                features[experiment.key] = feature(experiment, assignment)
                if assignment.enrols:
                    enrolled.append((experiment.key, experiment.phase))
        resources.intake.evaluations.add("api_eval", enrolled)
        edition = self._payloads.edition(resources.visible_to(grant, now), now, secret=grant.secret)
        answer = {"status": 200, "features": features, "dateUpdated": edition.updated}
        return HttpAnswer(200, msgspec.json.encode(answer), JSON_TYPE, [NEVER_STORED])


def read_attributes(asked: RemoteEvaluationBody) -> tuple[str, dict[str, Any]]:
    """The visitor, NOBODY where none can be told, and the attributes within their bounds, with what the address of the
    page says of previews. Raises Problem 400.
    """
    if asked.attributes and type(asked.attributes) is list:
        raise Problem(400, "invalid_attributes", "attributes: it must be an object, this is a list")
    attributes = dict(asked.attributes or {})
    attributes.pop(TOKEN_ATTRIBUTE, None)
    try:
        check_bounds(attributes, "attributes")
    except EventRefused as refused:
        raise Problem(400, "invalid_attributes", refused.message) from None
    if asked.url and type(asked.url) is str:
        attributes.setdefault(URL_ATTRIBUTE, asked.url)
        wished = dict(parse_qsl(urlsplit_or_nothing(asked.url)))
        attributes |= {
            name: wished[parameter]
            for parameter, name in ((FORCE, FORCE_ATTRIBUTE), (LINK, LINK_ATTRIBUTE))
            if parameter in wished
        }
    visitor = identifier(attributes.get(VISITOR_ATTRIBUTE))
    return visitor if type(visitor) is str else NOBODY, attributes


def urlsplit_or_nothing(url: str) -> str:
    """The query of an address; empty of what is none."""
    try:
        return urlsplit(url).query
    except ValueError:
        return ""


def forced_variations(visible: Visible, wished: Any) -> dict[str, str]:
    """The variants that a developer's tool names by number, of experiments that pages may force."""
    found: dict[str, str] = {}
    for key, number in wished.items() if type(wished) is dict else ():
        experiment = visible.compiled.get(key) if key in visible.forcible else None
        if experiment is not None and type(number) is int and 0 <= number < len(experiment.variants):
            found[key] = experiment.variants[number].key
    return found


def forced_values(wished: Any) -> dict[str, Any]:
    """The values that a developer's tool wishes for by key."""
    pairs: list[Any] = wished[:MOST_FORCED] if type(wished) is list else []
    pairs = [pair for pair in pairs if type(pair) is list and len(pair) == 2 and type(pair[0]) is str]
    return {pair[0]: pair[1] for pair in pairs}


def told(value: Any, tracks: Sequence[Any] = ()) -> dict[str, Any]:
    """A value that holds for this visitor, whatever the SDK thinks of them."""
    rule: dict[str, Any] = {"force": value}
    return {"defaultValue": value, "rules": [{**rule, "tracks": tracks} if tracks else rule]}


def feature(experiment: CompiledExperiment, assignment: Assignment) -> dict[str, Any]:
    """What the visitor gets of an experiment; who is in it is tracked by the SDK."""
    value = assignment.payload
    if not assignment.enrols:
        drawn = assignment.forced or experiment.shipped is not None
        return told(value) if drawn else {"defaultValue": value, "rules": []}
    place = next(place for place, each in enumerate(experiment.variants) if each.key == assignment.variant)
    result = {
        "variationId": place,
        "key": assignment.variant,
        "value": value,
        "inExperiment": True,
        "hashUsed": True,
        "hashAttribute": experiment.hash_attribute,
        "hashValue": assignment.unit,
        "featureId": experiment.key,
        "stickyBucketUsed": False,
    }
    ran = {"key": experiment.key, "phase": str(experiment.phase), "variations": []}  # the Python SDK asks for a list
    return told(value, [{"experiment": ran, "result": result}])


def ingest(exchange: Exchange, resources: Resources, body: bytes) -> Reply:
    """`POST /track?client_key=`; success means durable, as everywhere."""
    grant = admit(exchange, resources.access)
    if body[:1] not in (b"[", b"{"):
        body, _ = unwrapped(body, exchange.headers.get(b"content-type", b""))
    items = decode(body, EVENTS)
    if not isinstance(items, list):  # one event alone, or `{"events": […]}`
        inner = items.get("events", [items] if "event_name" in items else None)
        if type(inner) is not list:
            raise unreadable("the body must be a JSON array of events")
        items = [msgspec.Raw(msgspec.json.encode(item)) for item in inner]
    named = resources.users.named_by_events(exchange.user_token)
    try:
        reading = read_events(items, arrival(exchange, resources, grant, named))
    except BatchTooLarge as error:
        raise Problem(413, "batch_too_large", str(error)) from None
    return store(exchange, reading, resources, grant, named)
