-- How often each non-zero value occurs, over all arms.
SELECT $value AS value, count(*) AS n
FROM totals AS t
WHERE $value <> 0.0
GROUP BY $value
