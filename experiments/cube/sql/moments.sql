-- Shifted sums and products of the units with anything, per arm and level; the others are all zero and are added
-- afterwards.
SELECT
  s.arm,
  s.level,
  count(*) AS n,
  sum(s.total_y) AS total_y,
  sum(s.total_d) AS total_d,
  sum(s.total_x) AS total_x,
  sum(s.total_e) AS total_e,
  sum(s.nonzero) AS nonzero,
  sum(s.y) AS y,
  sum(s.d) AS d,
  sum(s.x) AS x,
  sum(s.e) AS e,
  sum(s.h) AS h,
  sum(s.y * s.y) AS yy,
  sum(s.y * s.d) AS yd,
  sum(s.y * s.x) AS yx,
  sum(s.y * s.e) AS ye,
  sum(s.y * s.h) AS yh,
  sum(s.d * s.d) AS dd,
  sum(s.d * s.x) AS dx,
  sum(s.d * s.e) AS de,
  sum(s.d * s.h) AS dh,
  sum(s.x * s.x) AS xx,
  sum(s.x * s.e) AS xe,
  sum(s.x * s.h) AS xh,
  sum(s.e * s.e) AS ee,
  sum(s.e * s.h) AS eh
FROM (
  SELECT
    v.arm,
    v.level,
    v.y - $y AS y,
    v.d - $d AS d,
    v.x - $x AS x,
    v.e - $e AS e,
    v.h,
    v.y AS total_y,
    v.d AS total_d,
    v.x AS total_x,
    v.e AS total_e,
    v.nonzero
  FROM levelled AS v
) AS s
GROUP BY s.arm, s.level
