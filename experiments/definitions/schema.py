"""`resonate schema`: JSON Schema of the definition files, so that an editor completes and checks them.

An editor reads plain scalars as YAML 1.2 does (`10` is a number, `NO` a text), so a text may be a number there too.
What only the whole folder can say (unknown names, shares that overlap, weights that add up) is left to the check.

`resonate new KEY`: a commented experiment file that passes `resonate check` as it stands.
"""

from collections.abc import Mapping
from pathlib import Path
from re import fullmatch
from typing import Final, Literal

from experiments.definitions.experiment import EXPERIMENT_SCHEMA
from experiments.definitions.folder import SIDES, SUFFIXES
from experiments.definitions.grammar import Schema
from experiments.definitions.metrics import METRICS
from experiments.definitions.quantities import KEY_PATTERN
from experiments.definitions.side_files import HOLDOUTS, RECOMMENDATIONS, SEGMENTS, SHOP
from kit.files import create_file

SchemaKind = Literal["experiment", "shop", "metrics", "segments", "holdouts", "recommendations"]
_SCHEMAS: Final[Mapping[SchemaKind, Schema]] = {
    "experiment": EXPERIMENT_SCHEMA,
    "shop": SHOP.kind.schema,
    "metrics": METRICS.schema,
    "segments": SEGMENTS.schema,
    "holdouts": HOLDOUTS.schema,
    "recommendations": RECOMMENDATIONS.schema,
}


def json_schema(kind: SchemaKind = "experiment") -> Schema:
    """The JSON Schema (2020-12) of one kind of file."""
    draft = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": draft, "title": f"Resonate {kind}", **_SCHEMAS[kind]}


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
    return path
