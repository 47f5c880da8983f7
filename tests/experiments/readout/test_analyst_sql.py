"""The SQL of metrics that are more than a sum: pasted into DuckDB it gives the number that the readout shows."""

import random
from pathlib import Path

import duckdb
import pytest
from worlds.readout_studies import DAY, HOUR, SMALLEST, START, Shop, readouts

from experiments.readout.study import ReadoutQuery

METRICS = """
time_of_units:  {type: quantile, event: engagement, value: engaged_seconds, q: 0.75}
load_of_events: {type: quantile, event: Timing, value: ms, q: 0.9}
order_median:   {type: quantile, event: Order Completed, value: revenue, q: 0.5}
"""


def _shop() -> Shop:
    chance, shop = random.Random(7), Shop()
    for number in range(150):
        name, time = f"v{number}", START + chance.randrange(DAY)
        shop.expose(name, chance.choice(["b", "control"]), time)
        for _ in range(chance.randrange(4)):
            shop.add(
                "track", name, time + chance.randrange(9 * DAY), event="Timing", properties={"ms": chance.random()}
            )
            shop.buy(name, time + chance.randrange(9 * DAY), value=chance.randrange(10_000) / 100)
        if chance.random() < 0.9:
            beat = {"page_view_id": f"p{number}", "engaged_ms": chance.randrange(3_000_000)}
            shop.add("engagement", name, time + HOUR, **beat)
    return shop


@pytest.mark.parametrize("metric", ["time_of_units", "load_of_events", "order_median"])
def test_the_sql_of_a_quantile_gives_the_quantile(metric: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"banner.yaml": f"{SMALLEST}goal: {metric}\n", "metrics.yaml": METRICS}
    found = readouts(tmp_path, _shop().records, 30, files).read("banner", ReadoutQuery(include_sql=True)).metrics[0]
    monkeypatch.chdir(tmp_path)
    with duckdb.connect() as connection:
        rows = dict(connection.execute(f"SELECT variant, value FROM ({found.sql})").fetchall())
    assert rows == {arm.variant: pytest.approx(arm.value, rel=1e-12) for arm in found.arms}
    assert all(arm.value for arm in found.arms)
