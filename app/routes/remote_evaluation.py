"""`POST /api/eval/{pk}`: what one visitor gets, in GrowthBook's words, and nothing of who else gets what.

It counts as evaluation, never as exposure: the SDK reports what it shows by the `tracks` beside a value.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import msgspec

from app.http.body import decode
from app.http.errors import JSON_TYPE, Problem
from app.http.exchange import NEVER_STORED, Exchange, HttpAnswer
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
from app.routes.growthbook import admit_sdk
from app.routes.payload import Payloads
from app.worker.resources import Resources
from events.consent import NONE, PERSONAL
from events.dialects.validation import CONSENT_ATTRIBUTE, TOKEN_ATTRIBUTE, EventRefused, check_bounds
from experiments.assignment.assign import VISITOR_ATTRIBUTE, Assignment, CompiledExperiment, assign
from experiments.assignment.bucketing import unit_text
from experiments.catalog.visible import Visible

EVAL_PREFIX: Final = "/api/eval/"
URL_ATTRIBUTE: Final = "url"
MOST_FORCED: Final = 1_000


class RemoteEvaluationBody(msgspec.Struct, frozen=True):
    """What an SDK knows of its visitor; `forcedFeatures` are pairs of a key and a value."""

    attributes: dict[str, Any] | None = None
    forcedVariations: dict[str, Any] | None = None
    forcedFeatures: list[Any] | None = None
    url: str | None = None


DECODER: Final = msgspec.json.Decoder(RemoteEvaluationBody)


class RemoteEvaluation:
    """The handler, with the version that its answers share with payload and streams."""

    def __init__(self, payloads: Payloads) -> None:
        self._payloads = payloads

    def __call__(self, exchange: Exchange, resources: Resources, body: bytes) -> HttpAnswer:
        invalid = admit_sdk(exchange, resources, EVAL_PREFIX)
        if invalid is not None or exchange.grant is None:
            return invalid or HttpAnswer(400, b"")
        asked, grant, now = decode(body, DECODER), exchange.grant, time.time()
        attributes = read_attributes(asked)
        consent = resources.consent_of(exchange, among=attributes.pop(CONSENT_ATTRIBUTE, None))
        attributes = attributes if consent is PERSONAL else knowable(attributes, consent)
        if grant.site is not None:
            attributes[SITE_ATTRIBUTE] = grant.site
        visible, shown, _ = shown_to(exchange, resources, grant, consent, attributes, now)
        forced = forced_variations(visible, {} if consent is NONE else asked.forcedVariations or {}) | dict(shown or {})
        values = {} if consent is NONE else forced_values(asked.forcedFeatures or ())
        visitor = NOBODY if consent is NONE else unit_text(attributes.get(VISITOR_ATTRIBUTE)) or NOBODY
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
        answer = {"status": 200, "features": features, "dateUpdated": edition.updated.decode()}
        return HttpAnswer(200, msgspec.json.encode(answer), JSON_TYPE, [NEVER_STORED])


def read_attributes(asked: RemoteEvaluationBody) -> dict[str, Any]:
    """The attributes within their bounds, and what the address of the page says of previews. Raises Problem 400."""
    attributes = dict(asked.attributes or {})
    attributes.pop(TOKEN_ATTRIBUTE, None)
    try:
        check_bounds(attributes, "attributes")
    except EventRefused as refused:
        raise Problem(400, "invalid_attributes", refused.message) from None
    if asked.url:
        attributes.setdefault(URL_ATTRIBUTE, asked.url)
        wished = dict(parse_qsl(urlsplit_or_nothing(asked.url)))
        attributes |= {
            name: wished[parameter]
            for parameter, name in ((FORCE, FORCE_ATTRIBUTE), (LINK, LINK_ATTRIBUTE))
            if parameter in wished
        }
    return attributes


def urlsplit_or_nothing(url: str) -> str:
    """The query of an address; empty of what is none."""
    try:
        return urlsplit(url).query
    except ValueError:
        return ""


def forced_variations(visible: Visible, wished: Mapping[str, Any]) -> dict[str, str]:
    """The variants that a developer's tool names by number, of experiments that pages may force."""
    found: dict[str, str] = {}
    for key, number in wished.items():
        experiment = visible.compiled.get(key) if key in visible.forcible else None
        if experiment is not None and type(number) is int and 0 <= number < len(experiment.variants):
            found[key] = experiment.variants[number].key
    return found


def forced_values(pairs: Sequence[Any]) -> dict[str, Any]:
    """The values that a developer's tool wishes for by key."""
    pairs = [pair for pair in pairs[:MOST_FORCED] if type(pair) is list and len(pair) == 2 and type(pair[0]) is str]
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
