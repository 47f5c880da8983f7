-- Units that converted, by their arm and the network of a page that told of it: how many pages told of, of how many of
-- those no backend did, and how many of them converted within so few $soon of their first exposure.
SELECT
  f.arm,
  f.network,
  CAST(sum(f.by_page) AS BIGINT) AS units,
  CAST(sum(f.by_page * (1 - f.by_backend)) AS BIGINT) AS unbacked,
  CAST(sum(f.soon) AS BIGINT) AS soon
FROM (
  SELECT
    u.arm,
    u.unit,
    min(e.network) AS network,
    max(CASE WHEN e.authority < $backend THEN 1 ELSE 0 END) AS by_page,
    max(CASE WHEN e.authority < $backend THEN 0 ELSE 1 END) AS by_backend,
    max(CASE WHEN e.authority < $backend AND e.time < u.exposed_at + $soon THEN 1 ELSE 0 END) AS soon
  FROM events AS e
  JOIN owners AS o ON o.key = $key AND o.by_user = $by_user
  JOIN units AS u ON u.unit = o.unit
  WHERE $named
    AND NOT e.bot
    AND e.time >= o.exposed_at + $first
    AND e.time < o.exposed_at + $until
  GROUP BY u.arm, u.unit
) AS f
WHERE f.by_page = 1
GROUP BY f.arm, f.network
ORDER BY f.arm, f.network
