-- Who is whom: every visitor id that was seen together with a user id, as known until the readout closed.
SELECT DISTINCT e.user_id, e.visitor_id
FROM events AS e
WHERE e.user_id IS NOT NULL
  AND e.user_id <> ''
  AND e.user_id <> e.visitor_id
  AND e.received_at <= $known_until
