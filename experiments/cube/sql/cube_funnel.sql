-- The cube's rows of a completed funnel.
SELECT
  r.unit,
  $segment AS segment,
  $day AS day,
  $source AS source,
  CAST(1 AS BIGINT) AS events,
  1.0 AS amount,
  CAST(0 AS BIGINT) AS finals,
  CAST(1 AS BIGINT) AS convertible,
  CAST(0 AS BIGINT) AS authority
FROM reached AS r
