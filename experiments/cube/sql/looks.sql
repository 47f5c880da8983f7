-- What each day adds to the shifted sums of the cumulative value (the sum over unit-days of C(d)^2 - C(d-1)^2) and to the
-- number of units where it is not zero, and the sums of that day's own value. $gross and $base are after their caps.
SELECT
  r.arm,
  r.day,
  count(*) AS n,
  sum(r.y - r.y0) AS y,
  sum(r.d - r.d0) AS d,
  sum(r.y * r.y - r.y0 * r.y0) AS yy,
  sum(r.y * r.d - r.y0 * r.d0) AS yd,
  sum(r.d * r.d - r.d0 * r.d0) AS dd,
  sum((r.y - r.y0) * r.x) AS yx,
  sum((r.y - r.y0) * r.e) AS ye,
  sum((r.y - r.y0) * r.h) AS yh,
  sum((r.d - r.d0) * r.x) AS dx,
  sum((r.d - r.d0) * r.e) AS de,
  sum((r.d - r.d0) * r.h) AS dh,
  sum(CASE WHEN abs(r.so_far) > r.rounding THEN 1 ELSE 0 END)
    - sum(CASE WHEN abs(r.before) > r.rounding THEN 1 ELSE 0 END) AS nonzero,
  sum(CASE WHEN r.own_y <> 0.0 THEN 1 ELSE 0 END) AS own_nonzero,
  sum(r.own_y) AS own_y,
  sum(r.own_d) AS own_d,
  sum(r.own_y * r.own_y) AS own_yy,
  sum(r.own_y * r.own_d) AS own_yd,
  sum(r.own_d * r.own_d) AS own_dd
FROM (
  SELECT
    v.arm,
    w.day,
    $gross - w.all_taken - $y AS y,
    $gross_before - (w.all_taken - w.taken) - $y AS y0,
    $base - $d AS d,
    $base_before - $d AS d0,
    v.x - $x AS x,
    v.e - $e AS e,
    v.h,
    $gross - w.all_taken AS so_far,
    $gross_before - (w.all_taken - w.taken) AS before,
    1e-12 * (abs(w.all_gross) + abs(w.all_taken)) AS rounding,
    $own_gross - w.taken AS own_y,
    $own_base AS own_d
  FROM (
    SELECT
      m.unit,
      m.day,
      m.gross,
      m.taken,
      m.base,
      sum(m.gross) OVER (PARTITION BY m.unit ORDER BY m.day) AS all_gross,
      sum(m.taken) OVER (PARTITION BY m.unit ORDER BY m.day) AS all_taken,
      sum(m.base) OVER (PARTITION BY m.unit ORDER BY m.day) AS all_base
    FROM metric_days AS m
  ) AS w
  JOIN unit_values AS v ON v.unit = w.unit
) AS r
GROUP BY r.arm, r.day
