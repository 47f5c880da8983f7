"""Reads `metrics.yaml`: each metric type with the fields that belong to it."""

from collections.abc import Iterator, Mapping
from re import fullmatch
from typing import Any, Final, get_args

from experiments.definitions.grammar import (
    NO_MAPPING,
    NO_NAME,
    Entry,
    Kind,
    Section,
    any_of,
    constant,
    fields_of,
    fields_schema,
    listed,
    named,
    one_of,
    scalar,
    words,
)
from experiments.definitions.located import Located, Place, Problems, Wrong
from experiments.definitions.model import Cap, Metric, MetricType, RatioPart, Subtract, Want
from experiments.definitions.quantities import (
    CONDITION,
    DURATION,
    LINE,
    MONEY,
    NUMBER,
    SECONDS,
    as_number,
    as_seconds,
    tell,
)
from kit.conditions import ORDERS, PLAIN, Members, Mistake, Nested, Operation, Where, fields, parse
from kit.suggestions import did_you_mean

FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "proportion": ("event", "where", "window"),
    "count": ("event", "where", "window", "cap"),
    "mean": ("event", "value", "where", "window", "cap", "subtract"),
    "ratio": ("numerator", "denominator", "window"),
    "quantile": ("event", "value", "q", "where", "window"),
    "funnel": ("steps", "where", "window"),
    "retention": ("event", "from", "to", "where"),
    "csat": ("event", "where", "window"),
    "nps": ("event", "where", "window"),
    "ces": ("event", "where", "window"),
}
SURVEYS: Final = ("csat", "nps", "ces")  # their event need not be named
COLUMNS: Final = frozenset({"device", "country", "url", "path", "currency", "order_id", "visitor_id", "user_id"})
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


def _countable(place: Place) -> dict[str, Any] | None:
    where = CONDITION.read(place)
    mistakes = () if where is None else tuple(uncountable(parse(where).where))
    tell(place, mistakes)
    return None if mistakes else where


def _cap(place: Place) -> Cap | None:
    node, currency = place.node, place.problems.currency
    percentile = fullmatch(r"p([0-9]{1,2}(?:\.[0-9]{1,4})?)", node.text)
    if percentile and 0 < float(percentile[1]) < 100:
        return Cap(percentile=round(float(percentile[1]) / 100, 8))
    if fullmatch(DURATION, node.text):
        seconds = place.attempt(as_seconds)
        return None if seconds is None else Cap(fixed=float(seconds))
    if fullmatch(MONEY, node.text):
        amount, _, unit = node.text.partition(" ")
        if unit != currency:
            return place.fail(f"{node.described} is not in the shop's currency, {currency}")
        return Cap(fixed=float(amount))
    if fullmatch(NUMBER, node.text) and float(node.text) > 0:
        return Cap(fixed=float(node.text))
    return place.fail(f"{node.described} is no cap, write p99.9, a number, 500 {currency} or 30 minutes")


_WHERE: Final = Kind(_countable, CONDITION.schema)
_REFUND: Final = "write {event: Order Refunded, value: total, within: 30 days}"
_SUBTRACT: Final = Section(
    Subtract,
    {
        "event": Entry(LINE, needed=_REFUND),
        "value": Entry(LINE, needed=_REFUND),
        "within": Entry(SECONDS, to="within_seconds"),
    },
    no_mapping=f"is not enough, {_REFUND}",
).kind
_PART_HINT: Final = "write {event: Order Completed, sum: revenue} or {event: Order Completed, count: true}"
_PART_FIELDS: Final = {"event": Entry(LINE, needed=_PART_HINT), "where": Entry(_WHERE, unnamed=True)}
_TRUE: Final = constant(True, f"is not true, {_PART_HINT}", before="count: ")


def _check_part(_: RatioPart, place: Place) -> None:
    if place.has("count") == place.has("sum"):
        both = "both sum and" if place.has("sum") else "neither sum nor"
        place.fail(f"has {both} count, {_PART_HINT}")


_PART: Final = Kind(
    Section(
        RatioPart,
        {**_PART_FIELDS, "sum": LINE, "count": Entry(_TRUE, unnamed=True)},
        build=lambda count=None, **fields: RatioPart(**fields),
        check=_check_part,
        no_mapping=f"is not enough, {_PART_HINT}",
    ).read,
    any_of(
        fields_schema(RatioPart, {**_PART_FIELDS, "count": Entry(_TRUE, needed=_PART_HINT)}),
        fields_schema(RatioPart, {**_PART_FIELDS, "sum": Entry(LINE, needed=_PART_HINT)}),
    ),
)


def _quantile(node: Located) -> float:
    value = as_number(node)
    if not 0 < value < 1:
        raise Wrong(f"{node.described} must lie between 0 and 1, as in 0.75")
    return value


_EXAMPLES: Final = {
    "event": "event: Order Completed",
    "value": "value: revenue",
    "numerator": "numerator: {event: Order Completed, sum: revenue}",
    "denominator": "denominator: {event: Order Completed, count: true}",
    "q": "q: 0.75",
    "steps": "steps: [Product Viewed, Order Completed]",
    "from": "from: 7 days",
    "to": "to: 14 days",
}
"""Of the fields that a metric needs."""
_PARTS: Final[dict[str, tuple[Kind[Any], str]]] = {
    "event": (LINE, ""),
    "value": (LINE, ""),
    "where": (_WHERE, ""),
    "window": (SECONDS, "window_seconds"),
    "cap": (
        Kind(
            _cap,
            any_of({"type": "number", "exclusiveMinimum": 0}, words(r"p[0-9]{1,2}(?:\.[0-9]{1,4})?", DURATION, MONEY)),
        ),
        "",
    ),
    "subtract": (_SUBTRACT, ""),
    "numerator": (_PART, ""),
    "denominator": (_PART, ""),
    "q": (scalar(_quantile, {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}), ""),
    "steps": (listed(LINE, least=2), ""),
    "from": (
        scalar(
            lambda node: 0 if node.text in ("0", "0 days") else as_seconds(node),
            any_of(words(DURATION, "0 days"), {"const": 0}),
        ),
        "from_seconds",
    ),
    "to": (SECONDS, "to_seconds"),
}


def _metric(**fields: Any) -> Metric:
    if fields["type"] in SURVEYS:
        fields.setdefault("event", "Survey Answered")
    if fields["type"] == "retention":
        fields["window_seconds"] = fields["to_seconds"]
    return Metric(**fields)


def _check_metric(metric: Metric, place: Place) -> None:
    if metric.type == "retention" and (metric.from_seconds or 0) >= (metric.to_seconds or 0):
        place.fail("is not after from", name="to")


def _of_type(kind: str) -> Section[Metric]:
    entries: dict[str, Entry] = {"type": Entry(constant(kind, ""), needed=f"write type: {kind}")}
    for name in FIELDS[kind]:
        needed = name in _EXAMPLES and not (name == "event" and kind in SURVEYS)
        read, to = _PARTS[name]
        entries[name] = Entry(read, needed=f"a {kind} needs {_EXAMPLES[name]}" if needed else "", to=to)
    entries["want"] = Entry(one_of(Want))
    others = f"a {kind} has no {{}}; it has {', '.join((*FIELDS[kind], 'want'))}"
    elsewhere = {name: others for name in _PARTS if name not in entries}
    return Section(Metric, entries, build=_metric, check=_check_metric, elsewhere=elsewhere)


OF_TYPE: Final = {kind: _of_type(kind) for kind in get_args(MetricType)}
_TYPE: Final = {"type": Entry(one_of(MetricType), needed="write one such as type: proportion")}


def _metric_of(place: Place) -> Metric | None:
    """A metric, by the fields of its type."""
    if not isinstance(place.node.value, Mapping):
        return place.fail(f"{place.node.described} {NO_MAPPING}")
    kind = fields_of(place, _TYPE, others=False).get("type")
    return None if kind is None else OF_TYPE[kind].read(place)


METRICS: Final = named(
    Kind(_metric_of, any_of(*(section.kind.schema for section in OF_TYPE.values()))),
    no_name=NO_NAME.replace("here", "for a metric"),
)


def metrics_of(root: Located | None, problems: Problems) -> dict[str, Metric]:
    """The metrics of a file by name; wrong ones are told and left out."""
    return {} if root is None else METRICS.read(Place(root, problems)) or {}
