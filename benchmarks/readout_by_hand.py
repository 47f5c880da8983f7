"""The numbers of the benchmark's readout as an analyst would write them by hand, all of DuckDB's dialect allowed."""

from pathlib import Path
from typing import Any

import duckdb

DAY = 86_400_000_000
UNITS = """
CREATE TEMP TABLE units AS
SELECT visitor_id, arg_min(variant, time) AS variant, min(time) AS first_at,
  arg_min(properties ->> '$.device', time) AS device, arg_min(properties ->> '$.plan', time) AS plan
FROM ev WHERE type = 'exposure' AND experiment = 'banner' AND phase = 0 AND NOT (bot OR forged OR forced OR quarantined)
GROUP BY visitor_id
"""
FACTS = f"""
CREATE TEMP TABLE facts AS
SELECT u.visitor_id, e.time - u.first_at AS since, e.time // {DAY} AS day, e.time, e.type, e.event, e.value, e.order_id,
  e.page_view_id, e.engaged_ms, e.type = 'engagement' AND e.properties ->> '$.final' = 'true' AS final
FROM ev e JOIN units u USING (visitor_id)
WHERE e.type <> 'exposure' AND NOT e.bot AND NOT e.quarantined AND coalesce(e.currency, 'EUR') = 'EUR'
  AND e.time >= u.first_at - 14 * {DAY}
  AND e.time < u.first_at + CASE WHEN e.event = 'Order Refunded' THEN 37 ELSE 7 END * {DAY}
"""
HISTORY = f"""
CREATE TEMP TABLE history AS
SELECT DISTINCT e.visitor_id FROM ev e JOIN units u USING (visitor_id)
WHERE NOT e.bot AND NOT e.quarantined AND e.time >= u.first_at - 14 * {DAY} AND e.time < u.first_at - 1800000000
"""
ORDERS = """
CREATE TEMP TABLE orders AS
SELECT visitor_id, since, day, time, value, order_id FROM facts WHERE event = 'Order Completed'
QUALIFY row_number() OVER (PARTITION BY order_id ORDER BY time) = 1
"""
VIEWS = """
CREATE TEMP TABLE views AS
SELECT visitor_id, page_view_id, {first} AS since,
  min(day) FILTER (WHERE type = 'engagement' AND since >= {first}) AS day,
  greatest(0, least(
    max(engaged_ms) FILTER (WHERE since >= {first}) - coalesce(max(engaged_ms) FILTER (WHERE since < {first}), 0),
    (max(since) FILTER (WHERE type = 'engagement' AND since >= {first})
      - greatest({first}, coalesce(min(since) FILTER (WHERE type = 'page'), {first}))) / 1000.0)) / 1000.0 AS value,
  bool_or(final AND since >= {first}) AS final
FROM facts WHERE page_view_id IS NOT NULL AND since < {until} GROUP BY visitor_id, page_view_id
HAVING count(*) FILTER (WHERE type = 'engagement' AND since >= {first}) > 0
"""
NPS = "CASE WHEN value >= 9 THEN 100.0 WHEN value <= 6 THEN -100.0 ELSE 0.0 END"
REFUNDS = """
SELECT o.visitor_id, o.since, r.day, least(r.value, o.value) AS value FROM facts r JOIN orders o USING (order_id)
WHERE r.event = 'Order Refunded'
"""
SOURCES = {
    "engaged_time": ("SELECT visitor_id, since, day, value AS y, 0.0 AS d, 0.0 AS s FROM beats", "1800"),
    "purchase_rate": ("SELECT visitor_id, since, day, 1.0 AS y, 0.0 AS d, 0.0 AS s FROM orders", "1"),
    "pages_per_visitor": (
        "SELECT visitor_id, since, day, 1.0 AS y, 0.0 AS d, 0.0 AS s FROM facts WHERE type = 'page'",
        "1e300",
    ),
    "revenue_per_visitor": (
        "SELECT visitor_id, since, day, value AS y, 0.0 AS d, 0.0 AS s FROM orders "
        f"UNION ALL SELECT visitor_id, since, day, 0.0, 0.0, value FROM ({REFUNDS})",
        "(SELECT quantile_disc(y, 0.999) FROM (SELECT sum(y) AS y FROM ud GROUP BY visitor_id HAVING sum(y) > 0))",
    ),
    "average_order_value": ("SELECT visitor_id, since, day, value AS y, 1.0 AS d, 0.0 AS s FROM orders", "1e300"),
    "nps": (
        f"SELECT visitor_id, since, day, {NPS} AS y, 1.0 AS d, 0.0 AS s FROM facts WHERE event = 'Survey Answered'",
        "1e300",
    ),
}
MOMENTS = """
SELECT {by}, count(*), sum(y), sum(d), avg(x), avg(e), avg(h), var_samp(y), var_samp(d), var_samp(x), var_samp(e),
  var_samp(h), covar_samp(y, d), covar_samp(y, x), covar_samp(y, e), covar_samp(y, h), covar_samp(d, x),
  covar_samp(d, e), covar_samp(d, h), covar_samp(x, e), covar_samp(x, h), covar_samp(e, h)
FROM unit_totals GROUP BY {by}
"""
DAILY = """
SELECT variant, day, count(*), sum(c - p), sum(c * c - p * p), sum(d - q), sum(d * d - q * q), sum(c * d - p * q),
  sum((c - p) * x), sum((c - p) * e), sum((c - p) * h), sum((d - q) * x), sum((d - q) * e), sum((d - q) * h),
  sum(own), sum(own * own), sum(own * own_d), sum(own_d), sum(own_d * own_d)
FROM (
  SELECT t.variant, w.day, least(w.y, {cap}) - w.s AS c, least(w.y - w.own, {cap}) - (w.s - w.own_s) AS p, w.d,
    w.d - w.own_d AS q, least(w.own, {cap}) - w.own_s AS own, w.own_d, t.x, t.e, t.h
  FROM (
    SELECT visitor_id, day, y AS own, s AS own_s, d AS own_d, sum(y) OVER u AS y, sum(s) OVER u AS s, sum(d) OVER u AS d
    FROM ud WINDOW u AS (PARTITION BY visitor_id ORDER BY day)
  ) w JOIN unit_totals t USING (visitor_id)
) GROUP BY variant, day
"""


def by_hand(data: Path, spill: Path, metrics: int = 6, dimensions: int = 2) -> dict[str, list[tuple[Any, ...]]]:
    """Every number of the readout; one thread, as ours."""
    connection = duckdb.connect(
        ":memory:",
        config={"threads": 1, "memory_limit": "1GB", "temp_directory": str(spill), "preserve_insertion_order": False},
    )
    connection.execute(
        f"CREATE VIEW ev AS SELECT * FROM read_parquet('{data}/log/*/*.parquet', hive_partitioning = false)"
    )
    for statement in (UNITS, FACTS, HISTORY, ORDERS):
        connection.execute(statement)
    connection.execute(VIEWS.format(first=0, until=DAY))
    connection.execute("ALTER TABLE views RENAME TO views_after")
    connection.execute(VIEWS.format(first=-14 * DAY, until=0))
    connection.execute("CREATE VIEW beats AS SELECT * FROM views_after UNION ALL SELECT * FROM views")
    connection.execute("SELECT variant, first_at // 86400000000, count(*) FROM units GROUP BY ALL").fetchall()
    return {name: _metric(connection, *SOURCES[name], dimensions) for name in list(SOURCES)[:metrics]}


def _metric(connection: duckdb.DuckDBPyConnection, source: str, cap: str, dimensions: int) -> list[tuple[Any, ...]]:
    sums = "sum(y) AS y, sum(d) AS d, sum(s) AS s"
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE ud AS "
        f"SELECT visitor_id, day, {sums} FROM ({source}) WHERE since >= 0 GROUP BY ALL"
    )
    limit = connection.execute(f"SELECT {cap}").fetchall()[0][0] or 1e300
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE unit_totals AS SELECT u.visitor_id, u.variant, u.device, u.plan, "
        f"coalesce(least(a.y, {limit}) - a.s, 0) AS y, coalesce(a.d, 0) AS d, "
        f"coalesce(least(b.y, {limit}) - b.s, 0) AS x, "
        "coalesce(b.d, 0) AS e, CASE WHEN h.visitor_id IS NULL THEN 0.0 ELSE 1.0 END AS h "
        f"FROM units u LEFT JOIN (SELECT visitor_id, {sums} FROM ud GROUP BY ALL) a USING (visitor_id) "
        f"LEFT JOIN (SELECT visitor_id, {sums} FROM ({source}) WHERE since < 0 GROUP BY ALL) b USING (visitor_id) "
        "LEFT JOIN history h USING (visitor_id)"
    )
    answer = connection.execute(MOMENTS.format(by="variant")).fetchall()
    for dimension in ("device", "plan")[:dimensions]:
        connection.execute(MOMENTS.format(by=f"variant, {dimension}")).fetchall()
    connection.execute(DAILY.format(cap=limit)).fetchall()
    return sorted(answer)
