-- The cube's rows of plain events: per unit, shop day, source and segment of time since exposure, how many and how much.
SELECT
  f.unit,
  CAST(f.segment AS BIGINT) AS segment,
  f.day,
  CAST(f.source AS BIGINT) AS source,
  CAST(count(*) AS BIGINT) AS events,
  coalesce(sum(f.amount), 0.0) AS amount,
  CAST(0 AS BIGINT) AS finals
FROM (
  SELECT
    o.unit,
    $segment AS segment,
    $day AS day,
    $source AS source,
    $amount AS amount
  FROM events AS e
  JOIN owners AS o ON o.key = $key AND o.by_user = $by_user
  WHERE $named
    AND NOT e.bot
    AND e.time >= o.exposed_at + $first
    AND e.time < o.exposed_at + $until
    AND coalesce(e.currency, $currency) = $currency
) AS f
WHERE f.source >= 0
GROUP BY f.unit, f.segment, f.day, f.source
