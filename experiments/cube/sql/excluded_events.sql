-- Events of exposed units that do not count: of an impossible time, or in another currency than the shop's.
SELECT
  coalesce(sum(CASE WHEN e.quarantined THEN 1 ELSE 0 END), 0) AS quarantined,
  coalesce(sum(CASE WHEN e.quarantined THEN 0 ELSE 1 END), 0) AS currency
FROM received AS e
JOIN owners AS o ON o.key = $key AND o.by_user = $by_user
WHERE e.type <> 'exposure'
  AND $named
  AND NOT e.bot
  AND (e.quarantined OR e.currency <> $currency)
  AND (e.quarantined OR (e.currency <> $currency AND e.time >= o.exposed_at AND e.time < o.exposed_at + $longest))
