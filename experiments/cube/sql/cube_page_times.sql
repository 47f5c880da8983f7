-- The cube's rows of engaged time as page events tell it, in seconds: of each page view what lies in the window.
SELECT
  p.unit,
  $segment AS segment,
  p.day,
  $source AS source,
  CAST(count(*) AS BIGINT) AS events,
  sum(CAST(least(p.ended, $until) - greatest(p.began, $first) AS DOUBLE) / 1000000.0) AS amount,
  CAST(0 AS BIGINT) AS finals,
  CAST(count(*) AS BIGINT) AS convertible,
  CAST(0 AS BIGINT) AS authority
FROM page_times AS p
WHERE p.ended > $first
  AND p.began < $until
GROUP BY p.unit, p.day
