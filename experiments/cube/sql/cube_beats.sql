-- The cube's rows of engaged time, in seconds: per page view the highest beat of the window, less what lay before the
-- window, and never more than the time since the page view (or the window) began. It counts on its first beat's day.
SELECT
  v.unit,
  $segment AS segment,
  v.day,
  $source AS source,
  CAST(count(*) AS BIGINT) AS events,
  coalesce(sum(greatest(0.0, least(CAST(v.reported_ms AS DOUBLE), v.possible_us / 1000.0)) / 1000.0), 0.0) AS amount,
  CAST(sum(v.finals) AS BIGINT) AS finals,
  CAST(count(*) AS BIGINT) AS convertible,
  CAST(0 AS BIGINT) AS authority
FROM (
  SELECT
    b.unit,
    b.page_view_id,
    min(CASE WHEN b.is_start = 0 AND b.since >= $first THEN b.day END) AS day,
    max(CASE WHEN b.is_start = 0 AND b.since >= $first THEN b.engaged_ms END)
      - coalesce(max(CASE WHEN b.is_start = 0 AND b.since < $first THEN b.engaged_ms END), 0) AS reported_ms,
    max(CASE WHEN b.is_start = 0 AND b.since >= $first THEN b.since END)
      - greatest($first, coalesce(min(CASE WHEN b.is_start = 1 THEN b.since END), $first)) AS possible_us,
    max(CASE WHEN b.since >= $first THEN b.finals ELSE 0 END) AS finals
  FROM beats AS b
  WHERE b.since < $until
  GROUP BY b.unit, b.page_view_id
) AS v
WHERE v.day IS NOT NULL
GROUP BY v.unit, v.day
