-- Sums from which the moments are shifted, so that squares of large values do not cancel.
SELECT
  coalesce(sum(v.y), 0.0) AS y,
  coalesce(sum(v.d), 0.0) AS d,
  coalesce(sum(v.x), 0.0) AS x,
  coalesce(sum(v.e), 0.0) AS e
FROM unit_values AS v
