"""The site's traffic, asked once for all experiments that begin together."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from servers.patience import until
from worlds.event_log import received, write_log

from app.processes.design_freeze import SiteTraffic
from events.records import Record
from experiments.catalog.phases import TrafficAwaited
from experiments.catalog.publisher import CatalogKeeper
from experiments.definitions.model import Experiment, Layer, TrafficStep, Variant

VARIANTS = (Variant(key="control", weight=0.5, payload={}), Variant(key="threshold", weight=0.5, payload={}))


def experiment(share: float, layer: Layer | None = None) -> Experiment:
    traffic = (TrafficStep(since=None, share=share),)
    return Experiment(
        key="banner", name="banner", variants=VARIANTS, goals=("purchase_rate",), traffic=traffic, layer=layer
    )


def site(data: Path, visitors: int) -> None:
    """A data directory with a catalogue, and visitors who all came an hour ago."""
    (data / "definitions").mkdir(parents=True)
    CatalogKeeper(data / "definitions", data, lambda: datetime.now(UTC)).boot()
    hour_ago = int((time.time() - 3600) * 1_000_000)
    pages = [
        Record(message_id=f"m-{n}", type="page", event="page", visitor_id=f"v-{n}", time=hour_ago + n)
        for n in range(visitors)
    ]
    write_log(data, received(pages))


def a_minute_ago() -> datetime:
    return datetime.now(UTC) - timedelta(minutes=1)


def answered(traffic: SiteTraffic, asked: Experiment, before: datetime) -> float | None:
    """What the log says once it was read."""

    def said() -> list[float | None]:
        try:
            return [traffic(asked, before)]
        except TrafficAwaited:
            return []

    [answer] = until(said, "the log was read")
    return answer


def test_traffic_is_asked_once_and_shared_out_by_each_experiment(tmp_path: Path) -> None:
    site(tmp_path, 200)
    traffic, begun = SiteTraffic(tmp_path), a_minute_ago()
    assert answered(traffic, experiment(1.0), begun) == 200
    (tmp_path / "catalogue").rename(tmp_path / "gone")  # whoever asks again learns nothing
    assert answered(SiteTraffic(tmp_path), experiment(1.0), begun) is None
    assert traffic(experiment(0.5, Layer(name="pdp", start=0.25, end=0.5)), begun) == 25


def test_a_new_experiment_does_not_wait_while_the_log_is_written_and_read(tmp_path: Path) -> None:
    site(tmp_path, 200)
    traffic, begun = SiteTraffic(tmp_path), a_minute_ago()
    for unanswered in (datetime.now(UTC), begun):
        with pytest.raises(TrafficAwaited):
            traffic(experiment(1.0), unanswered)
    assert answered(traffic, experiment(1.0), begun) == 200


def test_an_experiment_that_begins_soon_after_a_quiet_moment_is_not_told_of_that_silence(tmp_path: Path) -> None:
    site(tmp_path, 200)
    opened = datetime.now(UTC) - timedelta(hours=1)
    quiet, soon = opened - timedelta(minutes=1), opened + timedelta(minutes=1)
    traffic = SiteTraffic(tmp_path)
    with pytest.raises(TrafficAwaited):
        traffic(experiment(1.0), quiet)
    assert answered(traffic, experiment(1.0), soon) == 200
    assert answered(traffic, experiment(1.0), soon + timedelta(minutes=1)) == 200
    assert answered(SiteTraffic(tmp_path), experiment(1.0), quiet) is None


def test_traffic_is_what_came_before_the_start(tmp_path: Path) -> None:
    site(tmp_path, 200)
    assert answered(SiteTraffic(tmp_path), experiment(1.0), datetime.now(UTC) - timedelta(hours=2)) is None


def test_a_log_that_cannot_be_read_says_nothing_and_says_why(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    site(tmp_path, 200)
    next((tmp_path / "log").rglob("*.parquet")).write_bytes(b"not a part")
    assert answered(SiteTraffic(tmp_path), experiment(1.0), a_minute_ago()) is None
    assert "the traffic of banner is not known, its planned units are assumed: " in caplog.text
    assert "DataDamaged" in caplog.text


def test_a_site_without_a_log_has_no_traffic(tmp_path: Path) -> None:
    assert SiteTraffic(tmp_path)(experiment(1.0), a_minute_ago()) is None
