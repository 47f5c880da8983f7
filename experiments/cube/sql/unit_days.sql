-- What each day adds to the sums of each unit: the steps of its cumulative value and of that value's square.
SELECT
  w.unit,
  w.day,
  least(w.all_gross, $cap) - w.all_taken AS y,
  least(w.all_gross - w.gross, $cap) - (w.all_taken - w.taken) AS y0,
  w.all_base AS d,
  w.all_base - w.base AS d0
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
