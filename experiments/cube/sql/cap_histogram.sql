-- How often each non-zero value occurs, over all arms.
SELECT t.gross AS value, count(*) AS n
FROM totals AS t
WHERE t.gross > 0.0
GROUP BY t.gross
