-- The events by which nobody arrives, each under the first reason that holds.
SELECT
  coalesce(sum(CASE WHEN e.quarantined THEN 1 ELSE 0 END), 0) AS quarantined,
  coalesce(sum(CASE WHEN e.quarantined THEN 0 WHEN e.bot THEN 1 ELSE 0 END), 0) AS bots,
  0 AS forced,
  coalesce(sum(CASE WHEN e.quarantined OR e.bot THEN 0 WHEN e.forged THEN 1 ELSE 0 END), 0) AS forged
FROM received AS e
WHERE e.time >= $since
  AND e.time <= $stop
