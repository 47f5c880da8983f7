-- The properties of the newest rows of some names; rows of many letters are not looked into, or all together would be
-- more than memory holds.
SELECT e.type, coalesce(e.event, e.type) AS name, max_by(coalesce(e.properties, '{}'), e.received_at, 50) AS newest
FROM events AS e
WHERE e.received_at >= $since
  AND e.type <> $refused
  AND $named
  AND (e.properties IS NULL OR length(e.properties) <= $longest)
GROUP BY e.type, coalesce(e.event, e.type)
