-- Everybody of a segment: of whom something happened in the span where its conditions held.
SELECT DISTINCT coalesce(nullif(e.user_id, ''), w.user_id, e.visitor_id) AS person
FROM events AS e
LEFT JOIN people AS w ON w.visitor_id = e.visitor_id
WHERE NOT e.bot AND NOT e.forged AND e.time >= $since AND e.time < $until AND $wanted
