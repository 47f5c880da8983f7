"""Reads `metrics.yaml`: each metric type with the fields that belong to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from re import fullmatch
from typing import Any, Final

from experiments.definitions.design import as_condition
from experiments.definitions.located import (
    Located,
    Named,
    Problems,
    Section,
    Wrong,
    did_you_mean,
    entries,
    joined,
    refuse,
)
from experiments.definitions.model import Cap, Metric, MetricType, RatioPart, Subtract, Want
from experiments.definitions.quantities import (
    DURATION,
    MONEY,
    NAME,
    NUMBER,
    as_line,
    as_number,
    as_seconds,
    listed,
    one_of,
)
from experiments.targeting.countable import uncountable

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
NEEDED: Final[dict[str, str]] = {
    "event": "event: Order Completed",
    "value": "value: revenue",
    "numerator": "numerator: {event: Order Completed, sum: revenue}",
    "denominator": "denominator: {event: Order Completed, count: true}",
    "q": "q: 0.75",
    "steps": "steps: [Product Viewed, Order Completed]",
    "from": "from: 7 days",
    "to": "to: 14 days",
}
SURVEYS: Final = ("csat", "nps", "ces")  # their event need not be named
_SURVEY_EVENT: Final = "Survey Answered"


def metrics_of(root: Located | None, currency: str, problems: Problems) -> dict[str, Named[Metric]]:
    """The metrics of a file by name; wrong ones are reported and left out."""
    if root is None:
        return {}
    found: dict[str, Named[Metric]] = {}
    for name, node in entries(root, "", problems):
        if not fullmatch(NAME, name):
            problems.add(
                node.line,
                name[:60],
                "is no name for a metric; allowed are letters, digits, dots, dashes and underscores",
            )
            continue
        metric = _metric(name, Section(node, name, problems), currency)
        if metric:
            found[name] = Named(metric, node.line)
    return found


def _metric(name: str, section: Section, currency: str) -> Metric | None:
    kind = section.require("type", one_of(MetricType), "write one such as type: proportion")
    if kind is None:
        return None
    fields: dict[str, Any] = {"name": name, "type": kind, "want": section.read("want", one_of(Want), "up")}
    readers = _readers(currency)
    for field in FIELDS[kind]:
        target, convert = readers[field]
        value = _field(section, field, kind, convert)
        if value is not None:
            fields[target] = value
    _refuse_others(section, kind)
    if not section.close():
        return None
    return _checked(fields, section)


def _readers(currency: str) -> dict[str, tuple[str, Callable[[Located], Any]]]:
    return {
        "event": ("event", as_line),
        "value": ("value", as_line),
        "where": ("where", _countable),
        "window": ("window_seconds", as_seconds),
        "cap": ("cap", lambda node: _cap(node, currency)),
        "subtract": ("subtract", _subtract),
        "numerator": ("numerator", _part),
        "denominator": ("denominator", _part),
        "q": ("q", _quantile),
        "steps": ("steps", _steps),
        "from": ("from_seconds", _from),
        "to": ("to_seconds", as_seconds),
    }


def _field(section: Section, field: str, kind: str, convert: Callable[[Located], Any]) -> Any:
    if field == "event" and kind in SURVEYS:
        return section.read(field, convert, _SURVEY_EVENT)
    if field in NEEDED:
        return section.require(field, convert, f"a {kind} needs {NEEDED[field]}")
    return section.read(field, convert, None)


def _refuse_others(section: Section, kind: str) -> None:
    """Name the fields that exist, but not for this type."""
    for field in section.fields:
        if field in _readers("") and field not in FIELDS[kind]:
            section.take(field)
            section.fail(f"a {kind} has no {field}; it has {', '.join((*FIELDS[kind], 'want'))}", name=field)


def _checked(fields: dict[str, Any], section: Section) -> Metric | None:
    if fields["type"] == "retention":
        fields["window_seconds"] = fields["to_seconds"]
        if fields["from_seconds"] >= fields["to_seconds"]:
            section.fail("is not after from", name="to")
    return Metric(**fields) if section.clean else None


def _countable(node: Located) -> dict[str, Any]:
    """A condition that the log can be searched by: not all that decides on a visitor can be asked of every engine."""
    where = as_condition(node)
    refuse(
        [
            Wrong(message, node.at(path).line, joined(*(str(step) for step in path)))
            for path, message in uncountable(where)
        ]
    )
    return where


def _cap(node: Located, currency: str) -> Cap:
    percentile = fullmatch(r"p([0-9]{1,2}(?:\.[0-9]{1,4})?)", node.text)
    if percentile and 0 < float(percentile[1]) < 100:
        return Cap(percentile=round(float(percentile[1]) / 100, 8))
    if fullmatch(DURATION, node.text):
        return Cap(fixed=float(as_seconds(node)))
    if fullmatch(MONEY, node.text):
        amount, _, unit = node.text.partition(" ")
        if unit != currency:
            raise Wrong(f"{node.described} is not in the shop's currency, {currency}")
        return Cap(fixed=float(amount))
    if fullmatch(NUMBER, node.text) and float(node.text) > 0:
        return Cap(fixed=float(node.text))
    raise Wrong(f"{node.described} is no cap, write p99.9, a number, 500 {currency} or 30 minutes")


def _subtract(node: Located) -> Subtract:
    fields = _only(
        node, ("event", "value", "within"), ("event", "value"), "{event: Order Refunded, value: total, within: 30 days}"
    )
    return Subtract(
        event=as_line(fields["event"]),
        value=as_line(fields["value"]),
        within_seconds=as_seconds(fields["within"]) if "within" in fields else None,
    )


def _part(node: Located) -> RatioPart:
    example = "{event: Order Completed, sum: revenue} or {event: Order Completed, count: true}"
    fields = _only(node, ("event", "sum", "count", "where"), ("event",), example)
    counted = "count" in fields
    if counted == ("sum" in fields):
        raise Wrong(
            f"has {'both' if counted else 'neither'} sum and count, write {example}".replace(
                "neither sum and", "neither sum nor"
            )
        )
    if counted and fields["count"].value is not True:
        raise Wrong(f"count: {fields['count'].described} is not true, write {example}", fields["count"].line)
    where = _countable(fields["where"]) if "where" in fields else {}
    return RatioPart(event=as_line(fields["event"]), sum=None if counted else as_line(fields["sum"]), where=where)


def _only(node: Located, known: tuple[str, ...], needed: tuple[str, ...], example: str) -> Mapping[str, Located]:
    if not isinstance(node.value, Mapping):
        raise Wrong(f"{node.described} is not enough, write {example}")
    unknown = [
        Wrong(f'unknown field "{name}"{did_you_mean(name, known)}', value.line)
        for name, value in node.value.items()
        if name not in known
    ]
    missing = [Wrong(f"{name} is missing, write {example}") for name in needed if name not in node.value]
    refuse([*unknown, *missing])
    return node.value


def _quantile(node: Located) -> float:
    value = as_number(node)
    if not 0 < value < 1:
        raise Wrong(f"{node.described} must lie between 0 and 1, as in 0.75")
    return value


def _steps(node: Located) -> tuple[str, ...]:
    return listed(as_line, least=2)(node)


def _from(node: Located) -> int:
    return 0 if node.text in ("0", "0 days") else as_seconds(node)
