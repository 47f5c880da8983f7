"""A readout without the events of a damaged part says so."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from worlds.readout_studies import SMALLEST, START, Shop, readouts

from events.log.verify import set_aside
from events.parts.part import DataDamaged, live_parts


def test_a_readout_names_the_part_that_was_set_aside(tmp_path: Path) -> None:
    shop = Shop()
    shop.expose("v1", "b")
    for number in range(2_000):
        shop.add("page", "v1", START + number)
    made = readouts(tmp_path, shop.records, 30, {"banner.yaml": SMALLEST + "goal: purchase_rate\n"})
    last = live_parts(made.log.reader.folder)[-1].path
    last.write_bytes(b"")
    with pytest.raises(DataDamaged):
        made.read("banner")
    set_aside(made.log.reader.data, last.name, datetime(2026, 2, 3, tzinfo=UTC))
    checks = {check.code: check.detail for check in made.read("banner").health.checks}
    assert (
        checks["events_lost"]
        == f"Part {last.name} was damaged and set aside on 2026-02-03: its events are in no number."
    )
