"""What every evaluation shares: answers kept ready per catalogue, forced variants, exposures for the log."""

from asyncio import Future
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from app.http.access import Grant
from app.http.exchange import Awaited, Exchange, HttpAnswer, Reply
from app.http.parameters import query_pairs
from app.identity.people import PROVEN
from app.intake.judging import Repeated, exposure_id
from app.worker.resources import Resources
from events.authority import OF_BACKEND
from events.consent import NONE, PERSONAL, Consent
from events.dialects.segment import EXPERIMENT_VIEWED
from events.dialects.user_agents import client
from events.permitted import permitted
from events.records import EXPOSURE, ExposureSource, Record
from events.store.availability import StoreUnavailable
from experiments.assignment.assign import USER_ATTRIBUTE, VISITOR_ATTRIBUTE, Assignment
from experiments.catalog.visible import Visible
from experiments.targeting.attributes import AGENT, PROXY
from kit.suggestions import did_you_mean
from kit.values import identifier

FORCE: Final = "resonate_force"
FORCE_ATTRIBUTE: Final = "resonate.force"
LINK: Final = "resonate_preview"
LINK_ATTRIBUTE: Final = "resonate.preview"
MOST_LINKS: Final = 20  # of one request
SHOWN: Final = b',"preview":"shown"'
EXPIRED: Final = b',"preview":"expired"'
MAX_UNKNOWN: Final = 1_000
SUGGESTED: Final = 5  # of the unknown keys of one request, those of which it is looked up what was meant
MAX_ATTRIBUTES: Final = 32_768
EXPOSE: Final = "resonate.expose"
SITE_ATTRIBUTE: Final = "site"  # of a key that has one, whatever the caller says
NO_ATTRIBUTES: Final = frozenset({"targetingKey", USER_ATTRIBUTE, EXPOSE, FORCE_ATTRIBUTE, AGENT, PROXY})
USERS: Final = frozenset({USER_ATTRIBUTE})
IDS: Final = frozenset({USER_ATTRIBUTE, VISITOR_ATTRIBUTE, "targetingKey"})


NOBODY: Final = ""  # the visitor id of somebody who refuses
REFUSED: Final = b',"exposure":"refused"'


class Visitor(msgspec.Struct, frozen=True):
    """Who is shown something: the visitor, the user where one is logged in, the attributes for the log, and the mode of
    consent under which that may be stored.
    """

    visitor_id: str
    user_id: str | None
    attributes: dict[str, Any]
    consent: Consent = Consent.PERSONAL

    @classmethod
    def of(cls, visitor_id: str, told: Mapping[str, Any], size: int, consent: Consent) -> "Visitor":
        """From all that was told in a body of `size` bytes; no attributes where they may be larger than an event."""
        kept = {} if size > MAX_ATTRIBUTES else {name: told[name] for name in told if name not in NO_ATTRIBUTES}
        return cls(visitor_id, user_named(told), kept, consent)


def knowable(told: dict[str, Any], consent: Consent) -> dict[str, Any]:
    """What of the attributes of a request its answer may rest on below `personal`: no user, in `none` no id at all."""
    unknown = IDS if consent is NONE else USERS
    return {name: value for name, value in told.items() if name not in unknown}


def refused(resources: Resources, shown: Sequence[Assignment]) -> None:
    """Counts, of no arm, the answers of experiments that would have drawn somebody who refuses."""
    drawn = [assignment for assignment in shown if assignment.because == "unit"]
    for assignment in drawn:
        resources.refusals.add(assignment.experiment, assignment.phase)
    resources.telemetry.exposures("refused", len(drawn))


def user_named(told: Mapping[str, Any]) -> str | None:
    """The user among attributes, None where there is none that can be one."""
    user = told.get(USER_ATTRIBUTE)
    found = None if user is None else identifier(user)
    return found if isinstance(found, str) else None


def for_named_user(
    exchange: Exchange, resources: Resources, visitor_id: str | None, user_id: str | None, token: Any,
    answer: Callable[[], Reply],
) -> Reply:  # fmt: skip
    """What `answer` says once the exchange knows how far the user that the request names is believed.

    That is at once, save where the store has to be asked whether they are logged in. A secret key proves whom it names.
    """
    if user_id is None:
        return answer()
    if exchange.authority is OF_BACKEND:
        exchange.standing = PROVEN
        return answer()
    users = resources.users
    standing = users.standing(visitor_id, user_id, exchange.user_token if token is None else token)
    if standing.because is None or visitor_id is None or not users.log_ins.used:
        exchange.settle(users.counted(standing))
        return answer()

    async def later() -> HttpAnswer:
        exchange.settle(users.counted(await users.logged_in(standing, visitor_id, user_id)))
        found = answer()
        return found if isinstance(found, HttpAnswer) else await found

    return later()


class Stems:
    """Encoded answers up to where the exposure is told; few distinct ones are ever given of what is visible."""

    def __init__(self, write: Callable[[Assignment], bytes]) -> None:
        self._write = write

    def of(self, visible: Visible, assignment: Assignment) -> bytes:
        """What `write` makes of the assignment, made once for those who see this."""
        stems = visible.kept.get(self)
        if stems is None:
            stems = visible.kept[self] = {}
        key = (
            assignment.experiment,
            assignment.variant,
            assignment.reason,
            assignment.because,
            assignment.forced,
            assignment.in_experiment,
        )
        stem = stems.get(key)
        if stem is None:
            stem = stems[key] = self._write(assignment)
        return stem


def not_served(visible: Visible, key: str, place: int = 0) -> str:
    """What is said of a key that is not served to a caller, with the one of those they see that was probably meant.

    It is looked up once, and for the first of the unknown keys of a request alone (`place` counts them), because
    searching for what was meant takes a millisecond.
    """
    if place >= SUGGESTED:
        return f"no experiment {key[:100]!r} is served here"
    unknown = visible.kept.setdefault(not_served, {})
    said = unknown.get(key)
    if said is None:
        while len(unknown) >= MAX_UNKNOWN:
            del unknown[next(iter(unknown))]
        meant = did_you_mean(key, visible.compiled, lead="; ", quote="'")
        said = unknown[key] = f"no experiment {key[:100]!r} is served here{meant}"
    return said


class Shown(NamedTuple):
    """What a request may see, the variants that it asked for by experiment, and what its answer says of its links."""

    visible: Visible
    forced: Mapping[str, str] | None
    told: bytes = b""


def shown_to(
    exchange: Exchange, resources: Resources, grant: Grant, consent: Consent, attributes: dict[str, Any], now: float
) -> Shown:
    """What the caller may see, and by a link one variant of an experiment that they could not; never an exposure.

    `?resonate_force=KEY:VARIANT` or the attribute `resonate.force` shows a page variants of what runs, a secret key's
    holder those of all that is answered, and nothing to somebody who refuses. `?resonate_preview=TOKEN` or
    `resonate.preview`, which is taken off the attributes, shows what the token says; one that is over, or was not made
    here, shows nothing and is told of.
    """
    visible = resources.visible_to(grant, now)
    if visible.asks_agent and not grant.secret:
        attributes[AGENT] = exchange.headers.get(b"user-agent", b"")
    if visible.asks_proxy and not grant.secret:
        attributes[PROXY] = resources.country_told(exchange)
    if not exchange.scope["query_string"] and FORCE_ATTRIBUTE not in attributes and LINK_ATTRIBUTE not in attributes:
        return Shown(visible, None)
    pairs = query_pairs(exchange)
    texts = [value for name, value in pairs if name == FORCE and value]
    attribute = attributes.get(FORCE_ATTRIBUTE)
    if type(attribute) is str:
        texts.append(attribute)
    named = [text.partition(":") for part in texts for text in part.split(",")]
    forcible = () if consent is NONE else visible.forcible
    forced = {key: variant for key, _, variant in named if key in forcible}
    tokens: list[Any] = [value for name, value in pairs if name == LINK]
    if LINK_ATTRIBUTE in attributes:
        tokens.append(attributes.pop(LINK_ATTRIBUTE))
    if not tokens:
        return Shown(visible, forced)
    links = resources.previewed(tokens[:MOST_LINKS])
    found = {link[0].key: link for link in links if link is not None}
    forced |= {key: variant for key, (_, variant) in found.items()}
    told = EXPIRED if None in links or len(tokens) > MOST_LINKS else SHOWN
    return Shown(visible.beside([experiment for experiment, _ in found.values()]), forced, told)


def exposures(
    exchange: Exchange, resources: Resources, source: ExposureSource, visitor: Visitor, shown: Sequence[Assignment],
    now: int,
) -> list[Record]:  # fmt: skip
    """That the visitor is shown these variants now (microseconds).

    The client is what the attribute `userAgent` says, else that of the page by its own user agent.
    """
    given = resources.scrubber.members(visitor.attributes)
    agent, device, country = visitor.attributes.get("userAgent"), given.get("device"), given.get("country")
    machine = client((agent if type(agent) is str else "") or exchange.visitors_agent)
    network, day = resources.network_of(exchange), resources.shop_day(now)
    issued = resources.recognition.ids.issued(visitor.visitor_id)
    site = None if exchange.grant is None else exchange.grant.site
    records = [
        Record(
            message_id=exposure_id(
                resources,
                Repeated(
                    visitor.visitor_id,
                    visitor.user_id,
                    assignment.experiment,
                    assignment.phase,
                    assignment.variant,
                    day,
                    bot=machine.bot,
                ),
            ),
            type=EXPOSURE,
            event=EXPERIMENT_VIEWED,
            visitor_id=visitor.visitor_id,
            user_id=visitor.user_id,
            time=now,
            experiment=assignment.experiment,
            variant=assignment.variant,
            phase=assignment.phase,
            propensity=assignment.propensity,
            exposure_source=source,
            device=device if type(device) is str else machine.device,
            country=country if type(country) is str else None,
            bot=machine.bot,
            site=site,
            authority=exchange.authority,
            issued=issued,
            network=network,
            properties=given or None,
        )
        for assignment in shown
    ]
    if visitor.consent is not PERSONAL:
        reduced = [permitted(record, visitor.consent) for record in records]
        records = [record for record in reduced if record is not None]
    exchange.events = len(records)
    return records


def when_stored(resources: Resources, records: Sequence[Record], answer: Callable[[list[bytes]], HttpAnswer]) -> Reply:
    """What `answer` says of these exposures once they are stored, or cannot be: it is given, for each, the members that
    tell which.
    """
    try:
        future = resources.stream.put(records)
    except StoreUnavailable:
        return answer(exposures_told(resources, records, logged=False))
    if future is not None:
        return Awaited(future, lambda: answer(exposures_told(resources, records, logged=_succeeded(future))))

    async def later() -> HttpAnswer:
        return answer(await store_exposures(resources, records))

    return later()


async def store_exposures(resources: Resources, records: Sequence[Record]) -> list[bytes]:
    """Stores exposures; for each the members that tell what became of it."""
    try:
        await resources.stream.append(records)
    except StoreUnavailable:
        return exposures_told(resources, records, logged=False)
    return exposures_told(resources, records, logged=True)


def exposures_told(resources: Resources, records: Sequence[Record], *, logged: bool) -> list[bytes]:
    """What the answer says of each exposure, once it is known whether they are stored; they are counted."""
    if not logged:
        resources.telemetry.went_wrong("store_refused")
    outcome = "logged" if logged else "unlogged"
    resources.telemetry.exposures(outcome, len(records))
    return [
        b',"exposure":"%b","exposure_id":"%b"' % (outcome.encode(), record.message_id.encode()) for record in records
    ]


def _succeeded(future: Future[int]) -> bool:
    """Whether what it stands for was stored; what else it ended with is raised."""
    try:
        future.result()
    except StoreUnavailable:
        return False
    return True
