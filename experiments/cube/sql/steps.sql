-- The events of a funnel within the window of their unit.
SELECT o.unit, e.time, $name AS name
FROM events AS e
JOIN owners AS o ON o.key = $key AND o.by_user = $by_user
WHERE $named
  AND NOT e.bot
  AND e.time >= o.exposed_at
  AND e.time < o.exposed_at + $until
