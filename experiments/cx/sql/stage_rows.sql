-- What brings somebody to one stage of the journey.
SELECT coalesce(nullif(e.user_id, ''), w.user_id, e.visitor_id) AS person, e.time
FROM events AS e
LEFT JOIN people AS w ON w.visitor_id = e.visitor_id
WHERE $named AND $wanted AND NOT e.bot AND e.visitor_id <> '' AND e.time >= $since AND e.time < $until
