-- The cube's rows of a completed funnel.
SELECT
  r.unit,
  $segment AS segment,
  $day AS day,
  $source AS source,
  1 AS events,
  1.0 AS amount,
  0 AS finals
FROM reached AS r
