"""OpenFeature's remote evaluation (OFREP 0.3.0): one flag, which enrols, or all of them, which never does."""

import hashlib
from typing import Any, Final

import msgspec

from app.delivery.payload import Payloads
from app.delivery.streams import ASKED_FOR, catch_up, event_streams
from app.http.admission import admit
from app.http.body import decode
from app.http.errors import OFREP_FLAGS, Problem
from app.http.exchange import Exchange, HttpAnswer, Reply, matches
from app.routes.evaluation import (
    EXPIRED,
    EXPOSE,
    NOBODY,
    REFUSED,
    SITE_ATTRIBUTE,
    Stems,
    Visitor,
    exposures,
    for_named_user,
    knowable,
    not_served,
    refused,
    shown_to,
    user_named,
    when_stored,
)
from app.worker.resources import Resources
from events.consent import NONE, PERSONAL
from events.dialects.validation import CONSENT_ATTRIBUTE, TOKEN_ATTRIBUTE, EventRefused, check_bounds
from experiments.assignment.assign import USER_ATTRIBUTE, Assignment, assign
from experiments.catalog.visible import Visible
from kit.time import SECOND_US, now_us
from kit.values import Unusable, identifier

CAUGHT_UP: Final = ASKED_FOR.encode()
TARGETING_KEY: Final = "targetingKey"


class EvaluationBody(msgspec.Struct, frozen=True):
    """The request body of both calls."""

    context: Any = None  # an object


DECODER: Final = msgspec.json.Decoder(EvaluationBody)


class Ofrep:
    """The two handlers, with the answers of what is visible kept ready."""

    def __init__(self, payloads: Payloads) -> None:
        self._stems = Stems(ofrep_stem)
        self._payloads = payloads

    def evaluate(self, exchange: Exchange, resources: Resources, body: bytes) -> Reply:
        """`POST /ofrep/v1/evaluate/flags/{key}`"""
        grant, time = admit(exchange, resources.access), now_us()
        now = time / SECOND_US
        visitor, context, token, repaired = read_context(decode(body, DECODER))
        consent = resources.consent_of(exchange, among=context.pop(CONSENT_ATTRIBUTE, None))
        context = context if consent is PERSONAL else knowable(context, consent)
        if grant.site is not None:
            context[SITE_ATTRIBUTE] = grant.site
        visible, forced, of_links = shown_to(exchange, resources, grant, consent, context, now)
        told = of_links + repaired
        key = exchange.scope["path"][len(OFREP_FLAGS) :]
        experiment = visible.compiled.get(key)
        if experiment is None:  # drafts and archived experiments are not found either
            raise not_found(visible, key, expired=of_links == EXPIRED)
        if consent is NONE:
            assignment, exposes = assign(experiment, NOBODY, context, now, forced), context.get(EXPOSE) is not False
            exposes = exposes and not assignment.forced
            if exposes:
                refused(resources, [assignment])
            stem = self._stems.of(visible, assignment) + told + (REFUSED if exposes else b"")
            return HttpAnswer(200, b"%b%b}}" % (stem, exchange.standing.told))
        assignment = assign(experiment, visitor, context, now, forced)
        stem = self._stems.of(visible, assignment) + told

        def answer() -> Reply:
            if not assignment.enrols or context.get(EXPOSE) is False:
                return HttpAnswer(200, b"%b%b}}" % (stem, exchange.standing.told))
            whom = Visitor.of(visitor, context, len(body), consent)
            shown = exposures(exchange, resources, "ofrep", whom, [assignment], time)
            return when_stored(
                resources, shown, lambda told: HttpAnswer(200, b"%b%b%b}}" % (stem, told[0], exchange.standing.told))
            )

        return for_named_user(exchange, resources, visitor, user_named(context), token, answer)

    def evaluate_all(self, exchange: Exchange, resources: Resources, body: bytes) -> Reply:
        """`POST /ofrep/v1/evaluate/flags`"""
        grant, time = admit(exchange, resources.access), now_us()
        now = time / SECOND_US
        visitor, context, token, repaired = read_context(decode(body, DECODER))
        consent = resources.consent_of(exchange, among=context.pop(CONSENT_ATTRIBUTE, None))
        context = context if consent is PERSONAL else knowable(context, consent)
        if grant.site is not None:
            context[SITE_ATTRIBUTE] = grant.site
        if CAUGHT_UP in exchange.scope["query_string"]:
            catch_up(exchange, resources, self._payloads, grant)
        visible, forced, told = shown_to(exchange, resources, grant, consent, context, now)
        streams = event_streams(exchange, resources, grant)
        visitor = NOBODY if consent is NONE else visitor
        assignments = [assign(experiment, visitor, context, now, forced) for experiment in visible.servable]
        enrolled = [(each.experiment, each.phase) for each in assignments if each.enrols]
        resources.intake.evaluations.add("ofrep_bulk", enrolled)
        flags = b",".join([self._stems.of(visible, assignment) + b"}}" for assignment in assignments])

        def answer() -> HttpAnswer:
            metadata = (told + repaired + exchange.standing.told)[1:]
            whole = b'{"flags":[%b],"metadata":{%b}%b}' % (flags, metadata, streams)
            etag = b'"%b"' % hashlib.sha256(whole).hexdigest()[:32].encode()
            headers = [(b"etag", etag), (b"cache-control", b"private, no-cache")]
            if matches(exchange.headers.get(b"if-none-match"), etag):
                return HttpAnswer(304, b"", headers=headers)
            return HttpAnswer(200, whole, headers=headers)

        return for_named_user(exchange, resources, visitor, user_named(context), token, answer)


def not_found(visible: Visible, key: str, *, expired: bool) -> Problem:
    """404 in OpenFeature's words; a preview link that is over is told of."""
    of_link = "; the preview link is over, or is not for this service" if expired else ""
    return Problem(404, "flag_not_found", not_served(visible, key) + of_link, ofrep_code="FLAG_NOT_FOUND")


def ofrep_stem(assignment: Assignment) -> bytes:
    """An OFREP success without its last `}}`."""
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


def read_context(body: EvaluationBody) -> tuple[str, dict[str, Any], Any, bytes]:
    """The visitor, the whole context, the token that was taken off it, and the member of the metadata, with a comma
    before it, that says of a user which can be no id why it was left out: a text, as OFREP has no lists there.

    Raises Problem 400 with OpenFeature's error code.
    """
    context: dict[str, Any] | None = body.context
    if type(context) is not dict:
        raise _invalid("INVALID_CONTEXT", "context: the body needs an object `context` with a `targetingKey`")
    visitor, repaired, wrong = identifier(context.get(TARGETING_KEY)), b"", ""
    if context.get(USER_ATTRIBUTE) is not None:
        user = identifier(context[USER_ATTRIBUTE])
        if isinstance(user, Unusable):
            wrong = f"context.user_id: {user.reason}"
            repaired = b',"repaired":' + msgspec.json.encode(wrong)
            del context[USER_ATTRIBUTE]
    if not isinstance(visitor, str):
        raise _no_visitor(visitor, wrong)
    try:
        check_bounds(context, "context")
    except EventRefused as refused:
        raise _invalid("INVALID_CONTEXT", refused.message) from None
    return visitor, context, context.pop(TOKEN_ATTRIBUTE, None), repaired


def _no_visitor(visitor: Unusable | None, wrong: str) -> Problem:
    """What is said where nobody is named that can be evaluated, with what is wrong with the user."""
    also = f"; {wrong}" if wrong else ""
    if visitor is None:
        return _invalid("TARGETING_KEY_MISSING", f"context.targetingKey is missing; send the visitor's id{also}")
    return _invalid("INVALID_CONTEXT", f"context.targetingKey: {visitor.reason}{also}")


def _invalid(ofrep_code: str, detail: str) -> Problem:
    return Problem(400, ofrep_code.lower(), detail, ofrep_code=ofrep_code)
