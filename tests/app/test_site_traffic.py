"""The site's traffic, asked once for all experiments that begin together."""

import time
from datetime import UTC, datetime
from pathlib import Path

from event_log import received, write_log

from app.site_traffic import SiteTraffic
from events.records import Record
from experiments.catalog_store import CatalogKeeper
from experiments.definition import Experiment, Layer, TrafficStep, Variant

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


def test_traffic_is_asked_once_and_shared_out_by_each_experiment(tmp_path: Path) -> None:
    site(tmp_path, 200)
    traffic = SiteTraffic(tmp_path)
    assert traffic(experiment(1.0)) == 200
    (tmp_path / "catalogue").rename(tmp_path / "gone")  # whoever asks again learns nothing
    assert SiteTraffic(tmp_path)(experiment(1.0)) is None
    assert traffic(experiment(0.5, Layer(name="pdp", start=0.25, end=0.5))) == 25


def test_a_site_without_a_log_has_no_traffic(tmp_path: Path) -> None:
    assert SiteTraffic(tmp_path)(experiment(1.0)) is None
