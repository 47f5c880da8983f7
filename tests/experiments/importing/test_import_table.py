"""Tables from elsewhere: real data with known answers, and every table that cannot be analysed."""

import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.estimates import existing
from oracles.proving import examples

from events.engines.tables import Table, parquet_bytes
from experiments.answers.comparison import ComparisonReadout
from experiments.answers.encoding import readout_json
from experiments.importing.request import ImportFailed, ImportRequest, import_request
from experiments.importing.table import import_table
from experiments.statistics.estimate import Caveat, NoEstimate
from experiments.statistics.moments import JointMoments


def gates(shared: Path, *metrics: str) -> dict[str, object]:
    request = import_request(experiment="gates", unit="userid", variant="version", metrics=metrics)
    return readout_json(import_table(shared / "data" / "cookie_cats.csv", request))


def test_cookie_cats_gives_the_published_numbers(shared: Path) -> None:
    found = gates(
        shared, "retention_7=proportion:retention_7", "retention_1=proportion:retention_1", "rounds=mean:sum_gamerounds"
    )
    assert found["health"]["srm"]["p"] == pytest.approx(0.0086079878, abs=5e-11)
    assert not found["health"]["srm"]["alarm"]
    week, day, rounds = (metric["comparisons"][0]["methods"] for metric in found["metrics"])
    assert [arm["value"] for arm in found["metrics"][0]["arms"]] == pytest.approx([0.190201, 0.182000], abs=5e-7)
    assert week["fixed"]["p"] == pytest.approx(0.00155653018, abs=5e-12)
    assert week["fixed"]["difference_ci"] == pytest.approx([-0.01328167703, -0.00312091960], abs=5e-12)
    assert week["fixed"]["ci"] == pytest.approx([-0.068902, -0.016635], abs=5e-7)
    assert found["metrics"][0]["comparisons"][0]["lift"] == pytest.approx(-0.043119, abs=5e-7)
    assert week["z_pooled"] == pytest.approx({"statistic": -3.1643589, "p": 0.00155424998}, abs=5e-8)
    assert day["fixed"]["p"] == pytest.approx(0.07441443714, abs=5e-12)
    assert day["z_pooled"] == pytest.approx({"statistic": -1.7840862, "p": 0.0744096553}, abs=5e-8)
    assert rounds["fixed"]["p"] == pytest.approx(0.37592438409, abs=5e-12)
    assert found["watermark"] is None
    assert len(found["fingerprint"]) == 64


def test_cookie_cats_without_its_outlier(shared: Path, tmp_path: Path) -> None:
    lines = (shared / "data" / "cookie_cats.csv").read_text().splitlines(keepends=True)
    table = tmp_path / "cats.csv"
    table.write_text("".join(line for line in lines if ",49854," not in line))
    request = import_request(experiment="gates", unit="userid", variant="version", metrics=["r=mean:sum_gamerounds"])
    found = import_table(table, request)
    assert found.metrics[0].comparisons[0].methods.fixed.p == pytest.approx(0.9494686215, abs=5e-11)


def parquet(folder: Path, **columns: object) -> Path:
    path = folder / "table.parquet"
    path.write_bytes(parquet_bytes(Table(columns)))
    return path


def request(*metrics: str, **options: object) -> ImportRequest:
    return import_request(experiment="x", unit="unit", variant="arm", metrics=metrics, **options)


def test_a_covariate_narrows_the_interval_and_a_ratio_takes_its_two_columns(tmp_path: Path) -> None:
    chance = np.random.default_rng(1)
    before = chance.normal(10, 3, 400)
    after = before + chance.normal(0, 1, 400)
    path = parquet(
        tmp_path,
        unit=list(range(400)),
        arm=["control", "b"] * 200,
        money=after.tolist(),
        before=before.tolist(),
        orders=[float(n % 3 + 1) for n in range(400)],
    )
    found = import_table(path, request("m=mean:money", "r=ratio:money/orders", covariates=["m=before"]))
    adjusted = found.metric("m").comparisons[0]
    assert adjusted.cuped
    assert adjusted.methods.unadjusted is not None
    assert existing(adjusted.ci).width < 0.5 * existing(adjusted.methods.unadjusted.ci).width
    moments = JointMoments.of({"y": after[::2], "d": [n % 3 + 1 for n in range(0, 400, 2)]})
    assert found.metric("r").arms[0].value == pytest.approx(moments.mean("y") / moments.mean("d"))


def test_the_buyers_of_a_table_are_its_events(tmp_path: Path) -> None:
    money = [5.0 + n if n % 100 < 2 else 0.0 for n in range(1000)]
    path = parquet(tmp_path, unit=list(range(1000)), arm=["control", "b"] * 500, money=money, orders=[1.0] * 1000)
    found = import_table(path, request("m=mean:money", "r=ratio:money/orders", method="anytime"))
    for metric in found.metrics:
        judged = metric.comparisons[0]
        assert (judged.gate.expected, judged.gate.open) == (10.0, True)
        assert existing(judged.p) > 0.0


def test_large_values_do_not_cancel(tmp_path: Path) -> None:
    values = [1e15 + (n % 3) for n in range(600)]
    path = parquet(tmp_path, unit=list(range(600)), arm=["control"] * 300 + ["b"] * 300, v=values)
    arm = import_table(path, request("v=mean:v")).metrics[0].arms[0]
    assert arm.variance == pytest.approx(np.var(np.array(values[:300]) - 1e15, ddof=1), rel=1e-9)


def test_a_difference_finer_than_the_means_can_hold_is_no_difference(tmp_path: Path) -> None:
    """At 1e15 a mean has a last place of 1/8: two of the same traffic used to differ with p = 2e-15."""
    chance = random.Random(0)
    rows = [f"u{n},{'b' if n % 2 else 'control'},{1e15 + round(chance.gauss(0.06, 1) * 8) / 8!r}" for n in range(16000)]
    found = _import(tmp_path, ["unit,variant,y", *rows], ["m=mean:y"])
    assert (found.p, found.reasons) == (NoEstimate(Caveat.OUT_OF_RANGE), ("out_of_range",))


def test_a_covariate_far_from_zero_says_what_it_says_near_it(tmp_path: Path) -> None:
    chance = random.Random(3)
    rows: dict[float, list[str]] = {0.0: [], 1e15: []}
    for number in range(300):
        x = round(chance.gauss(0, 1) * 8) / 8
        y = x + chance.gauss(0, 0.5) + 10
        for far, lines in rows.items():
            lines.append(
                f"u{number},{'b' if number % 2 else 'control'},{y!r},{'' if number % 7 == 3 else repr(far + x)}"
            )
    answers = {
        far: _import(tmp_path, ["unit,variant,y,x", *lines], ["m=mean:y"], ["m=x"]) for far, lines in rows.items()
    }
    assert answers[1e15].cuped
    assert answers[1e15].p == pytest.approx(answers[0.0].p, rel=1e-9)
    assert answers[1e15].difference == pytest.approx(answers[0.0].difference, rel=1e-9)


def _import(data: Path, lines: list[str], metrics: list[str], covariates: Sequence[str] = ()) -> ComparisonReadout:
    path = data / "table.csv"
    path.write_text("\n".join(lines) + "\n")
    asked = import_request(experiment="x", unit="unit", variant="variant", metrics=metrics, covariates=covariates)
    return import_table(path, asked).metrics[0].comparisons[0]


def test_the_control_is_named_or_called_so_or_the_first(tmp_path: Path) -> None:
    path = parquet(tmp_path, unit=[1, 2, 3, 4], arm=["z", "a", "z", "a"], v=[1.0, 2.0, 3.0, 5.0])
    assert import_table(path, request("v=mean:v")).metrics[0].comparisons[0].against == "a"
    assert import_table(path, request("v=mean:v", control="z")).metrics[0].comparisons[0].against == "z"
    weighted = import_table(path, request("v=mean:v", weights="z=60,a=40"))
    assert weighted.health.srm.expected == pytest.approx((0.4, 0.6))


@pytest.mark.parametrize(
    ("columns", "metric", "message"),
    [
        ({"unit": [1, 1], "arm": ["a", "b"], "v": [1.0, 2.0]}, "m=mean:v", "1 unit stands in more than one row"),
        ({"unit": [1, None], "arm": ["a", "b"], "v": [1.0, 2.0]}, "m=mean:v", "row 2: an empty cell in column unit"),
        ({"unit": [1, 2], "arm": ["a", None], "v": [1.0, 2.0]}, "m=mean:v", "row 2: an empty cell in column arm"),
        ({"unit": [1, 2], "arm": ["a", "a"], "v": [1.0, 2.0]}, "m=mean:v", "a test needs two"),
        ({"unit": [1, 2], "arm": ["a", "b"], "v": [1.0, None]}, "m=mean:v", "row 2: an empty cell in column v"),
        ({"unit": [1, 2], "arm": ["a", "b"], "v": [1.0, float("nan")]}, "m=mean:v", "row 2: 'nan' in column v is no"),
        ({"unit": [1, 2], "arm": ["a", "b"], "v": [float("-inf"), 1.0]}, "m=mean:v", "row 1: '-inf' in column v is no"),
        ({"unit": [1, 2], "arm": ["a", "b"], "v": [True, None]}, "m=mean:v", "row 2: an empty cell in column v"),
        ({"unit": [1, 2], "arm": ["a", "b"], "v": ["x", "y"]}, "m=mean:v", "row 1: 'x' in column v is no number"),
        ({"unit": [1, 2], "arm": ["a", "b"], "v": [1.0, 2.0]}, "m=proportion:v", "row 2: '2.0' in column v is neither"),
        ({"unit": [1, 2], "arm": ["a", "b"], "v": [1, 2]}, "m=proportion:v", "row 2: '2' in column v is neither"),
        ({"unit": [1, 2], "arm": ["a", "b"], "v": [1.0, 2.0]}, "m=mean:w", "no column 'w'; it has unit, arm, v"),
    ],
)
def test_a_table_of_types_that_cannot_be_analysed_says_what_is_wrong(
    columns: dict[str, object], metric: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ImportFailed, match=message):
        import_table(parquet(tmp_path, **columns), request(metric))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ["retention"]}, "NAME=TYPE:COLUMN"),
        ({"metrics": ["r=proportoin:x"]}, "did you mean proportion"),
        ({"metrics": ["r=ratio:x"]}, "NUMERATOR/DENOMINATOR"),
        ({"metrics": []}, "no metric is named"),
        ({"metrics": ["a=mean:x", "a=mean:y"]}, "named twice"),
        ({"metrics": ["a=mean:x"], "weights": "a=x"}, "VARIANT=WEIGHT"),
        ({"metrics": ["a=mean:x"], "covariates": ["b=x"]}, "a metric of this import"),
        ({"metrics": ["a=mean:x"], "method": "planned"}, "a table has no looks"),
        ({"metrics": ["a=mean:x"], "planned_units": 0}, "at least 1"),
        ({"metrics": ["a=mean:x"], "alpha": 1.0}, "alpha 1: it is a probability"),
        ({"metrics": ["a=mean:x"], "correction": "bonferroni"}, "'bonferroni' is not one of holm bh"),
        ({"metrics": ["a=mean:x"], "missing": "mean"}, "'mean' is not one of error drop 0"),
        ({"metrics": ["a=mean:x"], "decimal": ";"}, "';' is not one of . ,"),
        ({"metrics": ["a=quantile:x"]}, "a=quantile:COLUMN@0.9"),
        ({"metrics": ["a=quantile:x@1.5"]}, "a share between 0 and 1"),
        ({"metrics": ["a=quantile:x@0.5"], "covariates": ["a=y"]}, "a quantile takes no covariate"),
        ({"metrics": ["a=mean:x"], "events": True, "duplicates": "first"}, "--events sums the rows"),
        ({"metrics": ["a=mean:x"], "events": True, "unit": None}, "--events needs --unit"),
        ({"metrics": ["a=mean:x"], "duplicates": "sum", "unit": None}, "--duplicates needs --unit"),
        ({"metrics": ["a=proportion:x/n"], "counts": True}, "leave --unit"),
        ({"metrics": ["a=mean:x"], "counts": True, "unit": None}, "counted rows tell proportions only"),
        ({"metrics": ["a=proportion:x/n", "b=proportion:x/m"], "counts": True, "unit": None}, "n and m cannot both"),
    ],
)
def test_a_request_that_cannot_be_read_says_what_would_be_right(options: dict[str, object], message: str) -> None:
    with pytest.raises(ImportFailed, match=message):
        import_request(**{"experiment": "x", "unit": "unit", "variant": "arm", **options})


def test_all_that_is_wrong_with_a_request_is_told_at_once() -> None:
    with pytest.raises(ImportFailed) as refused:
        request("a=mena:x", "b", "c=mean:x", "c=mean:y", method="planned", weights="a", covariates=["z=x"], alpha=2.0)
    assert len(refused.value.faults) == 7


def test_parquet_is_known_by_its_name_or_by_how_it_begins(tmp_path: Path) -> None:
    path = parquet(tmp_path, unit=[1, 2, 3, 4], arm=["a", "b"] * 2, v=[1.0, 2.0, 3.0, 5.0], file_row_number=[1] * 4)
    renamed = path.rename(tmp_path / "table.csv")
    assert [arm.value for arm in import_table(renamed, request("v=mean:v")).metrics[0].arms] == [2.0, 3.5]
    with pytest.raises(ImportFailed, match=r"no column 'arms' \(did you mean 'arm'\?\)"):
        import_table(renamed, import_request(experiment="x", variant="arms", metrics=["m=mean:v"]))
    with pytest.raises(ImportFailed, match="no column 'x', no column 'y'"):
        import_table(renamed, import_request(experiment="x", variant="x", metrics=["m=mean:y"]))


def test_a_file_that_is_no_table_or_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportFailed, match=r"gone\.csv cannot be read"):
        import_table(tmp_path / "gone.csv", request("m=mean:v"))
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"not a table")
    with pytest.raises(ImportFailed, match=r"broken\.parquet is no Parquet file that can be read"):
        import_table(broken, request("m=mean:v"))


@settings(max_examples=examples(40), deadline=None)
@given(
    units=st.lists(st.integers(0, 12), min_size=4, max_size=9),
    ordered=st.booleans(),
    kind=st.sampled_from(["int8", "int64", "uint16", "str"]),
)
def test_a_unit_that_stands_twice_is_found_in_whatever_order(units: list[int], ordered: bool, kind: str) -> None:
    numbers = np.array(sorted(units) if ordered else units, dtype=kind)
    with tempfile.TemporaryDirectory() as folder:
        values = [float(number % 3) for number in range(len(units))]
        path = parquet(
            Path(folder), unit=numbers, arm=["a", "b"] * (len(units) // 2) + ["a"] * (len(units) % 2), v=values
        )
        if len(set(units)) == len(units):
            assert sum(arm.units for arm in import_table(path, request("v=mean:v")).metrics[0].arms) == len(units)
        else:
            with pytest.raises(ImportFailed, match="more than one row"):
                import_table(path, request("v=mean:v"))
