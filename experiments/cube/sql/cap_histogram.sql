-- How often each non-zero value occurs, by arm.
SELECT u.arm, $value AS value, count(*) AS n
FROM totals AS t
JOIN units AS u ON u.unit = t.unit
WHERE $value <> 0.0
GROUP BY u.arm, $value
