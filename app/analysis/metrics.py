"""What is told of each metric: its title, what it is in a sentence, where it is defined, and what rests on it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from experiments.arrivals.names import events_read
from experiments.catalog.catalog import Catalog
from experiments.definitions.folder import builtin_metrics
from experiments.definitions.model import Experiment
from experiments.wording.definitions import definition_text
from experiments.wording.naming import title_of
from kit.located import Located, Location, Problems
from kit.yaml import read_yaml

FILES: Final = ("metrics.yaml", "metrics.yml")


def metrics_told(catalog: Catalog, definitions: Path) -> list[dict[str, Any]]:
    """Every metric in order of name, each with its definition. `definitions` is the folder of the files: the line of a
    metric is that of the file as it is now.
    """
    builtin, (file, lines) = {metric.name: metric for metric in builtin_metrics()}, lines_of(definitions)
    uses = _uses(catalog)
    return [
        {
            **metric.model_dump(mode="json", exclude_none=True),
            "title": title_of(metric),
            "described": definition_text(metric, catalog.shop.currency or ""),
            "events": events_read(metric),
            "built_in": builtin.get(name) == metric,
            **({} if builtin.get(name) == metric else _place(file, lines.get(name))),
            "used_by": uses.get(name, []),
        }
        for name, metric in sorted(catalog.metrics.items())
    ]


def _place(file: str, line: int | None) -> dict[str, Any]:
    """Where a metric of a file is defined."""
    return {"defined_in": file} if line is None else {"defined_in": file, "defined_on_line": line}


def lines_of(definitions: Path) -> tuple[str, Mapping[str, int]]:
    """The file of metrics in a folder, and the line where each begins; none where it cannot be read."""
    name = next((each for each in FILES if (definitions / each).is_file()), FILES[0])
    problems = Problems(name)
    try:
        root = read_yaml((definitions / name).read_bytes(), problems)
    except OSError:
        return name, {}
    fields: Mapping[str, Located] = Location(root, problems).fields if root is not None else {}
    return name, {metric: node.line for metric, node in fields.items()}


def _uses(catalog: Catalog) -> dict[str, list[dict[str, str]]]:
    """By metric: which experiments and holdouts use it, and as what."""
    found: dict[str, list[dict[str, str]]] = {}
    for key, experiment in sorted(catalog.experiments.items()):
        for name, role in _roles(experiment):
            found.setdefault(name, []).append({"kind": "experiment", "key": key, "used_as": role})
    for key, holdout in sorted(catalog.holdouts.items()):
        for name in holdout.metrics:
            found.setdefault(name, []).append({"kind": "holdout", "key": key, "used_as": "metric"})
    return found


def _roles(experiment: Experiment) -> Iterator[tuple[str, str]]:
    yield from ((name, "goal") for name in experiment.goals)
    yield from ((name, "secondary") for name in experiment.secondary)
    yield from ((guardrail.metric, "guardrail") for guardrail in experiment.guardrails)
