"""`resonate schema`: JSON Schema of the definition files, so that an editor completes and checks them.

An editor reads plain scalars as YAML 1.2 does (`10` is a number, `NO` a text), so a text may be a number there too.
What only the whole folder can say (unknown names, shares that overlap, weights that add up) is left to the check.

`resonate new KEY`: a commented experiment file that passes `resonate check` as it stands, and the schema beside it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from re import fullmatch
from typing import Any, Final, Literal

from experiments.definitions.experiment import EXPERIMENT_SCHEMA
from experiments.definitions.folder import SIDES, SUFFIXES, builtin_metrics, read_folder
from experiments.definitions.grammar import Schema
from experiments.definitions.metrics import METRICS
from experiments.definitions.quantities import KEY_PATTERN, NAME
from experiments.definitions.shop import Metric
from experiments.definitions.side_files import HOLDOUTS, RECOMMENDATIONS, SEGMENTS, SHOP
from kit.files import create_file, replace_file

SchemaKind = Literal["experiment", "shop", "metrics", "segments", "holdouts", "recommendations"]
SCHEMA_FILE: Final = "experiment.schema.json"  # beside the definition files, which it is none of
FIRST_LINE: Final = f"# yaml-language-server: $schema=./{SCHEMA_FILE}\n"
"""What an experiment file begins with, so that editors know what may stand in it."""
_SCHEMAS: Final[Mapping[SchemaKind, Schema]] = {
    "experiment": EXPERIMENT_SCHEMA,
    "shop": SHOP.kind.schema,
    "metrics": METRICS.schema,
    "segments": SEGMENTS.schema,
    "holdouts": HOLDOUTS.schema,
    "recommendations": RECOMMENDATIONS.schema,
}
_OF_METRICS: Final = ("goal", "goals", "secondary", "guardrails", "plan.mde")
_MEANINGS: Final = Path(__file__).with_name("meanings.json")


def json_schema(kind: SchemaKind = "experiment", metrics: Iterable[Metric] = ()) -> Schema:
    """The JSON Schema (2020-12) of one kind of file, each field described; that of experiments names the metrics."""
    draft = "https://json-schema.org/draft/2020-12/schema"
    schema = _described(_SCHEMAS[kind], "", json.loads(_MEANINGS.read_bytes())[kind])
    titles = {metric.name: metric.title or metric.name.replace("_", " ") for metric in metrics}
    for path in _OF_METRICS if kind == "experiment" and titles else ():
        for part in _parts(schema, path.split(".")):
            _name_metrics(part, titles)
    return {"$schema": draft, "title": f"Resonate {kind}", **schema}


def schema_of_folder(folder: Path) -> bytes:
    """The schema file of a folder of definitions, which names its metrics; where it has mistakes the built-in ones."""
    content = read_folder(folder).content if folder.is_dir() else None
    metrics = builtin_metrics() if content is None else content.metrics
    return json.dumps(json_schema("experiment", metrics), indent=1, ensure_ascii=False).encode() + b"\n"


def lay_schema_beside(folder: Path) -> None:
    """Makes the schema file of a folder that has none. Raises OSError."""
    if not (folder / SCHEMA_FILE).exists():
        create_file(folder / SCHEMA_FILE, schema_of_folder(folder))


def refresh_schema(folder: Path) -> Path | None:
    """Writes the schema file of a folder that has one anew; None where it has none. Raises OSError."""
    path = folder / SCHEMA_FILE
    if not path.is_file():
        return None
    replace_file(path, schema_of_folder(folder))
    return path


def _described(schema: Any, path: str, meanings: Mapping[str, str]) -> Any:
    """A copy in which each property says what it is, where it does not say so itself."""
    if isinstance(schema, list):
        return [_described(each, path, meanings) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    parts = {name: _described(part, path, meanings) for name, part in schema.items() if name != "properties"}
    for name, part in schema.get("properties", {}).items():
        inner = f"{path}.{name}" if path else name
        told = {"description": meanings[inner]} if inner in meanings else {}
        parts.setdefault("properties", {})[name] = {**told, **_described(part, inner, meanings)}
    return parts


def _parts(schema: Schema, path: Sequence[str]) -> Iterator[Schema]:
    """The schemas of a field, by the way to it."""
    if not path:
        yield schema
        return
    if path[0] in schema.get("properties", {}):
        yield from _parts(schema["properties"][path[0]], path[1:])
    for each in schema.get("anyOf", ()):
        yield from _parts(each, path)


def _name_metrics(schema: Schema, titles: Mapping[str, str]) -> None:
    """Offers the metrics where one is named: as a word, in a list, as `metric` of a mapping, or as its names."""
    for each in schema.get("anyOf", ()):
        _name_metrics(each, titles)
    if "items" in schema:
        _name_metrics(schema["items"], titles)
    if "metric" in schema.get("properties", {}):
        _name_metrics(schema["properties"]["metric"], titles)
    for part in schema.get("patternProperties", {}).values():
        schema["properties"] = {name: {"description": title, **part} for name, title in titles.items()}
    if schema.get("pattern") == NAME.schema["pattern"]:
        word = {name: schema.pop(name) for name in ("type", "pattern")}
        schema["anyOf"] = [{"enum": list(titles)}, word]


TEMPLATE: Final = (
    FIRST_LINE
    + """\
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
)


class ScaffoldRefused(ValueError):
    """The file cannot be made; the message says why, and what would be right."""


def new_experiment(key: str, folder: Path) -> Path:
    """Write a commented experiment into a folder (made where absent); raises ScaffoldRefused, overwrites nothing."""
    if not fullmatch(KEY_PATTERN, key):
        raise ScaffoldRefused(
            f'"{key[:100]}" is no key; a-z, 0-9, dots, dashes and underscores, a letter or digit first'
        )
    if key in SIDES:
        raise ScaffoldRefused(f'"{key}" is the name of a side file, choose another key')
    for suffix in SUFFIXES:
        if (folder / f"{key}{suffix}").exists():
            raise ScaffoldRefused(f"{key}{suffix} exists already, choose another key")
    path = folder / f"{key}{SUFFIXES[0]}"
    if not create_file(path, TEMPLATE.format(key=key).encode()):
        raise ScaffoldRefused(f"{path.name} exists already, choose another key")
    lay_schema_beside(folder)
    return path
