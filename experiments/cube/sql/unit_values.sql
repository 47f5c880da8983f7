-- The value of each unit, after the cap and what is taken off; x is the same from before its exposure.
SELECT
  t.unit,
  u.arm,
  u.exposed_at,
  $entered AS entered,
  least(t.gross, $cap) - t.taken AS y,
  t.base AS d,
  least(t.earlier_gross, $cap) - t.earlier_taken AS x,
  t.earlier_base AS e,
  coalesce(h.seen, 0) AS h
FROM totals AS t
JOIN units AS u ON u.unit = t.unit
LEFT JOIN histories AS h ON h.unit = t.unit
WHERE u.exposed_at <= $mature
