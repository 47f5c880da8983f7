-- From which libraries events of a name were received since a moment, and when the last of each.
SELECT
  e.type,
  coalesce(e.event, e.type) AS name,
  coalesce(json_extract_string(e.context, '$.library.name'), '') AS library,
  count(*) AS n,
  max(e.received_at) AS last_seen
FROM events AS e
WHERE e.received_at >= $since
  AND e.type <> $refused
GROUP BY e.type, coalesce(e.event, e.type), coalesce(json_extract_string(e.context, '$.library.name'), '')
ORDER BY n DESC
LIMIT 20000
