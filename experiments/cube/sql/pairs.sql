-- Who is whom: every visitor id that was seen together with a user id, and since when that is known, until the readout closed.
SELECT e.user_id, e.visitor_id, min(e.received_at) AS known_at
FROM events AS e
WHERE e.user_id IS NOT NULL
  AND e.user_id <> ''
  AND e.user_id <> e.visitor_id
  AND e.received_at <= $known_until
GROUP BY e.user_id, e.visitor_id
