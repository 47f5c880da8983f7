"""Engaged time of sites that send no beats: estimated from page views, and said to be."""

from pathlib import Path

from worlds.readout_studies import SMALLEST, START, Shop, readouts

from events.engines.tables import csv_bytes
from experiments.answers.encoding import readout_json
from experiments.readout.tables import flat_rows

SECOND = 1_000_000
MINUTE = 60 * SECOND
BOTH = {"banner.yaml": SMALLEST + "goals: [purchase_rate]\nsecondary: [engaged_time, engaged_time_estimate]\n"}


def pages(*since_exposure: int) -> Shop:
    """A visitor of variant b with page views at these times, and one of control without any."""
    shop = Shop()
    shop.expose("v1", "b")
    shop.expose("v2", "control")
    for since in since_exposure:
        shop.add("page", "v1", START + since)
    return shop


def engaged_seconds(folder: Path, shop: Shop) -> float | None:
    return readouts(folder, shop.records, 30, BOTH).read("banner").metric("engaged_time_estimate").arms[1].numerator


def test_a_page_view_lasts_until_the_next_one_and_the_last_of_a_visit_counts_nothing(tmp_path: Path) -> None:
    assert engaged_seconds(tmp_path, pages(0, 100 * SECOND, 40 * MINUTE, 41 * MINUTE)) == 100 + 60


def test_what_lay_before_the_exposure_or_behind_the_window_is_taken_off(tmp_path: Path) -> None:
    day = 24 * 60 * MINUTE
    assert engaged_seconds(tmp_path, pages(-MINUTE, 5 * SECOND, day - 7 * SECOND, day + MINUTE)) == 5 + 7


def test_half_an_hour_without_a_page_view_ends_a_visit(tmp_path: Path) -> None:
    assert engaged_seconds(tmp_path / "one", pages(0, 30 * MINUTE - 1)) == 30 * 60 - 1e-6
    assert engaged_seconds(tmp_path / "two", pages(0, 30 * MINUTE)) == 0


def test_an_estimate_is_named_in_every_shape_of_the_readout(tmp_path: Path) -> None:
    found = readouts(tmp_path, pages(0, MINUTE).records, 30, BOTH).read("banner")
    assert [check.code for check in found.health.checks] == ["no_engaged_time", "engaged_time_estimated"]
    served = {metric["metric"]: metric for metric in readout_json(found)["metrics"]}
    assert served["engaged_time_estimate"]["estimated"] == "page_views"
    assert "estimated" not in served["engaged_time"]
    lines = csv_bytes(flat_rows(found)).decode().splitlines()
    tested = [line for line in lines if ",engaged_time_estimate," in line and ",fixed," in line]
    assert tested
    assert all("estimated_from_page_views" in line for line in tested)


def test_a_site_whose_page_views_send_beats_is_measured(tmp_path: Path) -> None:
    shop = pages(0, MINUTE)
    shop.add("engagement", "v1", START + MINUTE, page_view_id="p1", engaged_ms=20_000)
    found = readouts(tmp_path, shop.records, 30, BOTH).read("banner")
    assert found.metric("engaged_time").arms[1].numerator == 20
    assert [check.code for check in found.health.checks] == ["engaged_time_estimated"]
