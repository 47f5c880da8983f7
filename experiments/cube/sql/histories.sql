-- Units with a history: seen in an earlier visit within the look-back before their first exposure.
SELECT DISTINCT o.unit, 1 AS seen
FROM events AS e
JOIN owners AS o ON o.key = $key AND o.by_user = $by_user
WHERE NOT e.bot
  AND e.time >= o.exposed_at - $lookback
  AND e.time < o.exposed_at - $visit
