-- Exposures of each experiment and phase that were received since a moment, those that are forged, and since another.
SELECT
  e.experiment,
  e.phase,
  count(*) AS n,
  sum(CASE WHEN e.forged THEN 1 ELSE 0 END) AS forged,
  sum(CASE WHEN e.received_at >= $day THEN 1 ELSE 0 END) AS n_day
FROM events AS e
WHERE e.type = 'exposure'
  AND NOT e.bot
  AND e.received_at >= $since
GROUP BY e.experiment, e.phase
