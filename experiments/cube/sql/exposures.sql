-- The exposures that count: of these experiments and phases, while they ran, by no bot, neither forged nor forced.
SELECT
  $unit AS unit_name,
  a.study,
  a.arm,
  e.time,
  e.stream_id,
  e.shard,
  e.position,
  CASE WHEN e.user_id = e.visitor_id THEN e.authority ELSE -1 END AS by_user,
  e.authority
FROM events AS e
JOIN arms AS a ON a.experiment = e.experiment AND a.phase = e.phase AND a.variant = e.variant
WHERE e.type = 'exposure'
  AND $enrolled
  AND e.time <= a.stop
  AND NOT e.bot AND NOT e.forged AND NOT e.forced
  AND $unit IS NOT NULL AND $unit <> ''
