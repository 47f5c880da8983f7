"""The marketer's guide is true: its files pass the check, its tables are what the code does."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from worlds.catalog_folders import catalog_in

from experiments.assignment.assign import Assignment, assign
from experiments.catalog.check import check_folder
from experiments.definitions.design import PLAN
from experiments.definitions.experiment import EXPERIMENT, SPLIT_TEST, VARIANT
from experiments.definitions.folder import builtin_metrics, read_sources
from experiments.definitions.grammar import Section
from experiments.definitions.metrics import FIELDS, OF_TYPE
from experiments.definitions.model import Experiment, SplitTest
from experiments.definitions.shop import Metric, Shop, Slot
from experiments.definitions.side_files import SHOP, SLOT

GUIDE = (Path(__file__).parents[3] / "docs" / "definitions.md").read_text(encoding="utf-8")
NOW = datetime(2026, 1, 10, tzinfo=UTC)


def table(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading."""
    blocks = GUIDE.split(f"{heading}\n")[1].split("\n\n")
    rows = next(block.strip() for block in blocks if block.strip().startswith("| ")).split("\n")[2:]
    return [[cell.strip().strip("`") for cell in row.split("|")[1:-1]] for row in rows]


def guide_folder(folder: Path) -> Path:
    for block in GUIDE.split("```yaml\n")[1:]:
        text = block.partition("```")[0]
        (folder / text.partition("\n")[0].removeprefix("# ")).write_text(text)
    return folder


def test_the_files_of_the_guide_pass_the_check(tmp_path: Path) -> None:
    result = check_folder(guide_folder(tmp_path), NOW)
    assert result.errors == ()
    assert (result.experiments, result.tests) == (2, 3)


IN_WORDS = {  # defaults that are no value a file could hold
    "name": "the key", "layer": "none", "holdouts": "none", "audience": "everyone",
    "weight of a variant": "equal weights", "cookie_domain of the shop": "the host",
}  # fmt: skip


def defaults() -> dict[str, str]:
    """What the fields mean where they are left out, as the grammar of the files has it."""
    sections = (
        ("", Section(Experiment, EXPERIMENT)), (" of a variant", VARIANT), ("plan.", PLAN),
        (" of a metric", OF_TYPE["count"]), (" of the shop", SHOP), (" of a split test", SPLIT_TEST),
        (" of a slot", SLOT),
    )  # fmt: skip
    found = dict(IN_WORDS)
    for whose, section in sections:
        for name, schema in section.kind.schema["properties"].items():
            default = schema.get("anyOf", [schema])[0].get("default", schema.get("default"))
            label = f"{whose}{name}" if whose.endswith(".") else f"{name}{whose}"
            found |= {} if default is None else {label: str(default)}
    return found


def test_the_table_of_defaults_is_that_of_the_grammar() -> None:
    assert dict(rows_of_defaults()) == defaults()


def test_what_is_left_out_is_read_as_the_models_default() -> None:
    text = "key: k\nvariants: [a, b]\ngoal: m\ntests:\n  - {split: 100}\n"
    sides = {"metrics.yaml": b"m: {type: count, event: e}\n", "recommendations.yaml": b"s: {}\n"}
    reading = read_sources({"k.yaml": text.encode(), **sides})
    content, experiment = reading.complete(), reading.files["k"].experiment
    smallest = Experiment(key="k", name="k", variants=experiment.variants, goals=("m",), tests=experiment.tests)
    assert experiment == smallest
    assert experiment.tests == (SplitTest(line=5, visitors=100),)
    assert [variant.weight for variant in experiment.variants] == [0.5, 0.5]
    assert (content.shop, content.slots) == (Shop(), (Slot(name="s"),))
    assert Metric(name="m", type="count", event="e") in content.metrics


def rows_of_defaults() -> list[tuple[str, str]]:
    rows = re.findall(r"^\| `([^`]+)`([^|]*) \| `?([^|`]+)`? \|$", GUIDE.split("## The long form")[0], re.MULTILINE)
    return [(field + more, value) for field, more, value in rows]


def test_days_bound_looks_and_the_least_days() -> None:
    reading = read_sources({"k.yaml": b"key: k\nvariants: [a, b]\ngoal: csat\nplan: {days: 3}\n"})
    plan = reading.complete().experiments[0].plan
    assert (plan.min_days, plan.looks) == (3, 3)


def test_the_table_of_metric_types_is_true() -> None:
    rows = table("### Metric types")
    assert {row[0]: tuple(re.findall(r"\w+", row[2])) for row in rows} == FIELDS


def test_the_list_of_built_in_metrics_is_true() -> None:
    listed = re.findall(r"`(\w+)`", GUIDE.split("name there replaces it): ")[1].split(".\n")[0])
    assert listed == [metric.name for metric in builtin_metrics()]


BASE = "key: banner\nvariants: [control, threshold]\ngoal: csat\n"
STATES = {
    "draft": "status: draft\n",
    "archived": "status: archived\n",
    "before start": "status: running\nstart: 2026-01-11\n",
    "paused": "status: paused\n",
    "after end": "status: running\nend: 2026-01-09\n",
    "stopped": "status: stopped\n",
    "stopped and shipped": "status: stopped\ndecision: {outcome: shipped, variant: threshold}\n",
    "audience says no": "status: running\naudience: {where: {device: fridge}}\n",
    "layer says no": "status: running\nlayer: {name: l, share: [0%, 0.01%]}\n",
    "holdout says no": "status: running\nholdouts: [most]\n",
    "traffic says no": "status: running\ntraffic: 0%\n",
    "unit says no": "status: running\nunit: user\n",
    "preview": "status: running\npreview: {variant: threshold, visitors: [v-1]}\n",
    "force": "status: running\n",
    "assigned": "status: running\n",
}


@pytest.mark.parametrize("row", table("## What is served, and what is counted"), ids=lambda row: row[0])
def test_the_table_of_states_is_true(tmp_path: Path, row: list[str]) -> None:
    state, answer, reason, because, enrols = row
    (tmp_path / "banner.yaml").write_text(BASE + STATES[state])
    (tmp_path / "holdouts.yaml").write_text("most: {share: 99.99%}\n")
    catalog = catalog_in(tmp_path)
    compiled = catalog.full.compiled.get("banner")
    if answer == "not found":
        assert compiled is None
        return
    assert compiled
    if state == "before start":
        assert answer == "control (a secret key), not found (pages)"
        assert catalog.released.at(NOW.timestamp()).compiled == {}
        answer = "control"
    forced = {"banner": "threshold"} if state == "force" else None
    found: Assignment = assign(compiled, "v-1", {}, NOW.timestamp(), forced)
    expected = found.variant if answer == "its variant" else answer
    assert (found.variant, found.reason, found.because or "") == (expected, reason, because)
    assert found.enrols == (enrols == "by exposure")


def test_every_state_is_in_the_table() -> None:
    assert [row[0] for row in table("## What is served, and what is counted")] == list(STATES)
