-- Heartbeats and starts of page views, attributed to units.
SELECT
  o.unit,
  e.page_view_id,
  CASE WHEN e.type = 'page' THEN 1 ELSE 0 END AS is_start,
  e.time - o.exposed_at AS since,
  $day AS day,
  e.engaged_ms,
  CASE WHEN e.type = 'engagement' AND $final = 'true' THEN 1 ELSE 0 END AS finals
FROM events AS e
JOIN owners AS o ON o.key = $key AND o.by_user = $by_user
WHERE e.page_view_id IS NOT NULL
  AND (e.type = 'page' OR (e.type = 'engagement' AND e.engaged_ms IS NOT NULL AND $condition))
  AND NOT e.bot
  AND e.time >= o.exposed_at + $first
  AND e.time < o.exposed_at + $until
