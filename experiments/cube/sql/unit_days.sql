-- What each day adds to the sums of each unit: the steps of its cumulative value and of that value's square.
-- $gross and $base are after their caps.
SELECT
  w.unit,
  w.day,
  $gross - w.all_taken AS y,
  $gross_before - (w.all_taken - w.taken) AS y0,
  $base AS d,
  $base_before AS d0
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
