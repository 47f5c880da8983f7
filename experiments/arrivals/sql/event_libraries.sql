-- From which libraries events of a name were received since a moment, and when the last of each.
SELECT
  e.type,
  coalesce(e.event, e.type) AS name,
  $library AS library,
  count(*) AS n,
  max(e.received_at) AS last_seen
FROM events AS e
WHERE e.received_at >= $since
  AND e.type <> $refused
GROUP BY e.type, coalesce(e.event, e.type), $library
ORDER BY n DESC
LIMIT 20000
