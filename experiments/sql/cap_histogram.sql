-- How often each non-zero value occurs, in cents, over all arms.
SELECT CAST(floor(t.gross * 100.0 + 0.5) AS BIGINT) AS cents, count(*) AS n
FROM totals AS t
WHERE t.gross > 0.0
GROUP BY CAST(floor(t.gross * 100.0 + 0.5) AS BIGINT)
