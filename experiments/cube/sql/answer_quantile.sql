-- The quantile of one metric as the readout shows it, per variant: the smallest value that a share q does not exceed.
SELECT a.variant, c.n AS sampled, min(c.value) AS value
FROM (
  SELECT
    s.arm,
    s.value,
    sum(s.n) OVER (PARTITION BY s.arm ORDER BY s.value) AS reached,
    sum(s.n) OVER (PARTITION BY s.arm ORDER BY s.value ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS n
  FROM sampled AS s
) AS c
JOIN arms AS a ON a.arm = c.arm
WHERE c.reached >= c.n * $q - 1e-9
GROUP BY a.variant, c.n
ORDER BY a.variant
