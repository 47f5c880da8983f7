-- One row per unit with anything: what it brought in the window, what is taken off, the denominator of a ratio, and the
-- same from the look-back before its exposure.
SELECT
  c.unit,
  sum(CASE WHEN c.source = $source AND c.segment >= $first AND c.segment < $last THEN $amount ELSE 0.0 END) AS gross,
  sum(CASE WHEN c.source = $taken AND c.segment >= $first AND c.segment < $last THEN c.amount ELSE 0.0 END) AS taken,
  sum(CASE WHEN c.source = $base AND c.segment >= $first AND c.segment < $last THEN $base_amount ELSE 0.0 END) AS base,
  sum(CASE WHEN c.source = $source AND c.segment < $before THEN $amount ELSE 0.0 END) AS earlier_gross,
  sum(CASE WHEN c.source = $taken AND c.segment < $before THEN c.amount ELSE 0.0 END) AS earlier_taken,
  sum(CASE WHEN c.source = $base AND c.segment < $before THEN $base_amount ELSE 0.0 END) AS earlier_base
FROM cube AS c
WHERE c.source IN ($source, $taken, $base)
  AND $so_far
  AND ((c.segment >= $first AND c.segment < $last) OR c.segment < $before)
GROUP BY c.unit
