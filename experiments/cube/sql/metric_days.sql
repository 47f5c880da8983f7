-- What each unit brought on each shop day of its window.
SELECT
  c.unit,
  c.day,
  sum(CASE WHEN c.source = $source THEN $amount ELSE 0.0 END) AS gross,
  sum(CASE WHEN c.source = $taken THEN c.amount ELSE 0.0 END) AS taken,
  sum(CASE WHEN c.source = $base THEN $base_amount ELSE 0.0 END) AS base
FROM cube AS c
WHERE c.source IN ($source, $taken, $base)
  AND c.segment >= $first
  AND c.segment < $last
GROUP BY c.unit, c.day
