"""A training's report is read as it was kept."""

from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from hypothesis import given, settings
from worlds.drawn import values

from recommender.publishing.publish import REPORT, Report, keep


@settings(max_examples=25)
@given(values(Report))
def test_a_report_is_read_as_it_was_kept(report: Report) -> None:
    with TemporaryDirectory() as folder:
        keep(Path(folder), report)
        found = msgspec.json.decode((Path(folder) / REPORT).read_bytes())
    told = {**report.as_json(), "finished_at": found["finished_at"]}
    assert {**found, "reasons": tuple(found["reasons"])} == {**told, "reasons": tuple(told["reasons"])}


def test_a_report_of_what_is_no_number_can_be_read(tmp_path: Path) -> None:
    keep(tmp_path, Report("refused", None, ("weights.buy_again.due is nan",), {"weights": {"due": float("nan")}}, 1.0))
    found = msgspec.json.decode((tmp_path / REPORT).read_bytes())
    assert (found["reasons"], found["weights"]) == (["weights.buy_again.due is nan"], {"due": None})
