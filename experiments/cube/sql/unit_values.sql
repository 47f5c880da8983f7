-- The value of each unit, after the cap and what is taken off, and whether it is another than 0 (a sum that cancels
-- leaves rounding); x is the same from before its exposure. $gross and $base are what was brought, after their caps.
SELECT
  t.unit,
  u.arm,
  u.exposed_at,
  $entered AS entered,
  $gross - t.taken AS y,
  CASE WHEN abs($gross - t.taken) > 1e-12 * (abs(t.gross) + abs(t.taken)) THEN 1 ELSE 0 END AS nonzero,
  $base AS d,
  $earlier_gross - t.earlier_taken AS x,
  $earlier_base AS e,
  coalesce(h.seen, 0) AS h
FROM totals AS t
JOIN units AS u ON u.unit = t.unit
LEFT JOIN histories AS h ON h.unit = t.unit
WHERE u.exposed_at <= $mature
