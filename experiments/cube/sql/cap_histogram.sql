-- How often each non-zero value occurs, in cents, over all arms.
SELECT floor(t.gross * 100.0 + 0.5) AS cents, count(*) AS n
FROM totals AS t
WHERE t.gross > 0.0
GROUP BY floor(t.gross * 100.0 + 0.5)
