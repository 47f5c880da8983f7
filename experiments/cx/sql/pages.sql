-- Every page that somebody looked at, in the whole log: who is new is known of all that came before alone.
SELECT
  coalesce(nullif(e.user_id, ''), w.user_id, e.visitor_id) AS person,
  e.time,
  e.device,
  e.country
FROM events AS e
LEFT JOIN people AS w ON w.visitor_id = e.visitor_id
WHERE e.type = 'page' AND NOT e.bot AND e.visitor_id <> '' AND e.time < $until
