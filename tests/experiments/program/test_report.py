"""The program report: what was concluded, what it adds up to, and what of that is likely true."""

import re
from datetime import date
from pathlib import Path

import pytest
from worlds.programmes import Programme

from app.cli.output import say_program
from experiments.answers.encoding import plain
from experiments.program.report import Program, ProgramQuery, ProgramRow, program_report, shrunk_rows
from experiments.program.shrinkage import shrinkage
from experiments.readout.study import InvalidDate, ReadoutQuery, UnknownMetric

SHIPPED = "{outcome: shipped, variant: b}"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Programme:
    """Two that shipped, one taken back, one without a result, one whose arms did not fill, one that still runs."""
    programme = Programme(tmp_path_factory.mktemp("programme"))
    programme.begin("banner", "badge", "price", "colour", "broken", "fresh")
    for key, rate in {"banner": 0.36, "badge": 0.33, "price": 0.22, "colour": 0.31, "fresh": 0.5}.items():
        programme.crowd(key, (0.30, rate))
    programme.crowd("broken", (0.30, 0.40), (400, 200))
    programme.conclude("banner", 14, SHIPPED)
    programme.conclude("price", 15, "{outcome: rolled_back}", "archived")
    programme.conclude("colour", 16, "{outcome: inconclusive}")
    programme.conclude("broken", 17, SHIPPED)
    programme.conclude("badge", 20, SHIPPED)
    return programme


def report(world: Programme, query: ProgramQuery = ProgramQuery(), days: float = 40) -> Program:  # noqa: B008 - frozen
    readouts, archive = world.readouts(days)
    return program_report(readouts, archive, query)


def test_outcomes_are_counted_and_what_is_unhealthy_is_listed_and_not_summed(world: Programme) -> None:
    found = report(world)
    assert found.outcomes == {"shipped": 2, "rolled_back": 1, "inconclusive": 1, "unhealthy": 1}
    assert (found.experiments, found.win_rate) == (5, 0.5)
    (metric,) = found.metrics
    assert (metric.metric, metric.experiments, metric.shipped) == ("purchase_rate", 5, 2)
    assert metric.naive_sum == pytest.approx(0.36 / 0.30 - 1 + 0.33 / 0.30 - 1)
    broken = next(row for row in found.rows if row.experiment == "broken")
    assert (broken.outcome, broken.shrunk_lift) == ("unhealthy", None)
    assert {row.experiment for row in found.rows} == {"banner", "badge", "price", "colour", "broken"}


def test_the_prior_is_that_of_all_who_were_concluded_losers_too(world: Programme) -> None:
    found = report(world)
    healthy = [row for row in found.rows if row.outcome != "unhealthy"]
    lifts, errors = ([getattr(row, name) for row in healthy] for name in ("lift", "standard_error"))
    again = shrinkage(lifts, errors, [row.outcome == "shipped" for row in healthy])
    assert again is not None
    assert found.metrics[0].shrunk_sum == pytest.approx(again.total.value)
    assert [row.shrunk_lift for row in healthy] == [pytest.approx(each.value) for each in again.estimates]
    assert abs(again.total.value) < abs(found.metrics[0].naive_sum)


@pytest.mark.parametrize(("experiments", "borrowed"), [(0, None), (1, True), (9, True), (10, False), (11, False)])
def test_a_prior_is_learnt_of_ten_experiments_however_many_variants_each_has(
    experiments: int, borrowed: bool | None
) -> None:
    rows = [
        ProgramRow(f"e{number}", 0, variant, "purchase_rate", "inconclusive", date(2026, 1, 5), 0.01 * number, 0.02)
        for number in range(experiments)
        for variant in ("b", "c")
    ]
    found = shrunk_rows(rows, [], lambda row: True)
    assert (found and found.prior.borrowed) == borrowed


def test_the_lift_is_that_of_the_closed_readout_and_its_error_the_delta_methods(world: Programme) -> None:
    row = next(row for row in report(world).rows if row.experiment == "banner")
    readouts, _ = world.readouts(40)
    readout = readouts.read("banner", ReadoutQuery(phase=0))
    assert readout.closed
    assert row.lift == readout.metrics[0].comparisons[0].lift == pytest.approx(0.2)
    control, treatment = 0.3 * 0.7 / 399 / 0.09, 0.36 * 0.64 / 399 / 0.09
    assert row.standard_error == pytest.approx((treatment + 1.2**2 * control) ** 0.5, rel=1e-6)


def test_windows_that_are_open_are_waited_for(world: Programme) -> None:
    assert {row.experiment for row in report(world, days=26).rows} == {"banner", "price", "colour", "broken"}


def test_days_and_metric_choose_what_is_summed(world: Programme) -> None:
    found = report(world, ProgramQuery("2026-01-20", "2026-01-21"))
    assert [row.experiment for row in found.rows] == ["price", "colour"]
    assert [str(row.decided_on) for row in found.rows] == ["2026-01-20", "2026-01-21"]
    assert report(world, ProgramQuery(metric="csat")).experiments == 0


def test_what_does_not_exist_is_said(world: Programme) -> None:
    with pytest.raises(UnknownMetric, match="did you mean purchase_rate"):
        report(world, ProgramQuery(metric="purchase_rat"))


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("soon", None, "from: 'soon' is no date"),
        (None, "", "to: '' is no date"),
        ("9999-12-31T23:59:59-14:00", None, "from: '9999-12-31T23:59:59-14:00' is no date"),
        ("2026-02-01", "2026-01-31", "to: 2026-01-31 lies before from, 2026-02-01"),
    ],
)
def test_dates_that_choose_nothing_are_refused(
    world: Programme, since: str | None, until: str | None, said: str
) -> None:
    with pytest.raises(InvalidDate, match=said):
        report(world, ProgramQuery(since, until))


def test_the_days_are_those_of_the_shop(world: Programme) -> None:
    """A moment that names its zone is on the shop's day, not on its own."""
    late = ProgramQuery("2026-01-20T23:30:00-05:00", "2026-01-21")
    assert [row.experiment for row in report(world, late).rows] == ["colour"]


def test_the_answer_has_the_published_shape(world: Programme) -> None:
    found = plain(report(world))
    assert list(found) == [
        "as_of", "experiments", "outcomes", "win_rate", "win_rate_ci", "median_days", "metrics", "rows",
    ]  # fmt: skip
    assert list(found["metrics"][0]) == [
        "metric", "effect_scale", "experiments", "shipped", "naive_sum", "shrunk_sum", "shrunk_ci", "prior",
    ]  # fmt: skip
    assert found["metrics"][0]["prior"] == "default"
    assert found["win_rate_ci"] == pytest.approx([0.150, 0.850], abs=1e-3)  # Wilson, 2 of 4
    assert found["median_days"] == 16.0


def test_a_metric_in_points_sums_differences_and_is_told_in_points(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    programme = Programme(tmp_path)
    programme.begin("banner", "badge", goal="nps")
    programme.survey("banner", ((0.0, 7.0, 10.0), (0.0, 10.0, 10.0)))
    programme.survey("badge", ((0.0, 7.0, 10.0), (7.0, 7.0, 10.0)))
    programme.begin("price")
    programme.crowd("price", (0.30, 0.36))
    for day, key in ((14, "banner"), (15, "badge"), (16, "price")):
        programme.conclude(key, day, SHIPPED)
    found = report(programme)
    nps, rate = found.metrics
    assert (nps.effect_scale, rate.effect_scale) == ("points", "relative")
    readouts, _ = programme.readouts(40)
    differences = [readouts.read(key).metrics[0].comparisons[0].difference for key in ("banner", "badge")]
    assert [row.lift for row in found.rows[:2]] == differences
    assert nps.naive_sum == sum(row.lift for row in found.rows[:2] if isinstance(row.lift, float))
    say_program(plain(found))
    told = capsys.readouterr().out
    assert re.search(rf"nps \(points\) +2 +2 +\{nps.naive_sum:+.4g} ", told)
    assert re.search(r"purchase_rate +1 +1 +\+20\.00% ", told)


def test_a_shop_that_concluded_nothing_has_an_empty_report(tmp_path: Path) -> None:
    programme = Programme(tmp_path)
    programme.begin("banner")
    found = report(programme)
    assert (found.experiments, found.win_rate, found.median_days, found.metrics, found.rows) == (0, None, None, (), ())


def test_a_secondary_metric_that_no_file_defines_any_more_hides_nothing_else(tmp_path: Path) -> None:
    """Goals and guardrails are frozen with their definitions; what was only looked at is not."""
    programme = Programme(tmp_path)
    programme.shop.write(
        "seen: {type: proportion, event: Seen}\nheard: {type: proportion, event: Heard}\n", "metrics.yaml"
    )
    programme.begin("banner", more="secondary: [seen]\n")
    programme.crowd("banner", (0.30, 0.36))
    programme.conclude("banner", 14, SHIPPED)
    (programme.shop.definitions / "banner.yaml").unlink()
    assert programme.shop.edit("heard: {type: proportion, event: Heard}\n", "metrics.yaml") == []
    (row,) = report(programme).rows
    assert row.lift == pytest.approx(0.2)
    readouts, _ = programme.readouts(40)
    with pytest.raises(UnknownMetric, match="there is no metric 'seen'"):
        readouts.read("banner", ReadoutQuery(metric="seen"))


def test_former_phases_and_experiments_without_a_file_are_remembered(tmp_path: Path) -> None:
    programme = Programme(tmp_path)
    programme.begin("banner", "badge")
    programme.crowd("banner", (0.30, 0.33))
    programme.crowd("badge", (0.30, 0.27))
    programme.conclude("badge", 13, "{outcome: rolled_back}")
    programme.conclude("banner", 14, "{outcome: inconclusive}")
    again = (programme.shop.definitions / "banner.yaml").read_text().partition("decision:")[0]
    programme.shop.wait(days=2)
    assert programme.shop.edit(again.replace("status: stopped", "status: running\nphase: 1")) == []
    (programme.shop.definitions / "badge.yaml").unlink()
    assert programme.shop.settle() == []
    found = report(programme)
    assert [(row.experiment, row.phase, row.outcome) for row in found.rows] == [
        ("badge", 0, "rolled_back"),
        ("banner", 0, "inconclusive"),
    ]
