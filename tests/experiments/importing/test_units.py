"""Units that stand in several rows, rows that are units or events or counts, and what a table is split by."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples
from statsmodels.stats.multitest import multipletests

from experiments.answers.encoding import readout_json
from experiments.answers.readout import Readout
from experiments.importing.request import ImportFailed, import_request
from experiments.importing.table import import_table

Row = tuple[str, str, float, float]  # unit, variant, revenue, orders
METRICS = (
    "m=mean:revenue",
    "n=count:orders",
    "r=ratio:revenue/orders",
    "p=proportion:bought",
    "q=quantile:revenue@0.5",
)


def imported(folder: Path, rows: list[Row], metrics: tuple[str, ...] = METRICS, **options: Any) -> Readout:
    cells = [f"{unit},{arm},{money},{orders},{int(orders > 1)}" for unit, arm, money, orders in rows]
    return asked(folder, "\n".join(["unit,arm,revenue,orders,bought", *cells]), metrics, **options)


def asked(folder: Path, content: str, metrics: tuple[str, ...], **options: Any) -> Readout:
    path = folder / "t.csv"
    path.write_text(content)
    given = {"experiment": "x", "unit": "unit", "variant": "arm", "metrics": metrics, **options}
    return import_table(path, import_request(**given))


def said(readout: Readout) -> list[Any]:
    """The numbers of a readout: its sentences name what a unit is."""
    return [
        {**metric, **{name: list(unworded(metric[name])) for name in ("comparisons", "dimensions") if name in metric}}
        for metric in readout_json(readout)["metrics"]
    ]


def unworded(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in items:
        own = {name: value for name, value in item.items() if name != "sentence"}
        yield {**own, **({"comparisons": list(unworded(own["comparisons"]))} if "comparisons" in own else {})}


def singled(rows: list[Row], duplicates: str) -> list[Row]:
    """What a person would make of it, by hand."""
    of_unit: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        of_unit[row[0]].append(row)
    kept: list[Row] = []
    for found in of_unit.values():
        if len({arm for _, arm, _, _ in found}) > 1 or (duplicates == "drop" and len(found) > 1):
            continue
        unit, arm, _, _ = found[0]
        one = {"first": found[0], "last": found[-1], "drop": found[0]}.get(duplicates)
        kept.append(one or (unit, arm, sum(row[2] for row in found), sum(row[3] for row in found)))
    return kept


events = st.lists(
    st.tuples(
        st.integers(0, 12).map("v{}".format),
        st.sampled_from("aab"),
        st.integers(0, 50).map(float),
        st.integers(1, 3).map(float),
    ),
    max_size=25,
)
BOTH: list[Row] = [(f"{arm}{n}", arm, float(n), 1.0 + n % 2) for arm in "ab" for n in range(3)]


@settings(max_examples=examples(40), deadline=None)
@given(drawn=events, duplicates=st.sampled_from(["first", "last", "sum", "drop"]))
def test_units_that_repeat_become_what_a_person_would_make_of_them(
    drawn: list[Row], duplicates: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, rows = tmp_path_factory.mktemp("units"), [*drawn, *BOTH]
    metrics = METRICS if duplicates != "sum" else tuple(m for m in METRICS if not m.startswith("p="))
    found = imported(folder, rows, metrics, duplicates=duplicates)
    right = imported(folder, singled(rows, duplicates), metrics)
    assert said(found) == said(right)
    by_unit: dict[str, set[str]] = defaultdict(set)
    for unit, arm, _, _ in rows:
        by_unit[unit].add(arm)
    both = sum(len(arms) > 1 for arms in by_unit.values())
    assert found.health.excluded.both_groups == both
    assert found.health.multi_exposure.rate == pytest.approx(both / len(by_unit))


def test_rows_that_are_events_are_summed_and_a_proportion_is_any_of_them(tmp_path: Path) -> None:
    rows: list[Row] = [("u1", "a", 3.0, 1.0), ("u1", "a", 4.0, 2.0), ("u1", "a", 5.0, 2.0), ("u2", "b", 1.0, 1.0)]
    found = imported(tmp_path, [*rows, *BOTH], events=True)
    assert found.metric("m").arms[0].numerator == 12.0 + 0 + 1 + 2
    assert found.metric("n").arms[0].numerator == 5.0 + 1 + 2 + 1
    assert (found.metric("p").arms[0].numerator, found.metric("p").arms[0].units) == (2, 4)
    assert [check.code for check in found.health.checks] == []


def test_a_unit_in_both_groups_is_told_as_the_service_tells_it(tmp_path: Path) -> None:
    rows: list[Row] = [("both", "a", 3.0, 1.0), ("both", "b", 4.0, 2.0), *BOTH]
    found = imported(tmp_path, rows, duplicates="first")
    assert readout_json(found)["health"]["excluded"]["both_groups"] == 1
    assert [check.code for check in found.health.checks] == ["multi_exposure"]
    assert found.health.checks[0].detail == "14 % of the units stand in both groups; above 1 % look for the cause."


def test_what_was_dropped_is_counted(tmp_path: Path) -> None:
    rows: list[Row] = [("u1", "a", 3.0, 1.0), ("u1", "a", 4.0, 2.0), *BOTH]
    assert imported(tmp_path, rows, duplicates="drop").health.excluded.duplicates == 1
    assert imported(tmp_path, rows, duplicates="first").health.excluded.duplicates is None
    assert imported(tmp_path, BOTH, duplicates="drop").health.excluded.both_groups == 0


def test_a_variant_of_which_nothing_is_left_is_named(tmp_path: Path) -> None:
    rows: list[Row] = [("u1", "a", 3.0, 1.0), ("u1", "b", 4.0, 2.0), ("u2", "b", 4.0, 2.0)]
    with pytest.raises(ImportFailed, match="no unit of a is left"):
        imported(tmp_path, rows, duplicates="first")


def test_without_a_unit_each_row_is_one_and_the_answer_says_so(tmp_path: Path) -> None:
    named, unnamed = imported(tmp_path, BOTH), imported(tmp_path, BOTH, unit=None)
    assert [{**metric, "unit": "unit"} for metric in said(unnamed)] == said(named)
    assert {metric.unit for metric in unnamed.metrics} == {"row"}
    assert [check.code for check in unnamed.health.checks] == ["rows_are_units"]
    assert unnamed.health.excluded.both_groups is None


def test_counted_rows_say_what_their_units_would_and_add_up(tmp_path: Path) -> None:
    counts = [
        ("a", "phone", 400, 31, 11),
        ("b", "phone", 380, 45, 20),
        ("a", "desk", 150, 12, 3),
        ("b", "desk", 160, 9, 9),
    ]
    rows = "\n".join(["arm,device,visitors,signups,orders", *(",".join(map(str, count)) for count in counts)])
    metrics = ("s=proportion:signups/visitors", "o=proportion:orders/visitors")
    found = asked(tmp_path, rows, metrics, unit=None, counts=True, dimensions=["device"])
    units = [
        f"{arm}-{device}-{n},{arm},{device},{int(n < signups)},{int(n < orders)}"
        for arm, device, visitors, signups, orders in counts
        for n in range(visitors)
    ]
    table = "\n".join(["unit,arm,device,signups,orders", *units])
    right = asked(tmp_path, table, ("s=proportion:signups", "o=proportion:orders"), dimensions=["device"])
    assert close([{**metric, "unit": "unit"} for metric in said(found)], said(right))
    assert found.health.srm == right.health.srm
    assert [check.code for check in found.health.checks] == ["rows_are_counts"]


def close(left: Any, right: Any) -> bool:
    """Equal but for the last digits of numbers."""
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(close(left[name], right[name]) for name in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(close, left, right))
    return left == pytest.approx(right, rel=1e-9, abs=1e-12) if isinstance(left, float) else left == right


def test_the_levels_of_a_dimension_are_those_of_tables_of_their_own(tmp_path: Path) -> None:
    chance = np.random.default_rng(5)
    lines = [f"u{n},{'ab'[n % 2]},{chance.gamma(2):.3f},{['x', 'y', ''][chance.integers(3)]}" for n in range(300)]
    header = "unit,arm,v,where"
    metrics = ("m=mean:v", "q=quantile:v@0.9")
    found = asked(tmp_path, "\n".join([header, *lines]), metrics, dimensions=["where"])
    assert [level.level for level in found.metric("m").dimensions] == ["", "x", "y"]
    assert {row.level for row in found.health.srm.drill_down} == {"", "x", "y"}
    for name in ("m", "q"):
        for level in found.metric(name).dimensions:
            there = [line for line in lines if line.rpartition(",")[2] == level.level]
            alone = asked(tmp_path, "\n".join([header, *there]), metrics).metric(name)
            assert close(numbers_of(level.arms), numbers_of(alone.arms))
            assert level.exploratory


def numbers_of(arms: Any) -> list[Any]:
    return [[arm.variant, arm.units, arm.numerator, float(arm.value), float(arm.variance)] for arm in arms]


def test_a_quantile_is_that_of_the_units(tmp_path: Path) -> None:
    values = np.random.default_rng(1).gamma(2.0, 10.0, 400).round(3)
    lines = [f"u{n},{'ab'[n % 2]},{value}" for n, value in enumerate(values)]
    found = asked(tmp_path, "\n".join(["unit,arm,v", *lines]), ("p90=quantile:v@0.9",)).metrics[0]
    right = [np.quantile(values[arm::2], 0.9, method="inverted_cdf") for arm in (0, 1)]
    assert [arm.value for arm in found.arms] == pytest.approx(right)
    assert found.comparisons[0].difference == pytest.approx(right[1] - right[0])


@pytest.mark.parametrize(("correction", "known"), [("holm", "holm"), ("bh", "fdr_bh")])
def test_alpha_and_the_correction_are_those_that_were_asked_for(correction: str, known: str, tmp_path: Path) -> None:
    chance = np.random.default_rng(3)
    lines = [
        ",".join([f"u{n}", "ab"[n % 2], *(f"{chance.gamma(2) + effect * (n % 2):.3f}" for effect in (0.3, 0.2, 0.0))])
        for n in range(400)
    ]
    metrics = ("x=mean:x", "y=mean:y", "z=mean:z")
    content = "\n".join(["unit,arm,x,y,z", *lines])
    found = asked(tmp_path, content, metrics, correction=correction, alpha=0.2)
    compared = [metric.comparisons[0] for metric in found.metrics]
    assert [each.p_adjusted for each in compared] == pytest.approx(
        multipletests([each.p for each in compared], method=known)[1]
    )
    wide = asked(tmp_path, content, metrics).metrics[0].comparisons[0].ci
    assert compared[0].ci.width < 0.8 * wide.width
