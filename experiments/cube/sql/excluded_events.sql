-- Events of exposed units that do not count, because their time is impossible.
SELECT
  u.study,
  CASE WHEN e.type = 'track' THEN e.event ELSE e.type END AS name,
  count(*) AS n
FROM received AS e
JOIN owners AS o ON o.key = $key AND o.by_user = $by_user
JOIN units AS u ON u.unit = o.unit
WHERE e.type <> 'exposure'
  AND $named
  AND NOT e.bot
  AND e.quarantined
GROUP BY u.study, CASE WHEN e.type = 'track' THEN e.event ELSE e.type END
