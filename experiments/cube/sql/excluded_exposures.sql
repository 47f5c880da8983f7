-- The exposures of each experiment and phase that do not count, each under the first reason that holds.
SELECT
  e.experiment,
  e.phase,
  coalesce(sum(CASE WHEN e.quarantined THEN 1 ELSE 0 END), 0) AS quarantined,
  coalesce(sum(CASE WHEN e.quarantined THEN 0 WHEN e.bot THEN 1 ELSE 0 END), 0) AS bots,
  coalesce(sum(CASE WHEN e.quarantined OR e.bot THEN 0 WHEN e.forced THEN 1 ELSE 0 END), 0) AS forced,
  coalesce(sum(CASE WHEN e.quarantined OR e.bot OR e.forced THEN 0 WHEN e.forged THEN 1 ELSE 0 END), 0) AS forged
FROM received AS e
WHERE e.type = 'exposure'
  AND $enrolled
GROUP BY e.experiment, e.phase
