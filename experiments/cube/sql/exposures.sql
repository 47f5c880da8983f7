-- The exposures that count: of this experiment and phase, while it ran, by no bot, neither forged nor forced.
SELECT
  $unit AS unit_name,
  a.arm,
  e.time,
  e.stream_id,
  e.shard,
  e.position,
  CASE WHEN e.user_id = e.visitor_id THEN 1 ELSE 0 END AS by_user
FROM events AS e
JOIN arms AS a ON a.variant = e.variant
WHERE e.type = 'exposure'
  AND e.experiment = $experiment
  AND e.phase = $phase
  AND e.time <= $stop
  AND NOT e.bot AND NOT e.forged AND NOT e.forced
  AND $unit IS NOT NULL AND $unit <> ''
