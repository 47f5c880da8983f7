"""How long `resonate import` takes over 10 million visitors with five metrics, beside plain SQL and tea-tasting.

    python -m benchmarks.importing [--units 10000000] [--shuffled]

A Parquet file; CPU seconds on one thread, each side in a process of its own, in turns, the better of the turns. Plain
SQL does what an import must: means, variances, covariances, empty and impossible cells, units that stand twice.
Units are whole numbers in rising order, or `--shuffled`.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from events.parts.arrow import arrow, parquet

TURNS = 3
METRICS = ("bought=proportion:bought", "orders=count:orders", "revenue=mean:revenue", "seconds=mean:seconds")
RATIO = "order_value=ratio:revenue/orders"
CHECKS = "count({0}), min({0}), max({0})"
PLAIN = """
SELECT variant, count(*), count(unit), avg(bought::DOUBLE), var_samp(bought::DOUBLE), avg(orders::DOUBLE),
  var_samp(orders::DOUBLE), avg(revenue), var_samp(revenue), avg(seconds), var_samp(seconds),
  avg(revenue), avg(orders::DOUBLE), var_samp(revenue), covar_samp(revenue, orders), var_samp(orders::DOUBLE),
  sum(CASE WHEN bought IN (0, 1) THEN 0 ELSE 1 END), {checks}
FROM t GROUP BY variant
"""


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--units", type=int, default=10_000_000)
    parser.add_argument("--shuffled", action="store_true")
    parser.add_argument("--one", nargs=2, metavar=("SIDE", "FILE"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(one(chosen.one[0], Path(chosen.one[1]))))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "units.parquet"
        write(path, chosen.units, shuffled=chosen.shuffled)
        best: dict[str, tuple[float, float]] = {}
        for _ in range(TURNS):
            for side in SIDES:
                seconds, peak = run(side, path)
                best[side] = min(best.get(side, (9e9, 0.0)), (seconds, peak))
    for side, (seconds, peak) in best.items():
        print(f"{side:14} {seconds:8.2f} s CPU {peak:10.0f} MB peak {seconds / best['plain SQL'][0]:8.2f} x plain SQL")


def write(path: Path, units: int, *, shuffled: bool = False) -> None:
    """A table of visitors, in row groups."""
    random = np.random.default_rng(1)
    orders = random.poisson(0.1, units)
    table = {
        "unit": random.permutation(units) if shuffled else np.arange(units),
        "variant": np.array(["control", "b"])[random.integers(0, 2, units)],
        "bought": (orders > 0).astype(np.int8),
        "orders": orders,
        "revenue": np.round(orders * random.lognormal(3, 1, units), 2),
        "seconds": random.exponential(40, units),
    }
    parquet.write_table(arrow.table({name: arrow.array(values) for name, values in table.items()}), path)


def run(side: str, path: Path) -> tuple[float, float]:
    """One side in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.importing", "--one", side, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    return tuple(json.loads(done.stdout.splitlines()[-1]))


def one(side: str, path: Path) -> tuple[float, float]:
    """(CPU seconds, peak MB)."""
    work = SIDES[side](path)
    started = time.process_time()
    work()
    return time.process_time() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def ours(path: Path) -> Callable[[], object]:
    """`resonate import`, the fingerprint of the file included."""
    from experiments.importing.request import import_request
    from experiments.importing.table import import_table

    request = import_request(experiment="x", unit="unit", variant="variant", metrics=(*METRICS, RATIO))
    return lambda: import_table(path, request)


def plain(path: Path) -> Callable[[], object]:
    """By hand."""
    import duckdb

    connection = duckdb.connect(":memory:", config={"threads": 1, "preserve_insertion_order": False})
    connection.execute(f"CREATE VIEW t AS SELECT * FROM read_parquet('{path}')")
    checks = ", ".join(CHECKS.format(name) for name in ("bought", "orders", "revenue", "seconds"))

    def work() -> object:
        connection.execute("SELECT count(DISTINCT unit) FROM t").fetchall()
        return connection.execute(PLAIN.format(checks=checks)).fetchall()

    return work


def tea_tasting(path: Path) -> Callable[[], object]:
    """tea-tasting over the Arrow table of the file (Ibis 12, its way into DuckDB, does not run on DuckDB 2.0)."""
    import tea_tasting as tt

    experiment = tt.Experiment(
        bought=tt.Mean("bought"),
        orders=tt.Mean("orders"),
        revenue=tt.Mean("revenue"),
        seconds=tt.Mean("seconds"),
        order_value=tt.RatioOfMeans("revenue", "orders"),
    )
    return lambda: experiment.analyze(parquet.read_table(path), control="control")


SIDES: dict[str, Callable[[Path], Callable[[], object]]] = {
    "ours": ours,
    "plain SQL": plain,
    "tea-tasting": tea_tasting,
}

if __name__ == "__main__":
    main()
