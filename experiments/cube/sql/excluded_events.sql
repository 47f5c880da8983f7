-- Events of exposed units that do not count, because their time is impossible.
SELECT count(*) AS quarantined
FROM received AS e
JOIN owners AS o ON o.key = $key AND o.by_user = $by_user
WHERE e.type <> 'exposure'
  AND $named
  AND NOT e.bot
  AND e.quarantined
