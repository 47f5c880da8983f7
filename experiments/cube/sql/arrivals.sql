-- Everybody's first own event of any kind within a stretch, by no bot and not forged. No exposure: those who are held back
-- have none. An event that carries only a user id is the visitors' of that user, where there are any.
SELECT
  $unit AS unit_name,
  min(e.time) AS time,
  max(CASE WHEN e.user_id = e.visitor_id THEN e.authority ELSE -1 END) AS by_user,
  max(e.authority) AS authority
FROM events AS e
WHERE e.type <> 'exposure' AND NOT e.bot AND NOT e.forged
  AND e.time >= $since
  AND e.time <= $stop
  AND $unit IS NOT NULL AND $unit <> ''
  AND $own
GROUP BY $unit
