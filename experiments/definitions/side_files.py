"""Reads the side files: shop.yaml, segments.yaml, holdouts.yaml and recommendations.yaml."""

from collections.abc import Mapping
from dataclasses import replace
from re import fullmatch
from typing import Any, Final, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from events.consent import ConsentWord
from events.scrubbing import ADDRESSES, ADVERTISING, NEEDED, is_scrubbed, name_of
from experiments.definitions.grammar import (
    NAME_PATTERN,
    NO_MAPPING,
    NO_NAME,
    FieldSpec,
    Kind,
    Section,
    by_name,
    checked,
    either,
    fields_schema,
    listed,
    meant,
    one_of,
    read_fields,
    scalar,
    text_that,
    words,
)
from experiments.definitions.metrics import WHERE
from experiments.definitions.model import LearnFrom, Strategy
from experiments.definitions.quantities import (
    AUDIENCE_CONDITION,
    DATE,
    DURATION,
    HOURS_OF_DAY,
    LINE,
    NAME,
    PERCENTAGE,
    SECONDS,
    SHARE,
    TEXT,
    TRUTH,
    as_fraction,
    as_line,
    as_mapping,
    as_number,
    as_seconds,
    as_share,
    tell,
    whole,
)
from experiments.definitions.shop import (
    HOURS_KPIS,
    LONGEST_DAYS,
    SHARE_KPIS,
    WEEKDAYS,
    BackendConsent,
    Boost,
    ConsentCategories,
    Holdout,
    JourneyStage,
    Kpi,
    ObjectionRule,
    Privacy,
    Recommendations,
    Rules,
    Segment,
    Shift,
    Shop,
    Slot,
    TagRules,
    Visitors,
)
from experiments.targeting.predicates import read_condition
from kit.located import Located, Location, Wrong

BOOSTED: Final = ("category", "brand", "product_id")
FILTERED: Final = ("category", "brand", "price", "in_stock", "group_id")


def _timezone(node: Located) -> str:
    name = as_line(node)
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Wrong(f"{node.described} is no time zone{meant(name, available_timezones())}") from None
    return name


def _product_condition(place: Location) -> Any:
    """`Tea`, `[Tea, Coffee]`, or operators, which are those of a condition on one field."""
    if isinstance(place.node.value, tuple):
        among = listed(TEXT).read(place)
        return None if among is None else {"$in": list(among)}
    if not isinstance(place.node.value, Mapping):
        return place.node.value
    mistakes = read_condition({"value": place.node.plain()}).mistakes
    tell(place, tuple(replace(mistake, path=mistake.path[1:]) for mistake in mistakes))
    return None if mistakes else as_mapping(place.node)


_FACTOR: Final = scalar(as_number, {"type": "number", "exclusiveMinimum": 0, "maximum": 100})
_BOOSTS: Final = {field: FieldSpec(by_name(_FACTOR, whose="names"), unnamed=True) for field in BOOSTED}


def _boosts(place: Location) -> tuple[Boost, ...] | None:
    by_field = read_fields(place, _BOOSTS)
    if by_field is None:
        return None
    boosts = [
        Boost(field=field, value=value, factor=factor)
        for field, factors in by_field.items()
        for value, factor in factors.items()
    ]
    if any(not 0 < boost.factor <= 100 for boost in boosts):
        place.fail("a factor must lie above 0 and not above 100, 1 changes nothing")
    return tuple(boosts)


def _rules(**fields: Any) -> Rules:
    conditions = {name: fields.pop(name) for name in FILTERED if name in fields}
    return Rules(filter=conditions, **fields)


_RULES: Final = Section(
    Rules,
    {
        "include": listed(LINE),
        "exclude": listed(LINE),
        "boost": Kind(_boosts, fields_schema(Boost, _BOOSTS)),
        "exclude_purchased": TRUTH,
        "repurchase_after": FieldSpec(SECONDS, to="repurchase_after_seconds"),
        "accessories_of": by_name(listed(LINE, least=1), whose="names"),
        "diversity": checked(
            as_number,
            lambda value: 0 <= value <= 1,
            "must lie between 0 and 1",
            {"type": "number", "minimum": 0, "maximum": 1},
        ),
        **{field: Kind(_product_condition, {}) for field in FILTERED},
    },
    build=_rules,
).kind

_RATE: Final = checked(
    as_number,
    lambda rate: rate > 0,
    "is no rate, write what one unit is worth in the shop's currency, as in 0.235",
    {"type": "number", "exclusiveMinimum": 0},
)
_RATES: Final = by_name(_RATE, whose="currencies")
_CODE: Final = "[A-Z]{3}"


def _check_privacy(privacy: Privacy, place: Location) -> None:
    for name in privacy.deny:
        if name_of(name) in NEEDED:
            place.fail(f"{name} is what events are told apart by, it cannot be left out", name="deny")
        elif not name_of(name):
            place.fail(f'"{name}" is no name, a name has letters or digits', name="deny")
    denied = set(map(name_of, privacy.deny))
    for name in privacy.keep:
        if name_of(name) in ADDRESSES:
            place.fail(f"{name} is the address of a machine, it is never stored", name="keep")
        elif name_of(name) in denied:
            place.fail(f"{name} is denied too, name it once", name="keep")
        elif not is_scrubbed(name):
            hint = meant(name, sorted(ADVERTISING)) or ", leave it out"
            place.fail(f"{name} is stored anyway{hint}", name="keep")


_NEED_BOTH: Final = "write both, {measure: Analytics, personal: Personalization}"
_CATEGORIES: Final = Section(
    ConsentCategories,
    {"measure": FieldSpec(LINE, needed=_NEED_BOTH), "personal": FieldSpec(LINE, needed=_NEED_BOTH)},
)
_PRIVACY: Final = Section(
    Privacy,
    {
        "deny": FieldSpec(listed(LINE), help="Names of members and URL parameters that are never stored"),
        "keep": FieldSpec(listed(LINE), help="Names of click ids, advertising ids and parameters that are"),
        "default_consent": FieldSpec(one_of(ConsentWord), help="The consent of visitors of whom nothing is said"),
        "gpc": FieldSpec(one_of(ObjectionRule), help="The most that holds then for a browser that sends Sec-GPC: 1"),
        "backend_consent": FieldSpec(
            one_of(BackendConsent), help="The consent of a backend's events of which nothing is said; else measure"
        ),
        "consent_categories": _CATEGORIES.kind,
    },
    check=_check_privacy,
)


_COOKIE: Final = "[A-Za-z0-9_-]{1,64}"
_VISITORS: Final = Section(
    Visitors,
    {
        "cookie": text_that(
            lambda text: fullmatch(_COOKIE, text) is not None and text.lower() != "resonate_consent",
            "is no name for this cookie, write letters, digits, _ and -, as in resonate_id",
            pattern=f"^{_COOKIE}$",
        ),
        "http_only": FieldSpec(TRUTH, help="Whether scripts of pages cannot read the cookie"),
        "days": FieldSpec(whole(1, LONGEST_DAYS), help="How long the cookie lasts, 13 months at the most"),
    },
)


_HOST: Final = text_that(
    lambda host: fullmatch(r"\.?[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?", host) is not None,
    "is no host, write it in small letters without https:// and path, as in shop.example or .shop.example",
    pattern=r"^\.?[a-z0-9][a-z0-9.-]*$",
    examples=["shop.example"],
)
_TAG: Final = Section(
    TagRules,
    {"hosts": FieldSpec(listed(_HOST), help="Hosts that a redirect may lead to; .shop.example: all below it")},
)


_DAYS_OF_SERVICE: Final = {
    day: FieldSpec(HOURS_OF_DAY, help=f"Hours of service on a {day.title()}") for day in WEEKDAYS
}


def _support_hours(place: Location) -> tuple[Shift, ...] | None:
    by_day = read_fields(place, _DAYS_OF_SERVICE)
    if by_day is None:
        return None
    return tuple(
        Shift(weekday=weekday, opens=opens, closes=closes)
        for weekday, day in enumerate(WEEKDAYS)
        for opens, closes in by_day.get(day, ())
    )


_STAGE_HINT: Final = "write {name: intent, event: Checkout Started}"
_STAGES: Final = listed(
    Section(
        JourneyStage,
        {
            "name": FieldSpec(LINE, needed=_STAGE_HINT, help="What the stage is called"),
            "event": FieldSpec(LINE, needed=_STAGE_HINT, help="The event that whoever reaches it has done"),
            "where": FieldSpec(WHERE, help="Conditions that the event meets"),
        },
        no_mapping=f"is no stage, {_STAGE_HINT}",
    ).kind,
    least=2,
)
MOST_STAGES: Final = 12


def _journey(place: Location) -> tuple[JourneyStage, ...] | None:
    stages = _STAGES.read(place)
    names = [stage.name for stage in stages or ()]
    for name in sorted({name for name in names if names.count(name) > 1}):
        place.fail(f'has two stages "{name}", each stage has its own name')
    if len(names) > MOST_STAGES:
        place.fail(f"has {len(names)} stages, it may have {MOST_STAGES}")
    return stages


_POINTS: Final = checked(
    as_number,
    lambda points: -100 <= points <= 100,
    "cannot be, NPS lies from -100 to 100 points",
    {"type": "number", "minimum": -100, "maximum": 100},
)
_EFFORT: Final = checked(
    as_number,
    lambda mean: 1 <= mean <= 7,
    "cannot be, effort is answered from 1 to 7",
    {"type": "number", "minimum": 1, "maximum": 7},
)
_PER_100: Final = checked(
    as_number, lambda tickets: tickets > 0, "must lie above 0, as in 4", {"type": "number", "exclusiveMinimum": 0}
)
_PART: Final = checked(
    as_fraction, lambda share: 0 < share <= 1, "must lie above 0 % and not above 100 %", words(PERCENTAGE)
)
_TARGETS: Final[dict[str, FieldSpec]] = {
    **{kpi: FieldSpec(_PART) for kpi in SHARE_KPIS},
    **{kpi: FieldSpec(scalar(lambda node: as_seconds(node) / 3600, words(DURATION))) for kpi in HOURS_KPIS},
    "nps": FieldSpec(_POINTS),
    "ces": FieldSpec(_EFFORT),
    "tickets_per_100_orders": FieldSpec(_PER_100),
}
_TARGET: Final = {kpi: _TARGETS[kpi] for kpi in get_args(Kpi)}
_TARGETS_KIND: Final = Kind(lambda place: read_fields(place, _TARGET), fields_schema(Shop, _TARGET))


def _check_shop(shop: Shop, place: Location) -> None:
    rates = place.inner("rates") if shop.rates else place
    for code in shop.rates:
        if not fullmatch(_CODE, code):
            rates.fail(f'"{code}" is no currency, write its three letters, as in PLN', name=code)
        elif code == shop.currency:
            rates.fail(f"{code} is the shop's own currency, leave it out", name=code)
    if shop.secure_attributes and not shop.secure_salt:
        place.fail("need a secure_salt too, the one your site hashes them with", name="secure_attributes")
    for name in {"id", "user_id"} & {*shop.secure_attributes}:
        place.fail(f"{name} is what visitors are drawn by, it cannot be hashed once more", name="secure_attributes")
    if shop.cookie_domain and shop.visitors.cookie.lower().startswith("__host-"):
        place.fail(
            "browsers take no cookie whose name begins with __Host- for a domain, leave one out", name="visitors"
        )


SHOP: Final = Section(
    Shop,
    {
        "timezone": scalar(_timezone, {"type": "string", "examples": ["Europe/Bratislava"]}),
        "currency": text_that(
            lambda text: fullmatch(_CODE, text) is not None,
            "is no currency, write its three letters, as in EUR",
            pattern=f"^{_CODE}$",
        ),
        "rates": FieldSpec(
            Kind(
                _RATES.read,
                {"type": "object", "patternProperties": {f"^{_CODE}$": _RATE.schema}, "additionalProperties": False},
            ),
            help="What one unit of another currency is worth in the shop's",
        ),
        "cookie_domain": text_that(
            lambda text: fullmatch(r"\.?(?:[a-z0-9][a-z0-9-]{0,62}\.){1,8}[a-z]{2,63}", text) is not None,
            "is no domain, write it as in .shop.example",
            examples=[".shop.example"],
        ),
        "secure_attributes": FieldSpec(listed(LINE), help="Attributes whose values the payload shows as digests"),
        "secure_salt": FieldSpec(LINE, help="What is put before a value before it is hashed"),
        "privacy": _PRIVACY.kind,
        "visitors": _VISITORS.kind,
        "tag": _TAG.kind,
        "support_hours": FieldSpec(
            Kind(_support_hours, fields_schema(Shop, _DAYS_OF_SERVICE)),
            help="When customers are served, in its time zone",
        ),
        "journey": FieldSpec(
            Kind(_journey, {**_STAGES.schema, "maxItems": MOST_STAGES}), help="The stages of a customer, in order"
        ),
        "targets": FieldSpec(_TARGETS_KIND, help="What each KPI of customers' experience is to reach"),
    },
    check=_check_shop,
)
SEGMENTS: Final = by_name(
    Section(Segment, {"where": FieldSpec(AUDIENCE_CONDITION, needed="write {where: {country: {$in: [SK, CZ]}}}")}).kind,
    NO_NAME,
)
_SOME: Final = checked(as_share, lambda share: 0 < share < 1, "must lie between 0 % and 100 %", SHARE.schema)


def _check_holdout(holdout: Holdout, place: Location) -> None:
    start, end = holdout.start, holdout.end
    if start and end and end <= start:
        place.fail(f"{end:%Y-%m-%dT%H:%MZ} is not after the start, {start:%Y-%m-%dT%H:%MZ}", name="end")


HOLDOUTS: Final = by_name(
    Section(
        Holdout,
        {
            "share": FieldSpec(_SOME, needed="write {share: 5%}"),
            "start": DATE,
            "end": DATE,
            "metrics": listed(NAME, least=1),
        },
        check=_check_holdout,
    ).kind,
    NO_NAME,
)
SLOT: Final = Section(
    Slot, {"strategy": one_of(Strategy), "limit": whole(1, 100), "fallback": one_of(Strategy), "rules": _RULES}
)
_SLOTS: Final = by_name(SLOT.kind, NO_NAME)
LEARN_FROM: Final = "learn_from"  # the one name that no slot can have
_LEARN_FROM: Final = one_of(LearnFrom)


def _recommendations(place: Location) -> Recommendations | None:
    if not isinstance(place.node.value, Mapping):
        return place.fail(f"{place.node.described} {NO_MAPPING}")
    slots = {name: node for name, node in place.fields.items() if name != LEARN_FROM}
    found = _SLOTS.read(replace(place, node=replace(place.node, value=slots))) or {}
    said = _LEARN_FROM.read(place.inner(LEARN_FROM)) if place.has(LEARN_FROM) else None
    return Recommendations(slots=tuple(found.values()), **({LEARN_FROM: said} if said else {}))


RECOMMENDATIONS: Final = Kind(
    _recommendations,
    {
        "type": "object",
        "properties": {LEARN_FROM: either({**_LEARN_FROM.schema, "default": "auto"}, {"type": "null"})},
        "patternProperties": {f"^(?!{LEARN_FROM}$){NAME_PATTERN}$": SLOT.kind.schema},
        "additionalProperties": False,
    },
)
