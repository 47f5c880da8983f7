-- The cube's rows of refunds: those whose order counts in this window. What is counted are orders: one that is given
-- back in parts counts once, on the day of the first.
SELECT
  c.unit,
  $segment AS segment,
  c.day,
  $source AS source,
  CAST(sum(CASE WHEN c.place = 1 THEN 1 ELSE 0 END) AS BIGINT) AS events,
  coalesce(sum(c.amount), 0.0) AS amount,
  CAST(0 AS BIGINT) AS finals,
  CAST(sum(CASE WHEN c.convertible = 1 AND c.place_among = 1 THEN 1 ELSE 0 END) AS BIGINT) AS convertible,
  CAST(0 AS BIGINT) AS authority
FROM (
  SELECT
    r.unit,
    r.day,
    r.amount,
    r.convertible,
    row_number() OVER (PARTITION BY r.unit, r.order_key ORDER BY r.since, r.message_id) AS place,
    row_number() OVER (PARTITION BY r.unit, r.order_key, r.convertible ORDER BY r.since, r.message_id) AS place_among
  FROM returned AS r
  WHERE $named
    AND r.order_since >= $first
    AND r.order_since < $until
    AND $timely
) AS c
GROUP BY c.unit, c.day
