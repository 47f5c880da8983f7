"""`POST /v1/personalize`: every message and product list of one page view in one call."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from app.http.admission import admit
from app.http.body import decode
from app.http.errors import Problem
from app.http.exchange import Answer, Exchange, Pending
from app.routes.evaluation import CatalogStems, Exposing, Stems, Unit, expose, forced_variants
from app.routes.ofrep import check_user, exposed_attributes
from app.worker.resources import Resources
from events.dialects.validation import Refused, check_bounds, id_problem
from experiments.assignment.assign import Assignment, assign
from experiments.catalog.catalog import Catalog

MAX_EXPERIMENTS: Final = 200
MAX_SLOTS: Final = 20
MAX_ITEMS: Final = 100
MAX_LIMIT: Final = 100


class SlotRequest(msgspec.Struct, frozen=True):
    """One list of products: the slot, the products of the page or cart, how many."""

    slot: str
    items: list[str] | None = None
    limit: int | float | None = None


class PersonalizeBody(msgspec.Struct, frozen=True):
    """The request body; null is the same as absent."""

    visitor_id: str
    user_id: str | int | None = None
    attributes: dict[str, Any] | None = None
    experiments: list[str] | None = None
    recommendations: list[SlotRequest] | None = None
    expose: bool | None = None


DECODER: Final = msgspec.json.Decoder(PersonalizeBody)


@dataclass(frozen=True, slots=True)
class View:
    """One page view, evaluated: what each experiment answers, and which keys nobody knows."""

    body: PersonalizeBody
    catalog: Catalog
    assignments: Sequence[Assignment]
    unknown: Sequence[str]


class Personalize:
    """The handler, with the answers of the current catalogue kept ready."""

    def __init__(self) -> None:
        self._stems = Stems()

    def __call__(self, exchange: Exchange, resources: Resources, raw: bytes) -> Answer | Pending:
        admit(exchange, resources.access)
        body = decode(raw, DECODER)
        attributes = _attributes(body)
        catalog = resources.catalogs.catalog
        assignments, unknown = _assignments(exchange, catalog, body, attributes)
        view = View(body, catalog, assignments, unknown)
        exposing = _exposing(body, assignments)
        if not exposing and not body.recommendations:
            return self._answer(view, {}, {})
        kept = exposed_attributes(attributes, len(raw))
        unit = Unit(body.visitor_id, _user_text(body.user_id))
        return self._slow(exchange, resources, view, Exposing("personalize", unit, kept, exposing))

    async def _slow(self, exchange: Exchange, resources: Resources, view: View, exposing: Exposing) -> Answer:
        """What waits: for the log, and for recommendations."""
        told: dict[str, bytes] = {}
        if exposing.assignments:
            exposed = await expose(exchange, resources, exposing)
            for assignment, exposure_id in zip(exposing.assignments, exposed.ids, strict=True):
                ending = b',"exposure":"%b","exposure_id":"%b"' % (exposed.outcome, exposure_id.encode())
                told[assignment.experiment] = ending
        return self._answer(view, told, await _recommendations(resources, view))

    def _answer(self, view: View, told: Mapping[str, bytes], lists: Mapping[str, Any]) -> Answer:
        stems = self._stems.of(view.catalog)
        messages = b"},".join([stems.ours(each) + told.get(each.experiment, b"") for each in view.assignments])
        return Answer(200, _body(messages, lists, view.unknown, stems))


def _attributes(body: PersonalizeBody) -> dict[str, Any]:
    """The attributes with the user among them, once everything in the body is within its limits."""
    problem = id_problem(body.visitor_id)
    if problem is not None:
        raise Problem(400, "invalid_id", f"visitor_id: {problem}")
    if type(body.user_id) is str:
        check_user(body.user_id, "user_id")
    attributes = body.attributes or {}
    try:
        check_bounds(attributes, "attributes")
    except Refused as refused:
        raise Problem(400, refused.code, refused.message) from None
    if body.experiments is not None and len(body.experiments) > MAX_EXPERIMENTS:
        raise Problem(400, "too_many_experiments", f"experiments: at most {MAX_EXPERIMENTS} keys")
    if body.user_id is None:
        return attributes
    return {**attributes, "user_id": body.user_id}


def _assignments(
    exchange: Exchange, catalog: Catalog, body: PersonalizeBody, attributes: dict[str, Any]
) -> tuple[list[Assignment], list[str]]:
    """The assignments asked for (all that run or were shipped where none is named), and keys that are not served."""
    forced = forced_variants(exchange, attributes)
    now = time.time()
    if body.experiments is None:
        everything = [assign(each, body.visitor_id, attributes, now, forced) for each in catalog.shown]
        return everything, []
    named = dict.fromkeys(body.experiments)
    found = [catalog.compiled[key] for key in named if key in catalog.compiled]
    unknown = [key for key in named if key not in catalog.compiled]
    return [assign(each, body.visitor_id, attributes, now, forced) for each in found], unknown


def _exposing(body: PersonalizeBody, assignments: Sequence[Assignment]) -> list[Assignment]:
    """Evaluating is not seeing: only experiments that were named expose, unless the caller says otherwise."""
    wanted = body.experiments is not None if body.expose is None else body.expose
    return [assignment for assignment in assignments if assignment.enrols] if wanted else []


def _user_text(user: str | int | None) -> str | None:
    return user if user is None or isinstance(user, str) else str(user)


async def _recommendations(resources: Resources, view: View) -> Mapping[str, Any]:
    asked = view.body.recommendations or []
    if len(asked) > MAX_SLOTS:
        raise Problem(400, "too_many_slots", f"recommendations: at most {MAX_SLOTS} slots")
    return {slot.slot: await _product_list(resources, slot, view) for slot in asked}


async def _product_list(resources: Resources, slot: SlotRequest, view: View) -> Mapping[str, Any]:
    items = slot.items or []
    limit = MAX_LIMIT if slot.limit is None else int(slot.limit)  # 5.0 is a whole number too, in JSON
    if len(items) > MAX_ITEMS or not 1 <= limit <= MAX_LIMIT or slot.limit not in (None, limit):
        raise Problem(400, "invalid_slot", f"recommendations: at most {MAX_ITEMS} items, limit from 1 to {MAX_LIMIT}")
    request: dict[str, Any] = {"visitor_id": view.body.visitor_id, "slot": slot.slot, "items": items}
    if view.body.user_id is not None:
        request["user_id"] = _user_text(view.body.user_id)
    if slot.limit is not None:
        request["limit"] = limit
    request |= _strategy_under_test(slot.slot, view.catalog, view.assignments)
    return await resources.recommender.recommend(request)


def _strategy_under_test(slot: str, catalog: Catalog, assignments: Sequence[Assignment]) -> dict[str, Any]:
    """What the variants that this visitor got say about the slot: a strategy may be what an experiment tests."""
    chosen: dict[str, Any] = {}
    for assignment in assignments:
        for variant in catalog.compiled[assignment.experiment].definition.variants:
            recommend = variant.recommend
            if variant.key == assignment.variant and recommend is not None and recommend.slot == slot:
                chosen |= {"strategy": recommend.strategy, "limit": recommend.limit}
    return {name: value for name, value in chosen.items() if value is not None}


def _body(messages: bytes, lists: Mapping[str, Any], unknown: Sequence[str], stems: CatalogStems) -> bytes:
    body = b'{"experiments":{%b},"recommendations":%b' % (
        messages + b"}" if messages else b"",
        msgspec.json.encode(lists),
    )
    if not unknown:
        return body + b"}"
    errors = {key[:100]: {"code": "unknown_experiment", "message": stems.not_served(key)} for key in unknown}
    return body + b',"errors":%b}' % msgspec.json.encode(errors)
