"""`resonate schema`: JSON Schema of the definition files, so that an editor completes and checks them.

An editor reads plain scalars as YAML 1.2 does (`10` is a number, `NO` a text), so a text may be a number there too.
What only the whole folder can say (unknown names, shares that overlap, weights that add up) is left to the check.

`resonate new KEY`: a commented experiment file that passes `resonate check` as it stands.
"""

from __future__ import annotations

from pathlib import Path
from re import fullmatch
from typing import Any, Final, Literal, get_args

from experiments.definitions.folder import SIDES, SUFFIXES
from experiments.definitions.metrics import FIELDS, NEEDED, SURVEYS
from experiments.definitions.model import (
    Correction,
    IdentityRule,
    Method,
    MetricType,
    NotInReason,
    Outcome,
    Status,
    Strategy,
    UnitKind,
    Want,
)
from experiments.definitions.quantities import DATE, DURATION, KEY, MONEY, NAME, NUMBER, PERCENTAGE
from experiments.definitions.side_files import BOOSTED, FILTERED

Schema = dict[str, Any]
SchemaKind = Literal["experiment", "shop", "metrics", "segments", "holdouts", "recommendations"]
_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_SCALAR: Final = ["string", "number", "boolean"]
_TEXT: Final[Schema] = {"type": _SCALAR, "pattern": r"\S"}
_NAME: Final[Schema] = {"type": _SCALAR, "pattern": f"^{NAME}$"}
_TRUTH: Final[Schema] = {"type": "boolean"}
_CONDITION: Final[Schema] = {"type": "object", "description": "GrowthBook condition language"}


def json_schema(kind: SchemaKind = "experiment") -> Schema:
    """The JSON Schema (2020-12) of one kind of file."""
    makers = {
        "experiment": experiment_schema,
        "shop": _shop,
        "metrics": _metrics,
        "segments": lambda: _by_name(_fields({"where": _CONDITION}, ["where"])),
        "holdouts": lambda: _by_name(_fields({"share": _words(PERCENTAGE)}, ["share"])),
        "recommendations": lambda: _by_name(_slot()),
    }
    return {"$schema": _DRAFT, "title": f"Resonate {kind}", **makers[kind]()}


def _words(*patterns: str, **more: Any) -> Schema:
    """A text (or a number, as an editor may read it) of one of these patterns."""
    return {"type": "string", "pattern": f"^(?:{'|'.join(patterns)})$", **more}


def _one_of(literal: Any, **more: Any) -> Schema:
    return {"enum": list(get_args(literal)), **more}


def _whole(least: int, most: int, **more: Any) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most, **more}


def _list(items: Schema, least: int = 0) -> Schema:
    return {"type": "array", "items": items, "minItems": least, "uniqueItems": True}


def _fields(properties: dict[str, Schema], required: list[str] | None = None, *, kept: tuple[str, ...] = ()) -> Schema:
    """A mapping of these fields and no others; optional ones may be null (`kept`: null is a value of its own)."""
    needed = required or []
    optional = {name: _or_null(part) for name, part in properties.items() if name not in needed and name not in kept}
    return {
        "type": "object",
        "properties": {name: optional.get(name, part) for name, part in properties.items()},
        "required": needed,
        "additionalProperties": False,
    }


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _by_name(schema: Schema) -> Schema:
    return {"type": "object", "patternProperties": {f"^{NAME}$": schema}, "additionalProperties": False}


def _any_of(*schemas: Schema, **more: Any) -> Schema:
    return {"anyOf": list(schemas), **more}


def _positive(**more: Any) -> Schema:
    return _any_of({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, _words(PERCENTAGE), **more)


def _days(**more: Any) -> Schema:
    return _any_of(_whole(1, 1000), _words("[0-9]{1,4} ?days?"), **more)


def experiment_schema() -> Schema:
    """The schema of an experiment file."""
    properties: dict[str, Schema] = {
        "key": {**_NAME, "pattern": f"^{KEY}$", "description": "The name of the file and of the flag"},
        "name": {**_TEXT, "description": "What reports call it"},
        "owner": _TEXT,
        "hypothesis": _TEXT,
        "status": _one_of(Status, default="draft"),
        "start": _words(DATE),
        "end": _words(DATE),
        "phase": _whole(0, 9999, default=0, description="A change of design is a new phase"),
        "unit": _one_of(UnitKind, default="visitor"),
        "layer": _fields({"name": _NAME, "share": _pair()}, ["name", "share"]),
        "holdouts": _list(_NAME),
        "traffic": _any_of(_words(PERCENTAGE), _traffic_by_date(), default="100%"),
        "audience": _fields({"segments": _list(_NAME), "where": _CONDITION}),
        "variants": {**_list(_any_of(_NAME, _variant()), least=2), "description": "The first is the control"},
        "preview": _fields({"variant": _NAME, "visitors": _list(_TEXT)}, ["variant", "visitors"]),
        "goal": _NAME,
        "goals": _list(_NAME, least=1),
        "secondary": _list(_NAME),
        "guardrails": {
            "type": "object",
            "patternProperties": {f"^{NAME}$": _guardrail()},
            "additionalProperties": False,
        },
        "plan": _plan(),
        "tests": {"type": "array", "items": _any_of(_visitor_test(), _split_test())},
        "decision": _fields({"outcome": _one_of(Outcome), "variant": _NAME, "note": _TEXT}),
    }
    one_goal = {"oneOf": [{"required": ["goal"]}, {"required": ["goals"]}]}
    return {**_fields(properties, ["key", "variants"]), **one_goal}


def _pair() -> Schema:
    return {"type": "array", "items": _words(PERCENTAGE), "minItems": 2, "maxItems": 2}


def _traffic_by_date() -> Schema:
    steps = {f"^{DATE}$": _words(PERCENTAGE)}
    return {"type": "object", "patternProperties": steps, "additionalProperties": False, "minProperties": 1}


def _variant() -> Schema:
    properties: dict[str, Schema] = {
        "key": _NAME,
        "weight": _any_of({"type": "number", "minimum": 0}, _words(PERCENTAGE, NUMBER)),
        "payload": {"description": "Any JSON, of one type in all variants", "default": {}},
        "recommend": {
            **_fields({"slot": _NAME, "strategy": _one_of(Strategy), "limit": _whole(1, 100)}),
            "anyOf": [{"required": ["slot"]}, {"required": ["strategy"]}],
        },
    }
    return _fields(properties, ["key"], kept=("payload",))


def _guardrail() -> Schema:
    harm = _words(PERCENTAGE, f"{NUMBER} points?")
    return _any_of(harm, _fields({"max_harm": harm, "require": {"const": "safe"}}, ["max_harm"]))


def _plan() -> Schema:
    effect = _words(PERCENTAGE)
    return _fields(
        {
            "method": _one_of(Method, default="anytime"),
            "alpha": _positive(default=0.05),
            "power": _positive(default=0.8),
            "days": _days(default=28),
            "min_days": _days(default=7),
            "looks": _whole(1, 100, default=4),
            "mde": {"type": "object", "patternProperties": {f"^{NAME}$": effect}, "additionalProperties": False},
            "cuped": _any_of(_words(DURATION, "off", "0 days"), {"enum": [False, 0]}, default="14 days"),
            "correction": _one_of(Correction, default="holm"),
            "dimensions": _list(_TEXT),
            "prior": _fields({"mean": _words(f"-?{PERCENTAGE}"), "sd": effect}, ["sd"]),
            "identity": _one_of(IdentityRule, default="first_touch"),
        }
    )


def _visitor_test() -> Schema:
    given = _fields({"visitor": _TEXT, "user": _TEXT, "segments": _list(_NAME), "attributes": {"type": "object"}})
    named = {"anyOf": [{"required": ["visitor"]}, {"required": ["user"]}]}
    expect = _fields({"in": _TRUTH, "because": _one_of(NotInReason), "variant": _NAME})
    return _fields({"given": {**given, **named}, "expect": {**expect, "minProperties": 1}}, ["given", "expect"])


def _split_test() -> Schema:
    return _fields({"split": _whole(100, 1_000_000), "tolerance": _words(PERCENTAGE, default="1%")}, ["split"])


def _shop() -> Schema:
    return _fields(
        {
            "timezone": {"type": "string", "default": "UTC", "examples": ["Europe/Bratislava"]},
            "currency": {"type": "string", "pattern": "^[A-Z]{3}$", "default": "EUR"},
            "cookie_domain": {"type": "string", "examples": [".shop.example"]},
        }
    )


def _metrics() -> Schema:
    return _by_name(_any_of(*(_metric(kind) for kind in get_args(MetricType))))


def _metric(kind: str) -> Schema:
    parts = _metric_parts()
    needed = [field for field in FIELDS[kind] if field in NEEDED and not (field == "event" and kind in SURVEYS)]
    properties = {"type": {"const": kind}, **{field: parts[field] for field in FIELDS[kind]}}
    return _fields({**properties, "want": _one_of(Want, default="up")}, ["type", *needed])


def _metric_parts() -> dict[str, Schema]:
    part = {"event": _TEXT, "where": _CONDITION}
    counted = _fields({**part, "count": {"const": True}}, ["event", "count"])
    summed = _fields({**part, "sum": _TEXT}, ["event", "sum"])
    subtract = {"event": _TEXT, "value": _TEXT, "within": _words(DURATION)}
    return {
        "event": _TEXT,
        "value": _TEXT,
        "where": _CONDITION,
        "window": _words(DURATION, default="7 days"),
        "cap": _any_of(
            {"type": "number", "exclusiveMinimum": 0}, _words(r"p[0-9]{1,2}(?:\.[0-9]{1,4})?", DURATION, MONEY)
        ),
        "subtract": _fields(subtract, ["event", "value"]),
        "numerator": _any_of(counted, summed),
        "denominator": _any_of(counted, summed),
        "q": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        "steps": _list(_TEXT, least=2),
        "from": _any_of(_words(DURATION, "0 days"), {"const": 0}),
        "to": _words(DURATION),
    }


def _slot() -> Schema:
    properties: dict[str, Schema] = {
        "strategy": _one_of(Strategy, default="for_you"),
        "limit": _whole(1, 100, default=10),
        "fallback": _one_of(Strategy, default="popular"),
        "rules": _rules(),
    }
    return _fields(properties)


def _rules() -> Schema:
    by_value = {"type": "object", "additionalProperties": {"type": "number", "exclusiveMinimum": 0, "maximum": 100}}
    properties: dict[str, Schema] = {
        "include": _list(_TEXT),
        "exclude": _list(_TEXT),
        "boost": _fields({field: by_value for field in BOOSTED}),
        "exclude_purchased": _TRUTH,
        "repurchase_after": _words(DURATION),
        "accessories_of": {"type": "object", "additionalProperties": _list(_TEXT, least=1)},
        "diversity": {"type": "number", "minimum": 0, "maximum": 1},
        **{field: {} for field in FILTERED},
    }
    return _fields(properties)


TEMPLATE: Final = """\
key: {key}            # the name of this file, and of the flag in every client
# name: What the experiment is called in reports
# owner: growth@shop.example
# hypothesis: Saying X instead of Y lifts the purchase rate by at least 4 %.
status: draft         # draft | running | paused | stopped | archived
# start: 2026-01-05   # dates without a zone are the shop's (shop.yaml)
# end: 2026-02-02
# traffic: 100%       # share of the audience that takes part; it may only widen while the experiment runs
# audience:
#   where: {{device: {{$in: [mobile, desktop]}}}}
variants:             # the first is the control; equal weights unless each has a weight
  - {{key: control, payload: {{}}}}
  - {{key: treatment, payload: {{}}}}      # the payload is what the website gets
goal: purchase_rate   # the metric that decides; more in secondary
# secondary: [revenue_per_visitor, engaged_time]
# guardrails: {{refund_rate: 10%}}         # the largest harm you would bear
# plan: {{days: 28, mde: {{purchase_rate: 4%}}}}
tests:                # run by `resonate check`
  - {{given: {{visitor: v-1, attributes: {{device: mobile}}}}, expect: {{in: true}}}}
  - {{split: 10000, tolerance: 3%}}
"""


class ScaffoldRefused(ValueError):
    """The file cannot be made; the message says why, and what would be right."""


def new_experiment(key: str, folder: Path) -> Path:
    """Write a commented experiment into a folder (made where absent); raises ScaffoldRefused, overwrites nothing."""
    if not fullmatch(KEY, key):
        raise ScaffoldRefused(
            f'"{key[:100]}" is no key; a-z, 0-9, dots, dashes and underscores, a letter or digit first'
        )
    if key in SIDES:
        raise ScaffoldRefused(f'"{key}" is the name of a side file, choose another key')
    for suffix in SUFFIXES:
        if (folder / f"{key}{suffix}").exists():
            raise ScaffoldRefused(f"{key}{suffix} exists already, choose another key")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{key}{SUFFIXES[0]}"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE.format(key=key))
    except FileExistsError:
        raise ScaffoldRefused(f"{path.name} exists already, choose another key") from None
    return path
