-- Shifted sums and products of the covariates, by the day on which units entered.
SELECT
  s.arm,
  s.entered,
  count(*) AS n,
  sum(s.x) AS x,
  sum(s.e) AS e,
  sum(s.h) AS h,
  sum(s.x * s.x) AS xx,
  sum(s.x * s.e) AS xe,
  sum(s.x * s.h) AS xh,
  sum(s.e * s.e) AS ee,
  sum(s.e * s.h) AS eh,
  sum(s.total_x) AS total_x,
  sum(s.total_e) AS total_e
FROM (
  SELECT v.arm, v.entered, v.x - $x AS x, v.e - $e AS e, v.h, v.x AS total_x, v.e AS total_e
  FROM unit_values AS v
) AS s
GROUP BY s.arm, s.entered
