"""Reads `metrics.yaml`: each metric type with the fields that belong to it."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from re import fullmatch
from typing import Any, Final, get_args

from events.authority import Word
from experiments.definitions.grammar import (
    NO_NAME,
    FieldSpec,
    Kind,
    Section,
    by_name,
    checked,
    constant,
    either,
    fields_schema,
    listed,
    one_of,
    read_fields,
    scalar,
    words,
)
from experiments.definitions.model import EffectScale, MetricType, Want
from experiments.definitions.quantities import (
    CONDITION,
    DURATION,
    LINE,
    MONEY,
    NUMBER,
    SECONDS,
    TRUTH,
    as_number,
    as_seconds,
    tell,
)
from experiments.definitions.shop import Bound, Cap, Metric, RatioPart, Subtract
from kit.conditions import ORDERS, PLAIN, Members, Mistake, Nested, Operation, Where, fields, parse
from kit.located import Location, shortened
from kit.suggestions import did_you_mean

FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "proportion": ("event", "where", "window"),
    "count": ("event", "where", "window", "cap"),
    "mean": ("event", "value", "money", "where", "window", "cap", "subtract"),
    "ratio": ("numerator", "denominator", "window"),
    "quantile": ("event", "value", "money", "q", "where", "window"),
    "funnel": ("steps", "where", "window"),
    "retention": ("event", "from", "to", "where"),
    "csat": ("event", "where", "window"),
    "nps": ("event", "where", "window"),
    "ces": ("event", "where", "window"),
}
SURVEYS: Final = ("csat", "nps", "ces")  # their event need not be named
COLUMNS: Final = frozenset(
    {
        "device",
        "country",
        "url",
        "path",
        "currency",
        "order_id",
        "visitor_id",
        "user_id",
        "authority",
        "issued",
        "consent",
        "site",
    }
)
"""Fields that are columns of the log: texts all of them."""
COUNTABLE: Final = (
    "$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$not", "$regex", "$and", "$or", "$nor",
)  # fmt: skip


def uncountable(where: Where) -> Iterator[Mistake]:
    """Each place of a condition that the log cannot be searched by: only these operators are had by every engine."""
    for field in fields(where):
        for test in field.tests:
            yield from _uncountable(field.name, test)


def _uncountable(name: str, test: Operation | Nested | Members) -> Iterator[Mistake]:
    path = test.path
    match test:
        case Nested("$not", (tests,)):
            for inner in tests:
                yield from _uncountable(name, inner)
        case Operation("$in" | "$nin", items):
            places = [(*path, number) for number, item in enumerate(items) if isinstance(item, Mapping | list)]
            yield from (Mistake(place, _NO_VALUE) for place in places)
        case Operation(operator, Mapping() | list()) if operator in (PLAIN, "$eq", "$ne"):
            yield Mistake(path, _NO_VALUE)
        case Operation(operator, operand) if operator in ORDERS:
            yield from (Mistake(path, message) for message in _no_order(name, operand))
        case Operation(operator) if operator in (PLAIN, *COUNTABLE):
            pass
        case _:
            hint = did_you_mean(test.operator, COUNTABLE, f"; metrics can use {', '.join(COUNTABLE)}", lead="; ")
            yield Mistake(path, f"{test.operator} cannot be counted over the log{hint}")


def _no_order(name: str, operand: Any) -> Iterator[str]:
    if isinstance(operand, bool) or not isinstance(operand, int | float | str):
        yield "only numbers and texts have an order; write a number, or a text in quotes"
    elif name in COLUMNS and not isinstance(operand, str):
        yield f"{name} is a text, it has no order with a number; write a text in quotes"


_NO_VALUE: Final = "lists and objects cannot be compared over the log; name one value, or $in"


def _countable(place: Location) -> dict[str, Any] | None:
    where = CONDITION.read(place)
    mistakes = () if where is None else tuple(uncountable(parse(where).where))
    tell(place, mistakes)
    return None if mistakes else where


def _bound(place: Location, above: float = 0.0) -> Bound | None:
    node, currency = place.node, place.problems.currency
    if fullmatch(_PERCENTILE, node.text) and 0 < float(node.text[1:]) < 100:
        return Bound(percentile=round(float(node.text[1:]) / 100, 8))
    if fullmatch(DURATION, node.text):
        seconds = place.attempt(as_seconds)
        return None if seconds is None else Bound(fixed=float(seconds))
    amount, _, unit = node.text.partition(" ")
    if fullmatch(rf"-?{MONEY}", node.text) and unit != currency:
        return place.fail(f"{node.described} is not in the shop's currency, {currency}")
    if fullmatch(rf"-?(?:{MONEY}|{NUMBER})", node.text) and float(amount) > above:
        return Bound(fixed=float(amount))
    return place.fail(f"{node.described} is no cap, write p99.9, a number, 500 {currency} or 30 minutes")


def _check_cap(cap: Cap, place: Location) -> None:
    low, high = cap.low or Bound(), Bound(fixed=cap.fixed, percentile=cap.percentile)
    for under, above in ((low.fixed, high.fixed), (low.percentile, high.percentile)):
        if under is not None and above is not None and under >= above:
            place.fail("is not below high", name="low")


def _as_cap(low: Bound | None = None, high: Bound | None = None) -> Cap:
    return Cap(**(high or Bound()).model_dump(), low=low)


_PERCENTILE: Final = r"p[0-9]{1,2}(?:\.[0-9]{1,4})?"
_POSITIVE: Final = {"type": "number", "exclusiveMinimum": 0}
_HIGH: Final = Kind(_bound, either(_POSITIVE, words(_PERCENTILE, DURATION, MONEY)))
_LOW: Final = Kind(
    lambda place: _bound(place, -math.inf), either({"type": "number"}, words(_PERCENTILE, DURATION, rf"-?{MONEY}"))
)
_ENDS: Final = Section(
    Cap,
    {"low": FieldSpec(_LOW), "high": FieldSpec(_HIGH)},
    build=_as_cap,
    check=_check_cap,
    least=("low", "high"),
    nothing="names neither end, write {low: p0.1, high: p99.9} or one of them",
)


def _cap(place: Location) -> Cap | None:
    if isinstance(place.node.value, Mapping):
        return _ENDS.read(place)
    high = _bound(place)
    return high and _as_cap(high=high)


_CAP: Final = Kind(_cap, either(_HIGH.schema, _ENDS.kind.schema))


WHERE: Final = Kind(_countable, CONDITION.schema)
"""Conditions that the log can be searched by."""
_REFUND: Final = "write {event: Order Refunded, value: total, within: 30 days}"
_SUBTRACT: Final = Section(
    Subtract,
    {
        "event": FieldSpec(LINE, needed=_REFUND),
        "value": FieldSpec(LINE, needed=_REFUND),
        "within": FieldSpec(SECONDS, to="within_seconds"),
    },
    no_mapping=f"is not enough, {_REFUND}",
).kind
_PART_HINT: Final = "write {event: Order Completed, sum: revenue} or {event: Order Completed, count: true}"
_PART_FIELDS: Final = {
    "event": FieldSpec(LINE, needed=_PART_HINT),
    "where": FieldSpec(WHERE, unnamed=True),
    "cap": FieldSpec(_CAP),
}
_TRUE: Final = constant(True, f"is not true, {_PART_HINT}", before="count: ")


ORDER_EVENTS: Final = ("Order Completed", "Order Refunded", "Order Cancelled")
OWN_AMOUNTS: Final = ("revenue", "total", "value")  # what the events themselves say they are worth


def _check_money(event: str | None, value: str | None, money: bool | None, place: Location) -> None:
    """Where foreign amounts are converted, nobody may have to guess what is one."""
    if value is None or value in OWN_AMOUNTS or event not in ORDER_EVENTS:
        return
    if place.problems.converts and money is None:
        name = "sum" if place.has("sum") else "value"
        message = f'is "{shortened(value)}" money? shop.yaml has rates, write money: true or money: false beside it'
        place.fail(message, name=name)


def _check_part(part: RatioPart, place: Location) -> None:
    if place.has("count") == place.has("sum"):
        both = "both sum and" if place.has("sum") else "neither sum nor"
        place.fail(f"has {both} count, {_PART_HINT}")
    elif place.has("money") and place.has("count"):
        place.fail("is said of a sum, events that are counted are no money", name="money")
    else:
        _check_money(part.event, part.sum, part.money, place)


_PART: Final = Kind(
    Section(
        RatioPart,
        {**_PART_FIELDS, "sum": LINE, "money": TRUTH, "count": FieldSpec(_TRUE, unnamed=True)},
        build=lambda count=None, **fields: RatioPart(**fields),
        check=_check_part,
        no_mapping=f"is not enough, {_PART_HINT}",
    ).read,
    either(
        fields_schema(RatioPart, {**_PART_FIELDS, "count": FieldSpec(_TRUE, needed=_PART_HINT)}),
        fields_schema(RatioPart, {**_PART_FIELDS, "sum": FieldSpec(LINE, needed=_PART_HINT), "money": TRUTH}),
    ),
)


_PARTS: Final[dict[str, FieldSpec]] = {
    "event": FieldSpec(LINE, needed="event: Order Completed"),
    "value": FieldSpec(LINE, needed="value: revenue"),
    "money": FieldSpec(TRUTH),
    "where": FieldSpec(WHERE),
    "window": FieldSpec(SECONDS, to="window_seconds"),
    "cap": FieldSpec(_CAP),
    "subtract": FieldSpec(_SUBTRACT),
    "numerator": FieldSpec(_PART, needed="numerator: {event: Order Completed, sum: revenue}"),
    "denominator": FieldSpec(_PART, needed="denominator: {event: Order Completed, count: true}"),
    "q": FieldSpec(
        checked(
            as_number, lambda q: 0 < q < 1, "must lie between 0 and 1, as in 0.75", {**_POSITIVE, "exclusiveMaximum": 1}
        ),
        needed="q: 0.75",
    ),
    "steps": FieldSpec(listed(LINE, least=2), needed="steps: [Product Viewed, Order Completed]"),
    "from": FieldSpec(
        scalar(
            lambda node: 0 if node.text in ("0", "0 days") else as_seconds(node),
            either(words(DURATION, "0 days"), {"const": 0}),
        ),
        needed="from: 7 days",
        to="from_seconds",
    ),
    "to": FieldSpec(SECONDS, needed="to: 14 days", to="to_seconds"),
}
"""By the name of the field; `needed` is an example, for the types that cannot do without it."""


def _metric(**fields: Any) -> Metric:
    if fields["type"] in SURVEYS:
        fields.setdefault("event", "Survey Answered")
    if fields["type"] == "retention":
        fields["window_seconds"] = fields["to_seconds"]
    return Metric(**fields)


def _check_metric(metric: Metric, place: Location) -> None:
    _check_money(metric.event, metric.value, metric.money, place)
    if metric.type == "retention" and (metric.from_seconds or 0) >= (metric.to_seconds or 0):
        place.fail("is not after from", name="to")


def _of_type(kind: str) -> Section[Metric]:
    entries: dict[str, FieldSpec] = {"type": FieldSpec(constant(kind, ""), needed=f"write type: {kind}")}
    for name in FIELDS[kind]:
        part = _PARTS[name]
        needed = part.needed and not (name == "event" and kind in SURVEYS)
        entries[name] = replace(part, needed=f"a {kind} needs {part.needed}" if needed else "")
    if kind != "retention":  # whose `from` is when it begins
        entries["from"] = FieldSpec(one_of(Word), to="source", help="The least authority of the events that count")
    entries["title"] = FieldSpec(LINE, help="How people call it: purchase rate")
    entries["want"] = FieldSpec(one_of(Want))
    entries["scale"] = FieldSpec(one_of(EffectScale), help="Effects relative to control, or in points of its own unit")
    others = f"a {kind} has no {{}}; it has {', '.join((*FIELDS[kind], 'title', 'want', 'scale'))}"
    elsewhere = {name: others for name in _PARTS if name not in entries}
    return Section(Metric, entries, build=_metric, check=_check_metric, elsewhere=elsewhere)


OF_TYPE: Final = {kind: _of_type(kind) for kind in get_args(MetricType)}
_TYPE: Final = {"type": FieldSpec(one_of(MetricType), needed="write one such as type: proportion")}


def _metric_of(place: Location) -> Metric | None:
    """A metric, by the fields of its type."""
    told = read_fields(place, _TYPE, others=False) or {}
    return OF_TYPE[told["type"]].read(place) if "type" in told else None


METRICS: Final = by_name(
    Kind(_metric_of, either(*(section.kind.schema for section in OF_TYPE.values()))),
    no_name=NO_NAME.replace("here", "for a metric"),
)
