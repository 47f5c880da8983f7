-- The names of events that were received since a moment, the most frequent first; of more there is only how many events
-- of all names there were, and since a later moment, because whoever sends events invents names.
SELECT
  e.type,
  coalesce(e.event, e.type) AS name,
  count(*) AS n,
  sum(CASE WHEN e.received_at >= $day THEN 1 ELSE 0 END) AS n_day,
  sum(CASE WHEN e.value IS NULL THEN 1 ELSE 0 END) AS worthless,
  max(e.received_at) AS last_seen,
  sum(count(*)) OVER () AS all_n,
  sum(sum(CASE WHEN e.received_at >= $day THEN 1 ELSE 0 END)) OVER () AS all_day
FROM events AS e
WHERE e.received_at >= $since
  AND e.type <> $refused
GROUP BY e.type, coalesce(e.event, e.type)
ORDER BY n DESC, name, e.type
LIMIT 20000
