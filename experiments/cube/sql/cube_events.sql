-- The cube's rows of plain events: per unit, shop day, source and segment of time since exposure, how many and how
-- much, of how many the money can be said in the shop's currency, and how far it is believed that they are the unit's.
SELECT
  f.unit,
  CAST(f.segment AS BIGINT) AS segment,
  f.day,
  CAST(f.source AS BIGINT) AS source,
  CAST(count(*) AS BIGINT) AS events,
  coalesce(sum(f.amount), 0.0) AS amount,
  CAST(0 AS BIGINT) AS finals,
  CAST(sum(f.convertible) AS BIGINT) AS convertible,
  CAST(f.authority AS BIGINT) AS authority
FROM (
  SELECT
    o.unit,
    $segment AS segment,
    $day AS day,
    $source AS source,
    $amount AS amount,
    CASE WHEN $rate IS NULL THEN 0 ELSE 1 END AS convertible,
    least(e.authority, o.authority) AS authority
  FROM events AS e
  JOIN owners AS o ON o.key = $key AND o.by_user = $by_user
  WHERE $named
    AND NOT e.bot
    AND e.time >= o.exposed_at + $first
    AND e.time < o.exposed_at + $until
) AS f
WHERE f.source >= 0
GROUP BY f.unit, f.segment, f.day, f.source, f.authority
