-- The cube's rows of refunds: those whose order counts in this window.
SELECT
  r.unit,
  $segment AS segment,
  r.day,
  $source AS source,
  CAST(count(*) AS BIGINT) AS events,
  coalesce(sum(r.amount), 0.0) AS amount,
  CAST(0 AS BIGINT) AS finals
FROM returned AS r
WHERE $named
  AND r.order_since >= $first
  AND r.order_since < $until
  AND $timely
GROUP BY r.unit, r.day
