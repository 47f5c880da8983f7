"""OpenFeature's remote evaluation (OFREP 0.3.0): one flag, which enrols, or all of them, which never does."""

import hashlib
import time
from typing import Any, Final

import msgspec

from app.http.admission import admit
from app.http.body import decode
from app.http.errors import Problem
from app.http.exchange import Answer, Exchange, Pending, matches
from app.routes.evaluation import Exposing, Stems, expose, forced_variants, unit_of
from app.worker.resources import Resources
from events.dialects.validation import Refused, check_bounds, id_problem
from experiments.assignment.assign import assign

PREFIX: Final = "/ofrep/v1/evaluate/flags/"
EXPOSE: Final = "resonate.expose"
TARGETING_KEY: Final = "targetingKey"


class EvaluationBody(msgspec.Struct, frozen=True):
    """The request body of both calls."""

    context: dict[str, Any] | None = None


DECODER: Final = msgspec.json.Decoder(EvaluationBody)


class Ofrep:
    """The two handlers, with the answers of the current catalogue kept ready."""

    def __init__(self) -> None:
        self._stems = Stems()

    def evaluate(self, exchange: Exchange, resources: Resources, body: bytes) -> Answer | Pending:
        """`POST /ofrep/v1/evaluate/flags/{key}`"""
        key = exchange.scope["path"][len(PREFIX) :]
        try:
            admit(exchange, resources.access)
            return self._evaluate(key, exchange, resources, body)
        except Problem as problem:
            problem.flag = key[:128]
            raise

    def evaluate_all(self, exchange: Exchange, resources: Resources, body: bytes) -> Answer:
        """`POST /ofrep/v1/evaluate/flags`"""
        admit(exchange, resources.access)
        visitor, context = read_context(decode(body, DECODER))
        catalog = resources.catalogs.catalog
        stems = self._stems.of(catalog)
        forced = forced_variants(exchange, context)
        now = time.time()
        flags = [stems.ofrep(assign(experiment, visitor, context, now, forced)) for experiment in catalog.servable]
        return _bulk_answer(b"}},".join(flags) + b"}}" if flags else b"", exchange)

    def _evaluate(self, key: str, exchange: Exchange, resources: Resources, body: bytes) -> Answer | Pending:
        visitor, context = read_context(decode(body, DECODER))
        catalog = resources.catalogs.catalog
        experiment = catalog.compiled.get(key)
        if experiment is None:
            raise flag_not_found(key, self._stems.of(catalog).not_served(key))
        assignment = assign(experiment, visitor, context, time.time(), forced_variants(exchange, context))
        stem = self._stems.of(catalog).ofrep(assignment)
        if not assignment.enrols or context.get(EXPOSE) is False:
            return Answer(200, stem + b"}}")
        exposing = Exposing("ofrep", unit_of(visitor, context), exposed_attributes(context, len(body)), [assignment])
        return _exposed(exchange, resources, stem, exposing)


async def _exposed(exchange: Exchange, resources: Resources, stem: bytes, exposing: Exposing) -> Answer:
    exposed = await expose(exchange, resources, exposing)
    told = b',"exposure":"%b","exposure_id":"%b"}}' % (exposed.outcome, exposed.ids[0].encode())
    return Answer(200, stem + told)


def read_context(body: EvaluationBody) -> tuple[str, dict[str, Any]]:
    """The visitor and the whole context. Raises Problem 400 with OpenFeature's error code."""
    context = body.context
    if context is None:
        raise _invalid("INVALID_CONTEXT", "context: the body needs an object `context` with a `targetingKey`")
    visitor = context.get(TARGETING_KEY)
    if visitor is None or visitor == "":
        raise _invalid("TARGETING_KEY_MISSING", "context.targetingKey is missing; send the visitor's id")
    if type(visitor) is not str:
        raise _invalid("INVALID_CONTEXT", "context.targetingKey must be text")
    problem = id_problem(visitor)
    if problem is not None:
        raise _invalid("INVALID_CONTEXT", f"context.targetingKey: {problem}")
    check_user(context.get("user_id"), "context.user_id")
    try:
        check_bounds(context, "context")
    except Refused as refused:
        raise _invalid("INVALID_CONTEXT", refused.message) from None
    return visitor, context


def check_user(user: Any, field: str) -> None:
    """A user id follows the rules of ids too; null is nobody. Raises Problem 400."""
    if user is None or type(user) is int:
        return
    problem = id_problem(user) if type(user) is str else "it must be text"
    if problem is not None:
        raise _invalid("INVALID_CONTEXT", f"{field}: {problem}")


def exposed_attributes(context: dict[str, Any], size: int) -> dict[str, Any] | None:
    """The attributes a decision rested on, as the log keeps them; none where they are larger than an event may be."""
    if size > MAX_ATTRIBUTES:
        return None
    return {name: value for name, value in context.items() if name not in _NO_ATTRIBUTES}


def flag_not_found(key: str, detail: str) -> Problem:
    """404, in OpenFeature's words; drafts and archived experiments are not found either."""
    return Problem(404, "flag_not_found", detail, ofrep_code="FLAG_NOT_FOUND", flag=key)


MAX_ATTRIBUTES: Final = 32_768
_NO_ATTRIBUTES: Final = frozenset({TARGETING_KEY, "user_id", EXPOSE, "resonate.force"})


def _bulk_answer(flags: bytes, exchange: Exchange) -> Answer:
    etag = b'"%b"' % hashlib.sha256(flags).hexdigest()[:32].encode()
    headers = [(b"etag", etag), (b"cache-control", b"private, no-cache")]
    if matches(exchange.headers.get(b"if-none-match"), etag):
        return Answer(304, b"", headers=headers)
    return Answer(200, b'{"flags":[%b],"metadata":{}}' % flags, headers=headers)


def _invalid(ofrep_code: str, detail: str) -> Problem:
    return Problem(400, ofrep_code.lower(), detail, ofrep_code=ofrep_code)
