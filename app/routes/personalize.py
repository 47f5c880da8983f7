"""`POST /v1/personalize`: every message and product list of one page view in one call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from app.http.access import Grant
from app.http.admission import admit
from app.http.body import ToldPeople, decode, told_ids, told_people
from app.http.errors import Problem
from app.http.exchange import Exchange, HttpAnswer, Reply
from app.identity.people import people_asking
from app.routes.evaluation import (
    FORCE,
    LINK,
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
    store_exposures,
    user_named,
    when_stored,
)
from app.routes.visitor import Asking, asking
from app.worker.recommendations import ListAnswer
from app.worker.resources import Resources
from events.consent import Consent
from events.dialects.validation import CONSENT_ATTRIBUTE, TOKEN_ATTRIBUTE, EventRefused, check_bounds
from events.records import Record
from experiments.assignment.assign import USER_ATTRIBUTE, Assignment, assign
from experiments.catalog.visible import Visible
from kit.time import now_seconds, now_us
from recommender.ranking.request import ListRequest

MAX_EXPERIMENTS: Final = 200
MAX_SLOTS: Final = 20
MAX_ITEMS: Final = 100
MAX_LIMIT: Final = 100
MAX_SLOT: Final = 100
PARAMETERS: Final = (FORCE, LINK)  # of the query


class SlotRequest(msgspec.Struct, frozen=True):
    """One list of products: the slot, the products of the page or cart, how many."""

    slot: str
    items: list[Any] | None = None
    limit: int | float | None = None


class PersonalizeBody(msgspec.Struct, frozen=True):
    """The request body; null is the same as absent."""

    visitor_id: Any = None  # ids are read where all others are
    user_id: Any = None
    attributes: dict[str, Any] | None = None
    experiments: list[str] | None = None
    recommendations: list[SlotRequest] | None = None
    expose: bool | None = None
    consent: Any = None  # its words are checked where those of headers are
    user_token: Any = None  # of whatever type: one that proves nothing refuses nothing


DECODER: Final = msgspec.json.Decoder(PersonalizeBody)


@dataclass(frozen=True, slots=True)
class PageView:
    """One page view, checked and evaluated: what each experiment answers, which keys are not known, the lists by slot.

    `enrolling` are the assignments that are shown, so that the log must know of them; `refusing` is what is said of
    those that are shown to somebody of whom it may know nothing.
    """

    asking: Asking
    visible: Visible
    assignments: Sequence[Assignment]
    unknown: Sequence[str]
    enrolling: Sequence[Assignment]
    refusing: Mapping[str, bytes]
    lists: Mapping[str, ListRequest]
    previewing: bytes  # what is said of preview links

    def ends(self, told: Sequence[bytes]) -> Mapping[str, bytes]:
        """What became of each exposure, by the experiment that is shown."""
        return {assignment.experiment: end for assignment, end in zip(self.enrolling, told, strict=True)}

    @property
    def errors(self) -> bytes:
        """The member that says which keys are not known, with a comma before it."""
        said = {key: not_served(self.visible, key, place) for place, key in enumerate(self.unknown)}
        errors = {key[:100]: {"code": "unknown_experiment", "message": said[key]} for key in self.unknown}
        return b',"errors":%b' % msgspec.json.encode(errors)


class Personalize:
    """The handler, with the answers of what is visible kept ready."""

    def __init__(self) -> None:
        self._stems = Stems(personalize_stem)

    def __call__(self, exchange: Exchange, resources: Resources, raw: bytes) -> Reply:
        grant = admit(exchange, resources.access, PARAMETERS)
        body = decode(raw, DECODER)
        people = told_people(body.visitor_id, body.user_id)
        attributes, token = checked_attributes(body, people)
        consent = resources.consent_of(exchange, body.consent, attributes.pop(CONSENT_ATTRIBUTE, None))
        if consent is not Consent.PERSONAL:
            attributes = knowable(attributes, consent)
        if grant.site is not None:
            attributes = {**attributes, SITE_ATTRIBUTE: grant.site}
        for_whom = asking(exchange, resources, people.visitor_id, consent, people.repaired)
        visitor_id = for_whom.visitor_id or NOBODY

        def answer() -> Reply:
            view = page_view(exchange, resources, grant, for_whom, body, attributes)
            visitor = Visitor.of(visitor_id, attributes, len(raw), consent)
            shown = (
                exposures(exchange, resources, "personalize", visitor, view.enrolling, now_us())
                if view.enrolling
                else []
            )
            if view.lists:
                return self._later(exchange, resources, view, shown)
            if not shown:
                return self._answer(exchange, view, view.refusing, {})
            return when_stored(resources, shown, lambda told: self._answer(exchange, view, view.ends(told), {}))

        return for_named_user(exchange, resources, for_whom.visitor_id, user_named(attributes), token, answer)

    async def _later(
        self, exchange: Exchange, resources: Resources, view: PageView, shown: Sequence[Record]
    ) -> HttpAnswer:
        """What waits: for the log, and for recommendations."""
        told = view.ends(await store_exposures(resources, shown)) if shown else view.refusing
        lists = await resources.recommender.lists(list(view.lists.values()))
        return self._answer(exchange, view, told, dict(zip(view.lists, lists, strict=True)))

    def _answer(
        self, exchange: Exchange, view: PageView, told: Mapping[str, bytes], lists: Mapping[str, ListAnswer]
    ) -> HttpAnswer:
        stem = self._stems.of
        shown = [stem(view.visible, each) + told.get(each.experiment, b"") for each in view.assignments]
        messages = b"},".join(shown)
        body = b'{"experiments":{%b},"recommendations":%b%b%b' % (
            messages + b"}" if messages else b"",
            msgspec.json.encode(lists),
            view.asking.told + view.previewing,
            exchange.standing.told,
        )
        return HttpAnswer(200, body + (view.errors if view.unknown else b"") + b"}", headers=view.asking.headers)


def personalize_stem(assignment: Assignment) -> bytes:
    """`"key":{…` without its last `}`."""
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


def checked_attributes(body: PersonalizeBody, people: ToldPeople) -> tuple[dict[str, Any], Any]:
    """The attributes with the user among them, once all that is told is within its limits, and the token that was taken
    off them.

    Raises Problem 400.
    """
    attributes = body.attributes or {}
    try:
        check_bounds(attributes, "attributes")
    except EventRefused as refused:
        raise Problem(400, refused.code, refused.message) from None
    among = attributes.pop(TOKEN_ATTRIBUTE, None)
    token = among if body.user_token is None else body.user_token
    return (attributes if people.user_id is None else {**attributes, USER_ATTRIBUTE: body.user_id}), token


def page_view(
    exchange: Exchange, resources: Resources, grant: Grant, asking: Asking, body: PersonalizeBody,
    attributes: dict[str, Any],
) -> PageView:  # fmt: skip
    """What the body asks for, checked to its end and evaluated, with no effect yet. Raises Problem 400.

    Where no experiment is named, all that run or were shipped are evaluated. Evaluating is not seeing: only experiments
    that were named enrol, unless the caller says otherwise.
    """
    now, consent = now_seconds(), asking.consent
    visible, forced, told = shown_to(exchange, resources, grant, consent, attributes, now)
    unknown: list[str] = []
    if body.experiments is None:
        shown = visible.shown
    else:
        if len(body.experiments) > MAX_EXPERIMENTS:
            raise Problem(400, "too_many_experiments", f"experiments: at most {MAX_EXPERIMENTS} keys")
        named = dict.fromkeys(body.experiments)
        shown = [visible.compiled[key] for key in named if key in visible.compiled]
        unknown = [key for key in named if key not in visible.compiled]
    assignments = [assign(each, asking.visitor_id or NOBODY, attributes, now, forced) for each in shown]
    wanted = body.experiments is not None if body.expose is None else body.expose
    enrolling = [assignment for assignment in assignments if assignment.enrols] if wanted else []
    people, refusing = tuple[str, ...](), dict[str, bytes]()
    if consent is Consent.PERSONAL:
        user = told_people(body.visitor_id, body.user_id).user_id
        people = people_asking(exchange.authority, None if asking.is_new else asking.visitor_id, user)
    elif consent is Consent.NONE and wanted:
        refusing = {assignment.experiment: REFUSED for assignment in assignments if not assignment.forced}
    lists = _lists(resources, body, people, visible, assignments) if body.recommendations else {}
    if refusing:
        refused(resources, assignments)
    return PageView(asking, visible, assignments, unknown, enrolling, refusing, lists, told)


def _lists(
    resources: Resources,
    body: PersonalizeBody,
    people: tuple[str, ...],
    visible: Visible,
    assignments: Sequence[Assignment],
) -> Mapping[str, ListRequest]:
    """The list of each slot; a strategy may be what an experiment tests, and then its variant decides."""
    asked = body.recommendations or []
    if len(asked) > MAX_SLOTS:
        raise Problem(400, "too_many_slots", f"recommendations: at most {MAX_SLOTS} slots")
    tested = {
        variant.recommend.slot: variant.recommend
        for assignment in assignments
        for variant in visible.compiled[assignment.experiment].definition.variants
        if variant.key == assignment.variant and variant.recommend is not None
    }
    lists: dict[str, ListRequest] = {}
    for number, each in enumerate(asked):
        items, limit = told_ids(each.items or ()), each.limit
        whole = limit is None or (1 <= limit <= MAX_LIMIT and limit == int(limit))  # 5.0 is whole too, in JSON
        if len(each.items or ()) > MAX_ITEMS or len(each.slot) > MAX_SLOT or not whole:
            what = (
                f"a name of at most {MAX_SLOT} characters, at most {MAX_ITEMS} items, a whole limit of 1 to {MAX_LIMIT}"
            )
            raise Problem(400, "invalid_slot", f"recommendations[{number}]: {what}")
        if each.slot in lists:
            what = f"{each.slot[:100]!r} is asked for twice; its list would have one place in the answer"
            raise Problem(400, "duplicate_slot", f"recommendations[{number}].slot: {what}")
        choice = tested.get(each.slot)
        strategy, most = (None, None) if choice is None else (choice.strategy, choice.limit)
        lists[each.slot] = resources.recommender.request(
            each.slot,
            people,
            items,
            strategy,
            most or (None if limit is None else int(limit)),
        )
    return lists
