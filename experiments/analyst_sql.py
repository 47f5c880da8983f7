"""The SQL behind a metric as one statement that an analyst pastes into DuckDB and gets the same numbers."""

from events.engine_sql import with_tables
from experiments.cube import Cube
from experiments.metrics import MetricRule
from experiments.observations import Observer
from experiments.statements import statement


def analyst_sql(cube: Cube, observer: Observer, rule: MetricRule) -> str:
    """Self-contained, readable; to be run in the data directory. The metric must be the one observed last."""
    tables = {**cube.engine.sources(), **cube.tables}
    if rule.metric.type == "quantile":
        tables["sampled"] = statement("sampled_events" if rule.over_events else "sampled_units")
        answer = statement("answer_quantile").bind(q=rule.metric.q)
    else:
        answer = statement("answer").bind(mature=observer.mature(rule))
    return with_tables(answer, tables).render("duckdb", pretty=True)
