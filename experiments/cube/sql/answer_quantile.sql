-- The quantile of one metric as the readout shows it, per variant: the smallest value that a share q does not exceed.
SELECT a.variant, c.n AS sampled, min(c.cents) / 100.0 AS value
FROM (
  SELECT
    s.arm,
    s.cents,
    sum(s.n) OVER (PARTITION BY s.arm ORDER BY s.cents) AS reached,
    sum(s.n) OVER (PARTITION BY s.arm ORDER BY s.cents ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS n
  FROM sampled AS s
) AS c
JOIN arms AS a ON a.arm = c.arm
WHERE c.reached >= c.n * $q - 1e-9
GROUP BY a.variant, c.n
ORDER BY a.variant
