-- Exposures whose variant was drawn by another id than the unit's.
SELECT e.experiment, e.phase, count(*) AS n
FROM events AS e
WHERE e.type = 'exposure'
  AND $enrolled
  AND e.exposure_source IN ('client', 'growthbook')
  AND NOT e.bot
  AND NOT e.forged
  AND NOT e.forced
  AND e.context LIKE '%"hashed_id":%'
GROUP BY e.experiment, e.phase
