-- The properties of the newest rows of some names.
SELECT e.type, coalesce(e.event, e.type) AS name, max_by(coalesce(e.properties, '{}'), e.received_at, 100) AS newest
FROM events AS e
WHERE e.received_at >= $since
  AND e.type <> $refused
  AND $named
GROUP BY e.type, coalesce(e.event, e.type)
