-- The names of events that were received since a moment, the most frequent first.
SELECT
  e.type,
  coalesce(e.event, e.type) AS name,
  count(*) AS n,
  sum(CASE WHEN e.received_at >= $day THEN 1 ELSE 0 END) AS n_day,
  sum(CASE WHEN e.value IS NULL THEN 1 ELSE 0 END) AS worthless,
  max(e.received_at) AS last_seen
FROM events AS e
WHERE e.received_at >= $since
  AND e.type <> $refused
GROUP BY e.type, coalesce(e.event, e.type)
ORDER BY n DESC, name, e.type
