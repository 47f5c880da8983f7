-- The numbers of one metric as the readout shows them, per variant.
SELECT
  a.variant,
  count(u.unit) AS units,
  sum(coalesce(v.y, 0.0)) AS numerator,
  sum(coalesce(v.d, 0.0)) AS denominator,
  avg(coalesce(v.y, 0.0)) AS mean,
  var_samp(coalesce(v.y, 0.0)) AS variance
FROM arms AS a
JOIN units AS u ON u.arm = a.arm
LEFT JOIN unit_values AS v ON v.unit = u.unit
WHERE u.exposed_at <= $mature
GROUP BY a.variant
ORDER BY a.variant
