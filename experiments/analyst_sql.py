"""The SQL behind a metric as one statement that an analyst pastes into DuckDB and gets the same numbers."""

from events.engine_sql import with_tables
from experiments.cube import Cube
from experiments.metrics import MetricRule
from experiments.observations import Observer
from experiments.statements import statement


def analyst_sql(cube: Cube, observer: Observer, rule: MetricRule) -> str:
    """Self-contained, readable; to be run in the data directory. The metric must be the one observed last."""
    answer = statement("answer").bind(mature=observer.mature(rule))
    tables = {**cube.engine.sources(), **cube.tables}
    return with_tables(answer, tables).render("duckdb", pretty=True)
